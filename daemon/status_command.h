// `shuntfs status`: asks the daemons of the mounts that the mount table shows.
//
// Floor 4. Main thread. Returns the exit code; prints the answer on stdout and what went wrong on
// stderr.
#ifndef SHUNTFS_DAEMON_STATUS_COMMAND_H_
#define SHUNTFS_DAEMON_STATUS_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunStatusCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_STATUS_COMMAND_H_
