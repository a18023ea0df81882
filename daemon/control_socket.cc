#include "daemon/control_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

constexpr size_t kMaxClients = 8;
constexpr std::chrono::seconds kClientTimeout{2};

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
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrFormat("%s is too long for a socket", path));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (absl::Status status = OwnDirectory(path); !status.ok()) return status;
  // The name holds our process's number: what lies there, a killed daemon left.
  unlink(path.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // Nobody can connect before listen(2), so the mode is right from the first moment that counts.
  if (!fd.valid() || bind(fd.get(), generic, sizeof(address)) != 0 ||
      chmod(path.c_str(), 0600) != 0 || listen(fd.get(), static_cast<int>(kMaxClients)) != 0) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  }
  return fd;
}

bool PeerIsAllowed(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

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
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) {
      unlink(path.c_str());
      return absl::ResourceExhaustedError(absl::StrFormat("epoll: %s", std::strerror(errno)));
    }
    std::unique_ptr<ControlSocket> socket(
        new ControlSocket(path, *std::move(listener), std::move(epoll)));
    socket->WatchListener(true);
    return socket;
  }
  return last;
}

ControlSocket::~ControlSocket() { unlink(path_.c_str()); }

std::optional<ControlSocket::Clock::time_point> ControlSocket::deadline() const {
  std::optional<Clock::time_point> nearest;
  for (const Client& client : clients_) {
    if (!client.kept && (!nearest || client.deadline < *nearest)) nearest = client.deadline;
  }
  return nearest;
}

void ControlSocket::WatchListener(bool watch) {
  if (watch == listener_watched_) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // Clients have their address here.
  epoll_ctl(epoll_.get(), watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_.get(), &event);
  listener_watched_ = watch;
}

void ControlSocket::Serve(const Handler& handler) {
  std::array<epoll_event, kMaxClients + 1> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.ptr == nullptr) {
      Accept();
      continue;
    }
    auto* client = static_cast<Client*>(event.data.ptr);
    const bool alive =
        client->answered && !client->answer.empty() ? Send(client) : Receive(client, handler);
    if (!alive) {
      clients_.remove_if([client](const Client& each) { return &each == client; });
    }
  }
  const Clock::time_point now = Clock::now();
  clients_.remove_if([now](const Client& each) { return !each.kept && each.deadline <= now; });
  WatchListener(clients_.size() < kMaxClients);
}

void ControlSocket::Accept() {
  while (clients_.size() < kMaxClients) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    if (!PeerIsAllowed(fd.get())) continue;
    Client& client = clients_.emplace_back();
    client.fd = std::move(fd);
    client.deadline = Clock::now() + kClientTimeout;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &client;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.fd.get(), &event) != 0) clients_.pop_back();
  }
}

// Whether the client stays.
bool ControlSocket::Receive(Client* client, const Handler& handler) {
  std::array<char, kMaxControlLine> buffer;
  const ssize_t count = recv(client->fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) return WouldBlock(errno) || errno == EINTR;
  if (count == 0) return false;
  if (client->answered) return true;  // Of a kept client nothing more is expected.
  client->received.append(buffer.data(), static_cast<size_t>(count));
  switch (const ControlCommand command = ParseControlCommand(client->received)) {
    case ControlCommand::kIncomplete:
      return true;
    case ControlCommand::kTooLong:
      client->answer = absl::StrFormat("error a request is at most %d bytes\n", kMaxControlLine);
      break;
    case ControlCommand::kUnknown:
      client->answer = "error unknown request; known are ping, status, reload and stop\n";
      break;
    case ControlCommand::kStop:
      client->kept = true;
      [[fallthrough]];
    default:
      client->answer = handler(command);
  }
  client->received.clear();
  client->answered = true;
  return Send(client);
}

bool ControlSocket::Send(Client* client) {
  while (!client->answer.empty()) {
    const ssize_t count = send(client->fd.get(), client->answer.data(), client->answer.size(),
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && !WouldBlock(errno)) return false;
    if (count < 0) break;
    client->answer.erase(0, static_cast<size_t>(count));
  }
  if (client->answer.empty() && !client->kept) return false;
  epoll_event event{};
  event.events = client->answer.empty() ? EPOLLIN : EPOLLOUT;
  event.data.ptr = client;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client->fd.get(), &event) == 0;
}

}  // namespace shuntfs
