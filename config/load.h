// Everything that is said about a mount, put together in the order of precedence: flag > -o > file
// with its drop-ins > default.
//
// Floor 3. Reads files; any thread.
#ifndef SHUNTFS_CONFIG_LOAD_H_
#define SHUNTFS_CONFIG_LOAD_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "config/configuration.h"
#include "config/toml_settings.h"

namespace shuntfs {

// What does not change when the file is read again.
struct ConfigSources {
  std::string file;            // Empty: none.
  std::vector<Setting> list;   // -o
  std::vector<Setting> flags;  // with the operands
  bool for_root = false;       // Whether root's rights hang on the file.
};

struct LoadedConfig {
  Configuration configuration;
  std::vector<Mistake> mistakes;  // In the files; the configuration counts only without any.
};

LoadedConfig LoadConfig(const ConfigSources& sources);

// A mistake in the value of the option `key`: puts file and line where it was set, if in a file.
void LocateMistake(const Configuration& configuration, Mistake* mistake);

// The text as one line: a newline in it, as names may have, is written \012.
std::string OneLine(std::string_view text);

// One line for each mistake, or OK.
absl::Status ToStatus(const std::vector<Mistake>& mistakes);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_LOAD_H_
