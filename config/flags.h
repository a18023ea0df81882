// The command line: `shuntfs COMMAND [FLAGS] OPERANDS`. The one place that uses gflags.
//
// Floor 3. ParseCommandLine sets process-wide flag values on the way: call it on the main thread
// before others exist. It reads the configuration file that it is told of. Errors are
// absl::InvalidArgument with a sentence for the user, one line for each mistake in the file.
//
// The options of option_table.h are flags as well; gflags holds those that are a command's own.
#ifndef SHUNTFS_CONFIG_FLAGS_H_
#define SHUNTFS_CONFIG_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/commands.h"
#include "config/load.h"
#include "config/options.h"

namespace shuntfs {

struct CommandLine {
  Command command = Command::kHelp;
  std::string help_topic;             // Of kHelp: a command's name, or empty.
  bool foreground = false;            // mount -f
  bool json = false;                  // status, probe, config --json
  bool watch = false;                 // status --watch
  double interval_s = 1;              // status --interval
  std::string operations;             // trace --op
  bool dead = false;                  // umount --dead
  ConfigSources sources;              // mount, config: what the options were put together from, and
  Configuration configuration;        // where each comes from, and
  Options options;                    // what they come to.
  std::vector<std::string> operands;  // As many as the command takes.
};

// `arguments` are those after the program's name.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// What `shuntfs help [topic]` prints. An unknown topic gives the overview.
std::string HelpText(const std::string& topic);

// What `shuntfs --version` prints.
std::string VersionText();

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_FLAGS_H_
