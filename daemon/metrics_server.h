// Serves the metrics over HTTP on a loopback address or a unix socket.
//
// Floor 4. Owns the socket and, of a unix socket, its file. Control thread only: a scrape costs no
// thread and an idle server wakes nobody up. Not prometheus-cpp's exposer: it brings threads that
// wake up by themselves, and cannot listen on a unix socket.
#ifndef SHUNTFS_DAEMON_METRICS_SERVER_H_
#define SHUNTFS_DAEMON_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "config/metrics_address.h"
#include "daemon/client_set.h"

namespace shuntfs {

class MetricsServer {
 public:
  // Unavailable, with the remedy, when the address is in use or cannot be taken.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Listen(const MetricsAddress& address);
  ~MetricsServer() { RemoveFile(); }
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // Before it there is nobody to answer; connections wait meanwhile.
  void Provide(std::function<std::string()> page) { page_ = std::move(page); }

  int poll_fd() const { return clients_->poll_fd(); }
  std::optional<ClientSet::Clock::time_point> deadline() const { return clients_->deadline(); }
  void Serve();
  // Takes the socket's file away, for those who leave without destructors.
  void RemoveFile();

 private:
  MetricsServer(std::string path, std::unique_ptr<ClientSet> clients)
      : path_(std::move(path)), clients_(std::move(clients)) {}

  std::string path_;  // empty: no file
  const std::unique_ptr<ClientSet> clients_;
  std::function<std::string()> page_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_METRICS_SERVER_H_
