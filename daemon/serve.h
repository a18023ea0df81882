// One mounted connection: the file system, its transports and their threads.
//
// Floor 4. Made, stopped and joined on the control (main) thread; Numbers there too. Everything
// that can be refused is tried before INIT is answered; what fails after that ends the connection,
// and the caller unmounts.
#ifndef SHUNTFS_DAEMON_SERVE_H_
#define SHUNTFS_DAEMON_SERVE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/file_system.h"
#include "core/protocol/init.h"
#include "daemon/server_numbers.h"
#include "io/connection.h"
#include "io/device_threads.h"
#include "io/ring_group.h"
#include "io/ring_mode.h"
#include "io/slow_pool.h"

namespace shuntfs {

struct ServeOptions {
  std::string source;
  std::string mountpoint;
  std::string data_path;  // what was asked for: auto or a mode
  bool noatime = false;
  bool writeback = false;
  bool backing_direct = false;
  bool allow_pseudo_filesystems = false;
  bool privileged = true;  // may act for every caller (CanActForOthers)
  double entry_timeout_s = 1;
  double attr_timeout_s = 1;
  double negative_timeout_s = 0;
  uint64_t memory_budget_bytes = 64 << 20;
  uint32_t max_write_bytes = 1 << 20;
  uint32_t readahead_bytes = 0;  // 0: as the largest request
  uint16_t max_background = 64;
  uint16_t congestion_threshold = 0;  // 0: three quarters of max_background
  uint16_t request_timeout_s = 0;     // 0: none
  uint32_t workers = 0;               // 0: one per online CPU
  bool pin_workers = true;
  uint32_t device_threads = 0;  // 0: as many as needed
  std::string read_policy = "auto";
  std::string write_policy = "auto";
  PolicyOptions policy;
};

struct DataPathChoice {
  std::string mode;
  std::map<std::string, std::string> reasons;  // one per mode: why, or why not
};

// No value: requests are read from /dev/fuse.
std::optional<RingMode> RingModeOf(const std::string& mode);

class Server {
 public:
  // Serves `fuse_fd`, the descriptor of a fresh mount, in `mode` (as --data-path names it). Returns
  // when requests are served.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServeOptions& options,
                                                       UniqueFd source_fd, UniqueFd fuse_fd,
                                                       const std::string& mode);
  // Stops and joins if that was not done.
  ~Server();

  // Whether a request has come over the rings; true without rings.
  bool WasAsked() const;

  // Readable once the connection has ended: unmounted, aborted or broken.
  int ended_fd() const { return connection_->ended_fd(); }
  // Readable when descriptors of files that nobody uses are to be closed: CloseIdleDescriptors, on
  // the control thread, at any time until the end of the server.
  int idle_fd() const { return fs_->inodes().idle_fd(); }
  void CloseIdleDescriptors() { fs_->inodes().CloseIdlePathFds(); }
  // What is in flight is answered, nothing new is taken; the connection ends when Join returns.
  void BeginStop();
  // Asks every thread for a sign of life; who has not given one since. Not after BeginStop or Join.
  void AskPulse();
  std::vector<std::string> Silent() const;
  // Waits for all threads and closes the connection. An error: it ended because something broke.
  absl::Status Join();

  // Of answers from now on; what the kernel was told before holds as long as it was told. Control
  // thread, while others serve.
  void SetTimeouts(double entry_s, double attr_s, double negative_s);

  ServerNumbers Numbers() const;
  // Served so far.
  uint64_t requests() const;
  // Which requests all of them trace.
  TraceSwitch& trace_switch() { return fs_->trace_switch(); }
  // Of all threads that serve now.
  std::vector<const Counters*> AllCounters() const;

 private:
  Server() = default;

  absl::Status CreateFileSystem(const ServeOptions& options, UniqueFd source_fd,
                                std::optional<RingMode> ring_mode);
  absl::Status CreateRings(const ServeOptions& options, RingMode mode);
  absl::Status AnswerInit(const ServeOptions& options, std::optional<RingMode> ring_mode,
                          bool passthrough);
  absl::Status UsePassthrough(const ServeOptions& options);
  absl::Status StartThreads(const ServeOptions& options);
  int MostWriteBacks() const;

  // In the order that they depend on each other.
  UniqueFd fuse_fd_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<SlowPool> slow_pool_;
  std::unique_ptr<RingGroup> rings_;  // null in device mode
  std::unique_ptr<DeviceThreads> device_;
  uint32_t max_pages_limit_ = 0;
  RequestSizes sizes_;
  uint32_t entries_per_queue_ = 0;
  WireFormat format_;
  bool joined_ = false;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_SERVE_H_
