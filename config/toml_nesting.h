// A bound on the nesting of a TOML text, checked before the parser, which recurses, sees it.
//
// Floor 3. Pure, any thread.
#ifndef SHUNTFS_CONFIG_TOML_NESTING_H_
#define SHUNTFS_CONFIG_TOML_NESTING_H_

#include <string_view>

namespace shuntfs {

// No option is a section or a list, so a configuration file needs a few dots, in numbers. Each dot
// and each opening bracket outside strings and comments can add one level.
inline constexpr int kMaxTomlLevels = 256;

// The line in which the text exceeds kMaxTomlLevels dots and opening brackets; 0: it does not.
// Where the text is no TOML, this holds for what precedes the first mistake.
int LineOfExcessNesting(std::string_view text);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_TOML_NESTING_H_
