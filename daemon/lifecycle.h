// The control thread of a mounted daemon: signals, the control socket, the end of the connection,
// and the deadlines of the way out (stop_sequence.h), all in one poll loop that never blocks.
//
// Floor 4. Control thread only. Owns nothing that it is given; everything has to outlive Run().
#ifndef SHUNTFS_DAEMON_LIFECYCLE_H_
#define SHUNTFS_DAEMON_LIFECYCLE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "daemon/control_socket.h"
#include "daemon/helper_thread.h"
#include "daemon/metrics_server.h"
#include "daemon/stop_sequence.h"
#include "daemon/unmount.h"

namespace shuntfs {

// What the loop acts on: the server and the mount in the daemon, fakes in tests. Those marked so
// run on a helper thread and may block.
struct LifecycleHooks {
  int ended_fd = -1;  // Readable once the connection has ended.
  // Readable when `close_idle` is to be called; -1: never.
  int idle_fd = -1;
  std::function<void()> close_idle;                  // Server::CloseIdleDescriptors
  std::function<void()> begin_stop;                  // Server::BeginStop
  std::function<absl::Status()> join;                // Server::Join; helper
  std::function<UnmountOutcome(bool lazy)> unmount;  // helper
  std::function<void()> flush;                       // syncfs on the mount; helper
  std::function<absl::Status()> abort;               // fusectl
  std::function<bool()> is_mounted;                  // Whether the mount is still in the tree.
  std::function<std::string()> status_json;          // The status document.
  std::function<void()> stopping;                    // Once, when the mount is about to end.
  // Called every `beat_period` while the mount is served; never when that is 0.
  std::function<void()> beat;
  std::chrono::milliseconds beat_period{0};
  // Reads the configuration again; what it changes of the limits holds from then on. The report.
  std::function<absl::StatusOr<std::string>(StopSequence::Limits*)> reload;
  std::function<void()> release_names;  // Before a hard exit: the files of sockets.
  MetricsServer* metrics = nullptr;     // May be null.
};

// Blocks SIGTERM, SIGINT and SIGHUP in this and all later threads and returns a signalfd for them;
// SIGPIPE is ignored. Call before the mount exists, so that no signal finds it half made.
UniqueFd TakeSignals();

class Lifecycle {
 public:
  // `control` may be null: then only signals and umount(8) end the mount.
  Lifecycle(LifecycleHooks hooks, const StopSequence::Limits& limits, int signal_fd,
            ControlSocket* control);

  // Until the end. The process's exit code: 0 when the mount was ended from inside or outside in
  // order.
  int Run();

 private:
  void WaitForEvents();
  bool IsServing() const;
  void BeatIfDue();
  std::optional<StopSequence::Clock::time_point> NextWake() const;
  void ReadSignals();
  void CollectUnmount();
  void CollectJoin();
  std::string Answer(ControlCommand command);
  std::string Reload();
  void Do(StopSequence::Action action);
  void StartUnmount(bool flush_and_detach);
  void StartJoin();
  void ConnectionEnded();
  int Finish();
  [[noreturn]] void GiveUp();

  LifecycleHooks hooks_;
  StopSequence::Limits limits_;
  StopSequence sequence_;
  int signal_fd_;
  ControlSocket* control_;

  // Apart from each other: an unmount can wait for a connection that only joining ends. What they
  // write to is shared with their threads, which may outlive this object when a job never returns.
  HelperThread unmounter_;
  bool detaching_ = false;
  std::shared_ptr<UnmountOutcome> unmount_outcome_;
  HelperThread joiner_;
  bool join_started_ = false;
  std::shared_ptr<absl::Status> join_result_;

  StopSequence::Clock::time_point next_beat_;
  bool stopping_told_ = false;
  bool ended_seen_ = false;
  bool aborted_outside_ = false;
  bool finished_ = false;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LIFECYCLE_H_
