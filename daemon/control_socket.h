// The daemon's control socket: requests of one line, answered by the control thread.
//
// Floor 4. Owns the socket file. Control thread only. Peers are not trusted: only root and the
// daemon's own user are listened to, a line is at most 256 bytes, and for the rest see ClientSet.
#ifndef SHUNTFS_DAEMON_CONTROL_SOCKET_H_
#define SHUNTFS_DAEMON_CONTROL_SOCKET_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/client_set.h"
#include "daemon/control_protocol.h"

namespace shuntfs {

class ControlSocket {
 public:
  using Clock = ClientSet::Clock;

  // The answer to a command; it is sent and the client closed. After kStop the client is kept,
  // since its end tells the other side that the daemon has ended.
  using Handler = std::function<std::string(ControlCommand)>;

  // A trace of the operations that the client names, or why there is none.
  using TraceStarter =
      std::function<absl::StatusOr<std::unique_ptr<ClientStream>>(std::string_view operations)>;

  // Takes the first of `paths` whose directory is, or can be made, the caller's own.
  static absl::StatusOr<std::unique_ptr<ControlSocket>> Listen(
      const std::vector<std::string>& paths);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Readable when Serve() has something to do.
  int poll_fd() const { return clients_->poll_fd(); }

  // When Serve() has to be called even without that.
  std::optional<Clock::time_point> deadline() const { return clients_->deadline(); }

  void Serve(const Handler& handler);
  // Until then, a trace is refused.
  void OfferTrace(TraceStarter start) { start_trace_ = std::move(start); }

  const std::string& path() const { return path_; }

 private:
  ClientSet::Answer StartTrace(std::string_view operations);
  ControlSocket(std::string path, std::unique_ptr<ClientSet> clients)
      : path_(std::move(path)), clients_(std::move(clients)) {}

  const std::string path_;
  TraceStarter start_trace_;
  const std::unique_ptr<ClientSet> clients_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONTROL_SOCKET_H_
