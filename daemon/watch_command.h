// `shuntfs status --watch`: one mount's numbers, again and again.
//
// Floor 4. Main thread. Returns the exit code.
#ifndef SHUNTFS_DAEMON_WATCH_COMMAND_H_
#define SHUNTFS_DAEMON_WATCH_COMMAND_H_

#include "daemon/mount_table.h"

namespace shuntfs {

// Until the user ends it, or the mount goes away.
int WatchMount(const MountEntry& entry, double interval_s);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_WATCH_COMMAND_H_
