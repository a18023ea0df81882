// Manual pages, completions and the example file, from the tables of options and commands.
//
// Floor 3. Pure, any thread.
#ifndef SHUNTFS_CONFIG_GENERATE_H_
#define SHUNTFS_CONFIG_GENERATE_H_

#include <optional>
#include <string>
#include <string_view>

namespace shuntfs {

// What can be asked for.
inline constexpr std::string_view kGenerated = "man8, man5, bash, zsh, example";

// Nothing when `what` is not one of them.
std::optional<std::string> Generate(std::string_view what);

// One each, in the files of their names.
std::string ManualOfCommand();  // shuntfs(8), manual.cc
std::string ManualOfFile();     // shuntfs.toml(5), manual.cc
std::string BashCompletion();   // completion.cc
std::string ZshCompletion();    // completion.cc
std::string ExampleFile();      // example.cc

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_GENERATE_H_
