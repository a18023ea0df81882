// The commands of `shuntfs` and their flags. The command line, the help, the manual and the
// completions are made from this table; the flags of the options are in option_table.h.
//
// Floor 3. Plain values, any thread.
#ifndef SHUNTFS_CONFIG_COMMANDS_H_
#define SHUNTFS_CONFIG_COMMANDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "config/option_table.h"

namespace shuntfs {

enum class Command : uint8_t {
  kHelp,
  kVersion,
  kMount,
  kUmount,
  kReload,
  kStatus,
  kTrace,
  kConfig,
  kProbe
};

struct FlagSpec {
  std::string_view name;   // Long form, as the user writes it.
  char letter;             // Short form, or 0.
  std::string_view gflag;  // The gflags variable; empty for -o, which may be repeated.
  bool takes_value;
  std::string_view value_help;
  std::string_view help;
  std::string_view allowed;
};

struct CommandSpec {
  std::string_view name;
  Command command;
  std::string_view operands;
  size_t min_operands;
  size_t max_operands;
  std::string_view summary;
  std::array<const FlagSpec*, 3> flags;
  bool takes_options = false;  // Those of the table, each of which is a flag, too.
  // The words that the first operand is one of, between '|'; empty: any.
  std::string_view words = {};
};

std::span<const CommandSpec> CommandTable();

// The command of that name, or null.
const CommandSpec* FindCommand(std::string_view name);

// An option as a flag without its dashes: "memory-budget".
std::string FlagName(const OptionSpec& spec);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_COMMANDS_H_
