// The daemon's control socket: a few bounded clients, served by the control thread without ever
// blocking it.
//
// Floor 4. Owns the socket file and its clients. Control thread only. Peers are not trusted: only
// root and the daemon's own user are listened to, a line is at most 256 bytes, a client that
// neither asks nor reads for two seconds is dropped, and beyond eight clients the next waits in the
// kernel's backlog.
#ifndef SHUNTFS_DAEMON_CONTROL_SOCKET_H_
#define SHUNTFS_DAEMON_CONTROL_SOCKET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "daemon/control_protocol.h"

namespace shuntfs {

class ControlSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // The answer to a command; it is sent and the client closed. After kStop the client is kept,
  // since its end tells the other side that the daemon has ended.
  using Handler = std::function<std::string(ControlCommand)>;

  // Takes the first of `paths` whose directory is, or can be made, the caller's own.
  static absl::StatusOr<std::unique_ptr<ControlSocket>> Listen(
      const std::vector<std::string>& paths);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Readable when Serve() has something to do.
  int poll_fd() const { return epoll_.get(); }

  // When Serve() has to be called even without that, to drop a slow client.
  std::optional<Clock::time_point> deadline() const;

  void Serve(const Handler& handler);

  const std::string& path() const { return path_; }

 private:
  struct Client {
    UniqueFd fd;
    std::string received;
    std::string answer;  // What is still to be sent.
    bool answered = false;
    bool kept = false;
    Clock::time_point deadline;
  };

  ControlSocket(std::string path, UniqueFd listener, UniqueFd epoll)
      : path_(std::move(path)), listener_(std::move(listener)), epoll_(std::move(epoll)) {}

  void Accept();
  void WatchListener(bool watch);
  bool Receive(Client* client, const Handler& handler);
  bool Send(Client* client);

  std::string path_;
  UniqueFd listener_;
  UniqueFd epoll_;
  bool listener_watched_ = false;
  std::list<Client> clients_;  // A list: epoll holds pointers to its elements.
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONTROL_SOCKET_H_
