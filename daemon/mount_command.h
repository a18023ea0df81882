// `shuntfs mount`: checks, then serves here (-f) or in a daemon.
//
// Floor 4. Main thread, before others exist. Returns the exit code; has printed what went wrong.
#ifndef SHUNTFS_DAEMON_MOUNT_COMMAND_H_
#define SHUNTFS_DAEMON_MOUNT_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunMountCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_COMMAND_H_
