// Settings with their origins, and the options that they come to.
//
// Floor 3. Plain values, any thread. Precedence is the caller's: what is added later wins.
#ifndef SHUNTFS_CONFIG_CONFIGURATION_H_
#define SHUNTFS_CONFIG_CONFIGURATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "config/option_table.h"
#include "config/options.h"

namespace shuntfs {

// Who said it.
struct Origin {
  enum class Kind : uint8_t { kDefault, kFile, kOptionList, kFlag, kOperand };
  Kind kind = Kind::kDefault;
  std::string file;  // Of kFile.
  int line = 0;
  std::string flag;                 // Of kFlag, as it was written.
  std::string_view shorthand = {};  // The option that stood for this one, if one did.

  // "default", "/etc/shuntfs/a.toml:3", "-o", "--ro", "operand"; "-o (cache)".
  std::string ToString() const;
};

// One option of the table, set by somebody.
struct Setting {
  const OptionSpec* spec = nullptr;
  OptionValue value;
  Origin origin;
};

// Two options that are each valid alone.
struct Conflict {
  std::string name;   // The one to change, if it was given,
  std::string other;  // or else this one.
  std::string text;   // "contradicts ...; give one of them"
};

class Configuration {
 public:
  // The settings of one place, in the order in which they were given: a file, -o, the flags.
  void Add(const std::vector<Setting>& settings);

  // Null where the default holds.
  const Setting* Find(std::string_view name) const;

  Options ToOptions() const;

 private:
  void Put(const Setting& setting);

  std::map<std::string_view, Setting> settings_;
};

// A setting from a name and a text, as -o and flags have them; `text` is null when there was no
// value. Nothing is added for options without effect. The error is about the value, and begins
// where the option's name ends.
absl::Status AddSetting(const OptionSpec& spec, const std::string* text, const Origin& origin,
                        std::vector<Setting>* settings);

// Adds what `text` ("a,b=c"; "\," is a comma and "\\" a backslash inside a value) says.
absl::Status ParseOptionList(std::string_view text, std::vector<Setting>* settings);

std::vector<Conflict> FindConflicts(const Options& options);

// The name in quotes, and the name that was probably meant: ""a"; did you mean "b"?".
std::string NearestOption(std::string_view name, bool in_file);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_CONFIGURATION_H_
