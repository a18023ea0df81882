// Completions of the shells.
#include <string>

#include "absl/strings/str_format.h"
#include "config/commands.h"
#include "config/generate.h"
#include "config/option_table.h"

namespace shuntfs {
namespace {

// "--data-path=" for flags with a value, so that the shell goes on with it.
std::string FlagsOf(const CommandSpec& command) {
  std::string flags = "--help";
  for (const FlagSpec* flag : command.flags) {
    if (flag == nullptr) continue;
    flags += absl::StrFormat(" --%s%s", std::string(flag->name), flag->takes_value ? "=" : "");
    if (flag->letter != 0) flags += absl::StrFormat(" -%c", flag->letter);
  }
  for (const OptionSpec& spec : OptionTable()) {
    if (!command.takes_options || !spec.is_flag()) continue;
    flags += absl::StrFormat(" --%s%s", FlagName(spec), OptionPlaceholder(spec).empty() ? "" : "=");
  }
  return flags;
}

// The words of -o.
std::string ListWords() {
  std::string words;
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.kind == OptionKind::kRefused || spec.places == OptionPlaces::kNotInList) continue;
    if (spec.name.back() == '*') continue;
    words += absl::StrFormat("%s%s%s", words.empty() ? "" : " ", std::string(spec.name),
                             spec.is_flag() && !OptionPlaceholder(spec).empty() ? "=" : "");
  }
  return words;
}

std::string Words(std::string_view between_bars) {
  std::string words;
  for (const std::string_view word : SplitWords(between_bars)) {
    words += (words.empty() ? "" : " ") + std::string(word);
  }
  return words;
}

// A text for the inside of single quotes and of zsh's brackets.
std::string ZshText(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted;
}

std::string ZshFlag(std::string_view name, std::string_view help, std::string_view value,
                    std::string_view action) {
  return absl::StrFormat(
      " \\\n        '--%s[%s]%s'", std::string(name) + (value.empty() ? "" : "="), ZshText(help),
      value.empty() ? "" : absl::StrFormat(":%s:%s", ZshText(value), std::string(action)));
}

std::string ZshFlags(const CommandSpec& command) {
  std::string flags = ZshFlag("help", "what the command does", "", "");
  for (const FlagSpec* flag : command.flags) {
    if (flag == nullptr) continue;
    flags += ZshFlag(flag->name, flag->help, flag->value_help, "");
  }
  for (const OptionSpec& spec : OptionTable()) {
    if (!command.takes_options || !spec.is_flag()) continue;
    std::string action;
    if (!spec.choices.empty()) action = "(" + Words(spec.choices) + ")";
    if (spec.kind == OptionKind::kPath) action = "_files";
    const std::string value = spec.choices.empty() ? OptionPlaceholder(spec) : std::string("WORD");
    flags +=
        ZshFlag(FlagName(spec), spec.help, OptionPlaceholder(spec).empty() ? "" : value, action);
  }
  return flags;
}

}  // namespace

std::string BashCompletion() {
  std::string commands;
  std::string flags;
  std::string first_words;
  std::string values;
  for (const CommandSpec& command : CommandTable()) {
    const std::string name(command.name);
    commands += (commands.empty() ? "" : " ") + name;
    flags += absl::StrFormat("    %s) flags='%s' ;;\n", name, FlagsOf(command));
    if (command.words.empty()) continue;
    first_words += absl::StrFormat("    %s) words='%s' ;;\n", name, Words(command.words));
  }
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.choices.empty() || !spec.is_flag()) continue;
    values += absl::StrFormat("    --%s) words='%s' ;;\n", FlagName(spec), Words(spec.choices));
  }
  // COMP_WORDBREAKS usually has the "=", so that "--a=b" comes as three words.
  return "# bash completion for shuntfs\n"
         "_shuntfs() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local command=${COMP_WORDS[1]} option= flags= words=\n"
         "  COMPREPLY=()\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    COMPREPLY=($(compgen -W '" +
         commands +
         "' -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  if [[ $previous == = ]]; then\n"
         "    option=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  elif [[ $current == = ]]; then\n"
         "    option=$previous current=\n"
         "  elif [[ $previous == -o || $previous == --options ]]; then\n"
         "    option=$previous\n"
         "  fi\n"
         "  if [[ $option == -o || $option == --options ]]; then\n"
         "    local done=\n"
         "    [[ $current == *,* ]] && done=${current%,*},\n"
         "    compopt -o nospace 2>/dev/null\n"
         "    COMPREPLY=($(compgen -P \"$done\" -W '" +
         ListWords() +
         "' -- \"${current##*,}\"))\n"
         "    return\n"
         "  fi\n"
         "  case $option in\n" +
         values +
         "  esac\n"
         "  if [[ -n $option ]]; then\n"
         "    if [[ -n $words ]]; then\n"
         "      COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "    else\n"
         "      COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "    fi\n"
         "    return\n"
         "  fi\n"
         "  case $command in\n" +
         flags +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
         "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
         "    return\n"
         "  fi\n"
         "  case $command in\n" +
         first_words +
         "  esac\n"
         "  if ((COMP_CWORD == 2)) && [[ -n $words ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _shuntfs shuntfs\n";
}

std::string ZshCompletion() {
  std::string commands;
  std::string cases;
  for (const CommandSpec& command : CommandTable()) {
    const std::string name(command.name);
    commands += absl::StrFormat("    '%s:%s'\n", name, ZshText(command.summary));
    std::string operands = "'*:file:_files'";
    if (!command.words.empty()) {
      operands = absl::StrFormat("'2:what:(%s)' '*:file:_files'", Words(command.words));
    }
    std::string list;
    if (command.takes_options) {
      list = " \\\n        '-o[mount options]:OPTIONS:_values -s , option " + ListWords() + "'";
    }
    cases += absl::StrFormat("    %s)\n      _arguments%s%s \\\n        %s\n      ;;\n", name,
                             ZshFlags(command), list, operands);
  }
  return "#compdef shuntfs\n"
         "_shuntfs() {\n"
         "  local -a commands=(\n" +
         commands +
         "  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  case $words[2] in\n" +
         cases +
         "  esac\n"
         "}\n"
         "_shuntfs \"$@\"\n";
}

}  // namespace shuntfs
