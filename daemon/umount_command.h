// `shuntfs umount`: asks the daemon to end in order and waits until it has; takes a dead mount
// away.
//
// Floor 4. Main thread, before others exist. Returns the exit code; has printed what went wrong.
#ifndef SHUNTFS_DAEMON_UMOUNT_COMMAND_H_
#define SHUNTFS_DAEMON_UMOUNT_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunUmountCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_UMOUNT_COMMAND_H_
