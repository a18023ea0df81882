#include "daemon/control_client.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "daemon/control_protocol.h"

namespace shuntfs {
namespace {

using Clock = std::chrono::steady_clock;

// A status document is some kilobytes; this bounds what a wrong server can make us hold.
constexpr size_t kMaxAnswer = size_t{4} << 20;

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

// Bounds what a directory that others filled can cost.
constexpr int kMaxNames = 4096;

struct SocketFile {
  std::string path;
  int64_t made_ns;
};

// Adds the sockets of `entry` in `directory`.
void AddSockets(const std::string& directory, const MountEntry& entry,
                std::vector<SocketFile>* files) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), &closedir);
  if (listing == nullptr) return;
  for (int i = 0; i < kMaxNames; ++i) {
    const dirent* name = readdir(listing.get());
    if (name == nullptr) return;
    if (!IsControlSocketName(name->d_name, entry.major, entry.minor)) continue;
    const std::string path = directory + "/" + name->d_name;
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0) continue;
    files->push_back({path, st.st_ctim.tv_sec * 1'000'000'000 + st.st_ctim.tv_nsec});
  }
}

// Where the daemon of `entry` may listen, the newest first: others had the same number before.
std::vector<std::string> SocketPaths(const MountEntry& entry) {
  const uid_t owner = entry.OwnerUid().value_or(0);
  const char* runtime_dir = owner == geteuid() ? std::getenv("XDG_RUNTIME_DIR") : nullptr;
  std::vector<SocketFile> files;
  for (const std::string& directory :
       ControlSocketDirectories(owner, runtime_dir != nullptr ? runtime_dir : ""))
    AddSockets(directory, entry, &files);
  std::stable_sort(files.begin(), files.end(),
                   [](const SocketFile& a, const SocketFile& b) { return a.made_ns > b.made_ns; });
  std::vector<std::string> paths;
  for (const SocketFile& file : files) paths.push_back(file.path);
  return paths;
}

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return absl::NotFoundError(path + ": too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return absl::ResourceExhaustedError(absl::StrFormat("socket: %s", std::strerror(errno)));
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return fd;
  const std::string text = absl::StrFormat("%s: %s", path, std::strerror(errno));
  if (errno == EACCES || errno == EPERM) return absl::PermissionDeniedError(text);
  // EAGAIN: its backlog is full, so it lives.
  if (errno == EAGAIN) return absl::UnavailableError(text + "; the daemon is busy, try again");
  return absl::NotFoundError(text);
}

}  // namespace

absl::StatusOr<ControlClient> ControlClient::Connect(const MountEntry& entry) {
  const uid_t owner = entry.OwnerUid().value_or(0);
  absl::Status worst = absl::NotFoundError("no control socket");
  for (const std::string& path : SocketPaths(entry)) {
    absl::StatusOr<UniqueFd> fd = ConnectTo(path);
    if (!fd.ok()) {
      if (worst.code() == absl::StatusCode::kNotFound) worst = fd.status();
      continue;
    }
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != owner) {
      worst = absl::PermissionDeniedError(absl::StrFormat(
          "%s is served by uid %d, but the mount belongs to uid %d", path, peer.uid, owner));
      continue;
    }
    return ControlClient(*std::move(fd), peer.pid);
  }
  if (worst.code() == absl::StatusCode::kPermissionDenied) {
    return absl::PermissionDeniedError(
        absl::StrFormat("%s belongs to uid %d; only that user and root may ask its daemon (%s)",
                        entry.mountpoint, owner, std::string(worst.message())));
  }
  return worst;
}

absl::Status ControlClient::Ask(const std::string& line) {
  const std::string text = line + "\n";
  // A fresh socket's buffer always holds a line.
  if (send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(text.size())) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrFormat("the daemon cannot be asked: %s", std::strerror(errno)));
}

absl::StatusOr<std::string> ControlClient::ReadLine(int timeout_ms) {
  return Read(true, timeout_ms);
}

absl::StatusOr<std::string> ControlClient::ReadToEnd(int timeout_ms) {
  return Read(false, timeout_ms);
}

absl::StatusOr<std::string> ControlClient::Read(bool one_line, int timeout_ms) {
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    // By the byte when a line is read, so that nothing behind it is swallowed.
    const ssize_t count = recv(fd_.get(), buffer.data(), one_line ? 1 : buffer.size(), 0);
    if (count == 0) return text;
    if (count > 0) {
      if (one_line && buffer[0] == '\n') return text;
      text.append(buffer.data(), static_cast<size_t>(count));
      if (text.size() > kMaxAnswer) return absl::DataLossError("the daemon's answer never ends");
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return absl::UnavailableError(
          absl::StrFormat("the daemon ended while it answered: %s", std::strerror(errno)));
    }
    pollfd entry{fd_.get(), POLLIN, 0};
    const int ready = poll(&entry, 1, MillisecondsUntil(deadline));
    if (ready == 0) {
      return absl::DeadlineExceededError(
          absl::StrFormat("the daemon (pid %d) does not answer", daemon_pid_));
    }
  }
}

absl::StatusOr<std::string> AskDaemon(const MountEntry& entry, const std::string& line,
                                      int timeout_ms) {
  absl::StatusOr<ControlClient> client = ControlClient::Connect(entry);
  if (!client.ok()) return client.status();
  if (absl::Status status = client->Ask(line); !status.ok()) return status;
  absl::StatusOr<std::string> answer = client->ReadToEnd(timeout_ms);
  if (answer.ok() && answer->starts_with("error ")) {
    return absl::FailedPreconditionError(answer->substr(6, answer->find('\n') - 6));
  }
  return answer;
}

}  // namespace shuntfs
