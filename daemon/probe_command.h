// `shuntfs probe`: what this kernel and these privileges allow, mode by mode.
//
// Floor 4. Main thread. Returns the exit code; prints on stdout.
#ifndef SHUNTFS_DAEMON_PROBE_COMMAND_H_
#define SHUNTFS_DAEMON_PROBE_COMMAND_H_

#include <string>
#include <vector>

#include "config/flags.h"
#include "daemon/compose.h"

namespace shuntfs {

int RunProbeCommand(const CommandLine& line);

// The two forms of the answer. Pure.
std::string ProbeJson(const std::vector<ModeProbe>& probes);
std::string ProbeLines(const std::vector<ModeProbe>& probes);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_PROBE_COMMAND_H_
