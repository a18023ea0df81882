// `mount -o remount,...` on a mount of ours: what the kernel lets change on a FUSE file system
// while it is mounted, which is the flags of mount(2) and nothing that the daemon was started with.
//
// Floor 4. PlanRemount is pure; Remount may be called from any thread.
#ifndef SHUNTFS_DAEMON_REMOUNT_H_
#define SHUNTFS_DAEMON_REMOUNT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace shuntfs {

struct RemountPlan {
  unsigned long flags = 0;             // Of mount(2), MS_REMOUNT among them.
  std::vector<std::string> unchanged;  // Options that a remount cannot change.
};

// `options`: all that are to hold from now on, as mount(8) gathers them from the command line,
// fstab and the mount table. Of two that contradict each other the last one counts.
RemountPlan PlanRemount(const std::vector<std::string>& options);

// Names on stderr what a remount does not change.
absl::Status Remount(const std::string& mountpoint, const std::vector<std::string>& options,
                     bool fake);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_REMOUNT_H_
