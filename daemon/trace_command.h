// `shuntfs trace MNT`: prints requests as their daemon answers them.
//
// Floor 4. Main thread. Returns the exit code.
#ifndef SHUNTFS_DAEMON_TRACE_COMMAND_H_
#define SHUNTFS_DAEMON_TRACE_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunTraceCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_TRACE_COMMAND_H_
