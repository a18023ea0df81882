#include "daemon/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

// Makes the directory of `path`, or accepts one that nobody else can put a socket into.
absl::Status OwnDirectory(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  const bool root = geteuid() == 0;
  if (mkdir(directory.c_str(), root ? 0755 : 0700) == 0) {
    // The umask may have been anything.
    if (chmod(directory.c_str(), root ? 0755 : 0700) == 0) return absl::OkStatus();
  } else if (errno != EEXIST) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", directory, std::strerror(errno)));
  }
  struct stat st {};
  if (lstat(directory.c_str(), &st) != 0) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", directory, std::strerror(errno)));
  }
  const mode_t others = root ? 0022 : 0077;
  if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & others) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "%s is not a directory that only its owner, uid %d, can write to; remove it", directory,
        geteuid()));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> ListenAt(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // It gets its name when it listens: at a name where nobody does, a daemon died (dead_sockets.h).
  const std::string unfinished = path + ".new";
  if (unfinished.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrFormat("%s is too long for a socket", path));
  }
  std::memcpy(address.sun_path, unfinished.c_str(), unfinished.size() + 1);
  if (absl::Status status = OwnDirectory(path); !status.ok()) return status;
  // The name holds our process's number: what lies there, a killed daemon left.
  unlink(unfinished.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // Nobody can connect before listen(2), so the mode is right from the first moment that counts.
  if (!fd.valid() || bind(fd.get(), generic, sizeof(address)) != 0 ||
      chmod(unfinished.c_str(), 0600) != 0 ||
      listen(fd.get(), static_cast<int>(kMaxClients)) != 0 ||
      rename(unfinished.c_str(), path.c_str()) != 0) {
    const absl::Status status =
        absl::UnavailableError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
    unlink(unfinished.c_str());
    return status;
  }
  return fd;
}

bool PeerIsAllowed(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlSocket>> ControlSocket::Listen(
    const std::vector<std::string>& paths) {
  absl::Status last = absl::InvalidArgumentError("no place for a control socket");
  for (const std::string& path : paths) {
    absl::StatusOr<UniqueFd> listener = ListenAt(path);
    if (!listener.ok()) {
      last = listener.status();
      continue;
    }
    absl::StatusOr<std::unique_ptr<ClientSet>> clients =
        ClientSet::Create(*std::move(listener), &PeerIsAllowed);
    if (!clients.ok()) {
      unlink(path.c_str());
      return clients.status();
    }
    return std::unique_ptr<ControlSocket>(new ControlSocket(path, *std::move(clients)));
  }
  return last;
}

ControlSocket::~ControlSocket() { unlink(path_.c_str()); }

ClientSet::Answer ControlSocket::StartTrace(std::string_view operations) {
  absl::StatusOr<std::unique_ptr<ClientStream>> stream =
      start_trace_ ? start_trace_(operations) : absl::UnimplementedError("no trace is to be had");
  if (!stream.ok())
    return {absl::StrFormat("error %s\n", std::string(stream.status().message())), false, nullptr};
  return {"ok\n", false, *std::move(stream)};
}

void ControlSocket::Serve(const Handler& handler) {
  clients_->Serve(
      [this, &handler](const std::string& received) -> std::optional<ClientSet::Answer> {
        switch (const ControlCommand command = ParseControlCommand(received)) {
          case ControlCommand::kIncomplete:
            return std::nullopt;
          case ControlCommand::kTooLong:
            return ClientSet::Answer{
                absl::StrFormat("error a request is at most %d bytes\n", kMaxControlLine), false,
                nullptr};
          case ControlCommand::kUnknown:
            return ClientSet::Answer{
                "error unknown request; known are ping, status, reload, trace and stop\n", false,
                nullptr};
          case ControlCommand::kTrace:
            return StartTrace(ControlArgument(received));
          default:
            return ClientSet::Answer{handler(command), command == ControlCommand::kStop, nullptr};
        }
      });
}

}  // namespace shuntfs
