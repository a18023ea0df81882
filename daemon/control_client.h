// The other end of the control socket: what `shuntfs status` and `shuntfs umount` ask a daemon
// with.
//
// Floor 4. One thread. Every wait has a deadline. A socket is believed only when its server runs as
// the user who, by the mount table, made the mount.
#ifndef SHUNTFS_DAEMON_CONTROL_CLIENT_H_
#define SHUNTFS_DAEMON_CONTROL_CLIENT_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "daemon/mount_table.h"

namespace shuntfs {

class ControlClient {
 public:
  // PermissionDenied when the daemon is somebody else's; NotFound when no daemon listens.
  static absl::StatusOr<ControlClient> Connect(const MountEntry& entry);

  // The daemon's process, or 0 when it is in a pid namespace that this process cannot see into.
  pid_t daemon_pid() const { return daemon_pid_; }

  // Sends a line. The newline is added.
  absl::Status Ask(const std::string& line);

  // One line without its newline, or all until the daemon closes.
  absl::StatusOr<std::string> ReadLine(int timeout_ms);
  absl::StatusOr<std::string> ReadToEnd(int timeout_ms);
  // For what goes on after a line; does not block.
  int fd() const { return fd_.get(); }

 private:
  ControlClient(UniqueFd fd, pid_t daemon_pid) : fd_(std::move(fd)), daemon_pid_(daemon_pid) {}
  absl::StatusOr<std::string> Read(bool one_line, int timeout_ms);

  UniqueFd fd_;
  pid_t daemon_pid_;
};

// One question, one answer.
absl::StatusOr<std::string> AskDaemon(const MountEntry& entry, const std::string& line,
                                      int timeout_ms);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONTROL_CLIENT_H_
