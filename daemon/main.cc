// Entry point: reads the command line and hands over to the command.
//
// Floor 4.
#include <cstdio>
#include <string>
#include <vector>

#include "config/flags.h"
#include "daemon/config_command.h"
#include "daemon/exit_code.h"
#include "daemon/mount_command.h"
#include "daemon/mount_helper.h"
#include "daemon/printable.h"
#include "daemon/probe_command.h"
#include "daemon/reload_command.h"
#include "daemon/status_command.h"
#include "daemon/trace_command.h"
#include "daemon/umount_command.h"

// Read by jemalloc at start: freed pages go back to the system at once. The data path allocates
// nothing, and what a walk over a large tree took is to be given back when the kernel forgets it,
// not at the next allocation.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:4";
}

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (argc > 0 && shuntfs::IsMountHelper(argv[0])) return shuntfs::RunMountHelper(arguments);
  const absl::StatusOr<shuntfs::CommandLine> line = shuntfs::ParseCommandLine(arguments);
  if (!line.ok()) {
    shuntfs::PrintErrors(std::string(line.status().message()));
    return shuntfs::ExitCodeOf(line.status());
  }
  switch (line->command) {
    case shuntfs::Command::kMount:
      return shuntfs::RunMountCommand(*line);
    case shuntfs::Command::kUmount:
      return shuntfs::RunUmountCommand(*line);
    case shuntfs::Command::kReload:
      return shuntfs::RunReloadCommand(*line);
    case shuntfs::Command::kStatus:
      return shuntfs::RunStatusCommand(*line);
    case shuntfs::Command::kConfig:
      return shuntfs::RunConfigCommand(*line);
    case shuntfs::Command::kTrace:
      return shuntfs::RunTraceCommand(*line);
    case shuntfs::Command::kProbe:
      return shuntfs::RunProbeCommand(*line);
    case shuntfs::Command::kVersion:
      std::fputs(shuntfs::VersionText().c_str(), stdout);
      return shuntfs::kExitOk;
    case shuntfs::Command::kHelp:
      std::fputs(shuntfs::HelpText(line->help_topic).c_str(), stdout);
      return shuntfs::kExitOk;
  }
  return shuntfs::kExitUsage;
}
