// The mount that an operand means.
//
// Floor 4. Asks through child processes where a path may hang.
#ifndef SHUNTFS_DAEMON_OUR_MOUNT_H_
#define SHUNTFS_DAEMON_OUR_MOUNT_H_

#include <string>

#include "absl/status/statusor.h"
#include "daemon/mount_table.h"

namespace shuntfs {

// The entry of the mount table for a path that is a mountpoint of shuntfs, or why it is none.
absl::StatusOr<MountEntry> FindOurMount(const std::string& path);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_OUR_MOUNT_H_
