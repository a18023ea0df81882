#include "daemon/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/http_answer.h"

namespace shuntfs {
namespace {

absl::Status CannotListen(const std::string& where, int error) {
  const char* remedy =
      error == EADDRINUSE ? "; give \"metrics\" another one, or end what has it" : "";
  return absl::UnavailableError(absl::StrFormat("the metrics cannot be served at %s: %s%s", where,
                                                std::strerror(error), remedy));
}

UniqueFd Socket(int family) {
  return UniqueFd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

absl::StatusOr<UniqueFd> ListenOnPort(const MetricsAddress& address) {
  const bool v6 = address.host == "::1";
  const std::string where = absl::StrFormat(v6 ? "[%s]:%d" : "%s:%d", address.host, address.port);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(address.port);
  six.sin6_addr = in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(address.port);
  inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
  const auto* generic =
      v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  UniqueFd fd = Socket(v6 ? AF_INET6 : AF_INET);
  const int on = 1;  // Connections of a daemon before may still be in TIME_WAIT.
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), generic, v6 ? sizeof(six) : sizeof(four)) != 0 ||
      listen(fd.get(), static_cast<int>(kMaxClients)) != 0)
    return CannotListen(where, errno);
  return fd;
}

// Removes a socket that nobody listens at any more. False: something else is there.
bool RemoveDead(const sockaddr_un& address) {
  struct stat st {};
  if (lstat(address.sun_path, &st) != 0) return errno == ENOENT;
  if (!S_ISSOCK(st.st_mode)) return false;
  const UniqueFd probe = Socket(AF_UNIX);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (connect(probe.get(), generic, sizeof(address)) == 0 || errno != ECONNREFUSED) return false;
  return unlink(address.sun_path) == 0;
}

absl::StatusOr<UniqueFd> ListenOnPath(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (!RemoveDead(address)) return CannotListen(path, EADDRINUSE);
  UniqueFd fd = Socket(AF_UNIX);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // Nobody can connect before listen(2), so the mode is right from the first moment that counts.
  if (!fd.valid() || bind(fd.get(), generic, sizeof(address)) != 0)
    return CannotListen(path, errno);
  if (chmod(path.c_str(), 0600) != 0 || listen(fd.get(), static_cast<int>(kMaxClients)) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return CannotListen(path, error);
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Listen(
    const MetricsAddress& address) {
  absl::StatusOr<UniqueFd> fd =
      address.path.empty() ? ListenOnPort(address) : ListenOnPath(address.path);
  if (!fd.ok()) return fd.status();
  absl::StatusOr<std::unique_ptr<ClientSet>> clients =
      ClientSet::Create(*std::move(fd), [](int /*fd*/) { return true; });
  if (!clients.ok()) {
    if (!address.path.empty()) unlink(address.path.c_str());
    return clients.status();
  }
  return std::unique_ptr<MetricsServer>(new MetricsServer(address.path, *std::move(clients)));
}

void MetricsServer::Serve() {
  clients_->Serve([this](const std::string& received) -> std::optional<ClientSet::Answer> {
    std::optional<std::string> answer = HttpAnswer(received, page_);
    if (!answer) return std::nullopt;
    return ClientSet::Answer{*std::move(answer), /*stays=*/false, nullptr};
  });
}

void MetricsServer::RemoveFile() {
  if (!path_.empty()) unlink(std::exchange(path_, "").c_str());
}

}  // namespace shuntfs
