// The keys of a configuration file as settings, and every mistake in it. The one place that uses
// toml++.
//
// Floor 3. Pure, any thread.
#ifndef SHUNTFS_CONFIG_TOML_SETTINGS_H_
#define SHUNTFS_CONFIG_TOML_SETTINGS_H_

#include <string>
#include <vector>

#include "config/configuration.h"

namespace shuntfs {

// Something wrong in a configuration file.
struct Mistake {
  std::string file;  // Empty: it was not in a file.
  int line = 0;      // 0: the file as a whole.
  std::string key;   // Empty: the line as a whole.
  std::string text;

  // "FILE:LINE: KEY: TEXT", or "option "KEY" TEXT"
  std::string ToString() const;
};

// Adds what `text`, the content of `file`, says. What is wrong is left out and told in `mistakes`,
// in the order of the lines.
void ParseToml(const std::string& file, const std::string& text, std::vector<Setting>* settings,
               std::vector<Mistake>* mistakes);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_TOML_SETTINGS_H_
