// What `shuntfs help` says about the options.
//
// Floor 3. Pure, any thread.
#ifndef SHUNTFS_CONFIG_OPTION_HELP_H_
#define SHUNTFS_CONFIG_OPTION_HELP_H_

#include <string>

namespace shuntfs {

// One paragraph per row of the table.
std::string OptionsHelp();

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_OPTION_HELP_H_
