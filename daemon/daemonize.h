// Splits the command that mounts from the daemon that serves: the caller's process waits until the
// daemon is ready or has failed, and ends with its exit code.
//
// Floor 4. Main thread, before others exist. Descriptors beyond stderr that were inherited (a lock
// of a wrapper, a pipe of a test) are closed in the daemon, which would hold them for ever.
#ifndef SHUNTFS_DAEMON_DAEMONIZE_H_
#define SHUNTFS_DAEMON_DAEMONIZE_H_

#include <functional>
#include <string>

#include "core/base/unique_fd.h"

namespace shuntfs {

// Opens /dev/null for each standard stream that the caller closed: its number would go to the next
// descriptor that is opened, /dev/fuse perhaps, and log lines with it.
void OpenStandardStreams();

// The daemon's end of the pipe to the process that waits. Destroyed without a report, that process
// sees a daemon that died.
class ReadyReport {
 public:
  ReadyReport() = default;  // Nobody waits (foreground).
  explicit ReadyReport(UniqueFd pipe) : pipe_(std::move(pipe)) {}

  // The mount answers. The process leaves the caller's session; stdin, stdout and stderr become
  // /dev/null, the log leaves stderr.
  void Ready();
  // It is not, and this process is about to end. `text` goes to the caller's stderr.
  void Failed(int exit_code, const std::string& text);

 private:
  UniqueFd pipe_;
};

struct DetachHooks {
  std::function<int(ReadyReport)> serve;  // In the daemon: until the mount ends; its exit code.
  // In the waiting process, when the daemon ended without a word: takes the mount away.
  std::function<void()> clean_up;
};

// Returns in the waiting process alone, with the exit code.
int RunDetached(const DetachHooks& hooks);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_DAEMONIZE_H_
