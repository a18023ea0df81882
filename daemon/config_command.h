// `shuntfs config`: the options in effect, the mistakes in a file, and what is generated from the
// table of options.
//
// Floor 4.
#ifndef SHUNTFS_DAEMON_CONFIG_COMMAND_H_
#define SHUNTFS_DAEMON_CONFIG_COMMAND_H_

#include "config/flags.h"

namespace shuntfs {

int RunConfigCommand(const CommandLine& line);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONFIG_COMMAND_H_
