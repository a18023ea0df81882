// `shuntfs reload`: asks the daemon of a mount to read its configuration again, and prints what
// came of it.
//
// Floor 4.
#ifndef SHUNTFS_DAEMON_RELOAD_COMMAND_H_
#define SHUNTFS_DAEMON_RELOAD_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunReloadCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_RELOAD_COMMAND_H_
