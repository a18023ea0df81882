#include "config/flags.h"

#include <gflags/gflags.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "config/commands.h"
#include "config/configuration.h"
#include "config/option_help.h"
#include "config/option_table.h"
#include "config/values.h"

namespace {

bool ValidInterval(const char* /*flag*/, double value) { return value >= 0.1 && value <= 3600; }

}  // namespace

DEFINE_bool(foreground, false, "stay in the foreground and log to stderr");
DEFINE_bool(json, false, "print JSON");
DEFINE_bool(dead, false, "only dead mounts");
DEFINE_string(config, "", "the configuration file of the mount to end");
DEFINE_string(op, "", "operations to trace");
DEFINE_bool(watch, false, "show again and again");
DEFINE_double(interval, 1, "seconds from one --watch to the next");
DEFINE_validator(interval, &ValidInterval);

namespace shuntfs {
namespace {

// An error of one line: only mistakes in files have several.
absl::Status Usage(std::string_view text) { return absl::InvalidArgumentError(OneLine(text)); }

const FlagSpec* FindFlag(const CommandSpec& command, std::string_view name, char letter) {
  for (const FlagSpec* flag : command.flags) {
    if (flag == nullptr) continue;
    if (letter != 0 ? flag->letter == letter : flag->name == name) return flag;
  }
  return nullptr;
}

// The row behind "--memory-budget" or "--memory_budget", or null.
const OptionSpec* FindOptionFlag(const CommandSpec& command, std::string name) {
  if (!command.takes_options) return nullptr;
  std::ranges::replace(name, '-', '_');
  const OptionSpec* spec = FindOption(name);
  return spec != nullptr && spec->is_flag() ? spec : nullptr;
}

absl::Status UnknownFlag(const CommandSpec& command, const std::string& shown,
                         std::string_view name) {
  std::vector<std::string> names;
  for (const FlagSpec* flag : command.flags) {
    if (flag != nullptr) names.emplace_back(flag->name);
  }
  for (const OptionSpec& spec : OptionTable()) {
    if (command.takes_options && spec.is_flag()) names.push_back(FlagName(spec));
  }
  const std::optional<std::string> meant = ClosestWord(name, {names.begin(), names.end()});
  if (meant) {
    return Usage(absl::StrFormat("unknown flag \"%s\" of `shuntfs %s`; did you mean \"--%s\"?",
                                 shown, std::string(command.name), *meant));
  }
  return Usage(absl::StrFormat("unknown flag \"%s\"; `shuntfs help %s` lists the flags", shown,
                               std::string(command.name)));
}

// One command's arguments, from left to right.
class Reader {
 public:
  Reader(const CommandSpec& command, const std::vector<std::string>& arguments, CommandLine* line)
      : command_(command), arguments_(arguments), line_(line) {}

  absl::Status ReadAll(size_t first) {
    bool only_operands = false;
    for (next_ = first; next_ < arguments_.size();) {
      const std::string& argument = arguments_[next_++];
      absl::Status status = absl::OkStatus();
      if (only_operands || argument.size() < 2 || argument[0] != '-') {
        line_->operands.push_back(argument);
      } else if (argument == "--") {
        only_operands = true;
      } else if (argument[1] == '-') {
        status = ReadLong(argument);
      } else {
        status = ReadShort(argument);
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadLong(const std::string& argument) {
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help") {
      AskHelp();
      return absl::OkStatus();
    }
    std::optional<std::string> value;
    if (equals != std::string::npos) value = argument.substr(equals + 1);
    const FlagSpec* flag = FindFlag(command_, name, 0);
    if (flag == nullptr) {
      const OptionSpec* option = FindOptionFlag(command_, name);
      if (option == nullptr) return UnknownFlag(command_, "--" + name, name);
      return SetOption(*option, "--" + name, value);
    }
    if (!flag->takes_value && value) {
      return Usage(absl::StrFormat("flag \"--%s\" takes no value", name));
    }
    return Set(*flag, "--" + name, value);
  }

  // "-f", "-o VALUE", "-oVALUE", "-fo VALUE".
  absl::Status ReadShort(const std::string& argument) {
    for (size_t i = 1; i < argument.size(); ++i) {
      if (argument[i] == 'h') {
        AskHelp();
        continue;
      }
      const std::string shown = std::string("-") + argument[i];
      const FlagSpec* flag = FindFlag(command_, "", argument[i]);
      if (flag == nullptr) return UnknownFlag(command_, shown, argument.substr(1));
      std::optional<std::string> value;
      if (flag->takes_value && i + 1 < argument.size()) value = argument.substr(i + 1);
      if (absl::Status status = Set(*flag, shown, value); !status.ok()) return status;
      if (flag->takes_value) break;
    }
    return absl::OkStatus();
  }

  absl::Status Set(const FlagSpec& flag, const std::string& shown,
                   std::optional<std::string> value) {
    if (flag.takes_value && !value) {
      if (next_ == arguments_.size()) {
        return Usage(
            absl::StrFormat("flag \"%s\" needs a value (%s)", shown, std::string(flag.value_help)));
      }
      value = arguments_[next_++];
    }
    if (flag.gflag.empty()) return ParseOptionList(*value, &line_->sources.list);
    const std::string text = flag.takes_value ? *value : "true";
    if (gflags::SetCommandLineOption(std::string(flag.gflag).c_str(), text.c_str()).empty()) {
      return Usage(absl::StrFormat("flag \"%s\" is \"%s\"; it is one of %s", shown, text,
                                   std::string(flag.allowed)));
    }
    return absl::OkStatus();
  }

  absl::Status SetOption(const OptionSpec& spec, const std::string& shown,
                         std::optional<std::string> value) {
    const bool is_switch = OptionPlaceholder(spec).empty();
    if (!value && !is_switch && next_ < arguments_.size()) value = arguments_[next_++];
    Origin origin;
    origin.kind = Origin::Kind::kFlag;
    origin.flag = shown;
    const absl::Status status =
        AddSetting(spec, value ? &*value : nullptr, origin, &line_->sources.flags);
    if (status.ok()) return status;
    return Usage(absl::StrFormat("flag \"%s\" %s", shown, std::string(status.message())));
  }

  void AskHelp() {
    line_->command = Command::kHelp;
    line_->help_topic = std::string(command_.name);
  }

  const CommandSpec& command_;
  const std::vector<std::string>& arguments_;
  CommandLine* line_;
  size_t next_ = 0;
};

absl::Status CheckOperands(const CommandSpec& command, const CommandLine& line) {
  const size_t count = line.operands.size();
  if (count >= command.min_operands && count <= command.max_operands) return absl::OkStatus();
  if (count > command.max_operands) {
    return Usage(
        absl::StrFormat("`shuntfs %s` takes %s; \"%s\" is too much", std::string(command.name),
                        command.operands.empty() ? "no operands" : std::string(command.operands),
                        line.operands[command.max_operands]));
  }
  return Usage(absl::StrFormat("`shuntfs %s` needs %s; `shuntfs help %s` tells more",
                               std::string(command.name), std::string(command.operands),
                               std::string(command.name)));
}

// The file may be named by the flag or in -o; where the daemon will be, a relative name means
// nothing.
std::string ConfigFileOf(const ConfigSources& sources) {
  Configuration said;
  said.Add(sources.list);
  said.Add(sources.flags);
  const std::string file = said.ToOptions().config_file;
  return file.empty() ? file : std::filesystem::absolute(file).string();
}

void AddOperands(CommandLine* line) {
  const std::array<std::string_view, 2> names = {"source", "mountpoint"};
  for (size_t i = 0; i < line->operands.size(); ++i) {
    Setting setting{FindOption(names[i]), {}, {}};
    setting.value.text = line->operands[i];
    setting.origin.kind = Origin::Kind::kOperand;
    line->sources.flags.push_back(setting);
  }
}

// Reads the file and puts all settings together.
absl::Status FindOptions(CommandLine* line) {
  line->sources.file = ConfigFileOf(line->sources);
  line->sources.for_root = geteuid() == 0;
  LoadedConfig loaded = LoadConfig(line->sources);
  if (absl::Status status = ToStatus(loaded.mistakes); !status.ok()) return status;
  line->configuration = std::move(loaded.configuration);
  line->options = line->configuration.ToOptions();
  return absl::OkStatus();
}

absl::Status FindMountOptions(CommandLine* line) {
  const bool named = !line->operands.empty();
  if (line->operands.size() == 1) {
    return Usage(
        "`shuntfs mount` needs SRC MNT, or a file that names both (--config); `shuntfs "
        "help mount` tells more");
  }
  AddOperands(line);
  if (absl::Status status = FindOptions(line); !status.ok()) return status;
  if (named) return absl::OkStatus();
  for (const auto& [name, value] : {std::pair("source", line->options.source),
                                    std::pair("mountpoint", line->options.mountpoint)}) {
    if (value.empty()) {
      return Usage(absl::StrFormat(
          "`shuntfs mount` needs SRC MNT: there are no operands, and %s names no %s",
          line->sources.file.empty() ? "no file (--config)" : line->sources.file, name));
    }
    line->operands.push_back(value);
  }
  return absl::OkStatus();
}

// MNT, or what `file` names: other mistakes in it do not keep a mount from being ended.
absl::Status FindMountpoint(const std::string& file, CommandLine* line) {
  if (file.empty() == line->operands.empty())
    return Usage("`shuntfs umount` needs MNT, or a file that names it (--config), and not both");
  if (file.empty()) return absl::OkStatus();
  ConfigSources sources;
  sources.file = std::filesystem::absolute(file).string();
  sources.for_root = geteuid() == 0;
  const LoadedConfig loaded = LoadConfig(sources);
  const std::string mountpoint = loaded.configuration.ToOptions().mountpoint;
  if (mountpoint.empty()) {
    if (absl::Status status = ToStatus(loaded.mistakes); !status.ok()) return status;
    return Usage(absl::StrFormat("%s names no mountpoint", sources.file));
  }
  line->operands.push_back(mountpoint);
  return absl::OkStatus();
}

// What `shuntfs config` is asked for, each with as many words as it needs.
absl::Status CheckConfigWords(const CommandSpec& command, CommandLine* line) {
  const std::string& word = line->operands[0];
  const std::vector<std::string_view> words = SplitWords(command.words);
  if (std::ranges::find(words, word) == words.end()) {
    return Usage(absl::StrFormat("`shuntfs config` takes %s, not \"%s\"",
                                 std::string(command.operands), word));
  }
  if ((word == "show") != (line->operands.size() == 1)) {
    return Usage(word == "show"
                     ? "`shuntfs config show` takes no operands; --source and "
                       "--mountpoint name what operands name elsewhere"
                     : absl::StrFormat("`shuntfs config` takes %s", std::string(command.operands)));
  }
  return word == "show" ? FindOptions(line) : absl::OkStatus();
}

absl::Status UnknownCommand(const std::string& name) {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : CommandTable()) names.push_back(command.name);
  const std::optional<std::string> meant = ClosestWord(name, names);
  return Usage(
      meant ? absl::StrFormat("unknown command \"%s\"; did you mean \"%s\"?", name, *meant)
            : absl::StrFormat("unknown command \"%s\"; `shuntfs help` lists the commands", name));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  if (arguments.empty()) {
    return Usage("a command is missing; `shuntfs help` lists the commands");
  }
  const std::string& first = arguments[0];
  if (first == "-h" || first == "--help") return line;
  if (first == "-v" || first == "-V" || first == "--version") {
    line.command = Command::kVersion;
    return line;
  }
  const CommandSpec* command = FindCommand(first);
  if (command == nullptr) return UnknownCommand(first);
  line.command = command->command;

  gflags::SetCommandLineOption("foreground", "false");
  gflags::SetCommandLineOption("json", "false");
  gflags::SetCommandLineOption("watch", "false");
  gflags::SetCommandLineOption("op", "");
  gflags::SetCommandLineOption("dead", "false");
  gflags::SetCommandLineOption("config", "");
  gflags::SetCommandLineOption("interval", "1");
  if (absl::Status status = Reader(*command, arguments, &line).ReadAll(1); !status.ok()) {
    return Usage({status.message().data(), status.message().size()});
  }
  if (line.command == Command::kHelp && command->command != Command::kHelp) return line;
  if (absl::Status status = CheckOperands(*command, line); !status.ok()) return status;
  if (line.command == Command::kMount) {
    if (absl::Status status = FindMountOptions(&line); !status.ok()) return status;
  }
  if (line.command == Command::kUmount) {
    if (absl::Status status = FindMountpoint(FLAGS_config, &line); !status.ok()) return status;
  }
  if (line.command == Command::kConfig) {
    if (absl::Status status = CheckConfigWords(*command, &line); !status.ok()) return status;
  }
  if (line.command == Command::kHelp && !line.operands.empty()) {
    line.help_topic = line.operands[0];
  }
  line.foreground = FLAGS_foreground;
  line.json = FLAGS_json;
  line.watch = FLAGS_watch;
  line.interval_s = FLAGS_interval;
  line.operations = FLAGS_op;
  line.dead = FLAGS_dead;
  if (line.json && line.watch)
    return Usage("flags \"--json\" and \"--watch\" exclude each other; give one of them");
  return line;
}

std::string HelpText(const std::string& topic) {
  const CommandSpec* command = FindCommand(topic);
  std::string text;
  if (command == nullptr) {
    text = "Shows a directory at another place, through FUSE, fast.\n\nusage:\n";
    for (const CommandSpec& each : CommandTable()) {
      text += absl::StrFormat(
          "  shuntfs %-18s %s\n",
          absl::StrFormat("%s %s", std::string(each.name), std::string(each.operands)),
          std::string(each.summary));
    }
    return text + "\n`shuntfs help COMMAND` lists a command's flags and options.\n";
  }
  const auto count = std::count_if(command->flags.begin(), command->flags.end(),
                                   [](const FlagSpec* flag) { return flag != nullptr; });
  text = absl::StrFormat("usage: shuntfs %s%s %s\n\n%s.\n", std::string(command->name),
                         count > 0 ? " [FLAGS]" : "", std::string(command->operands),
                         std::string(command->summary));
  if (count > 0) text += "\nflags:\n";
  for (const FlagSpec* flag : command->flags) {
    if (flag == nullptr) continue;
    std::string left = flag->letter != 0 ? absl::StrFormat("-%c, ", flag->letter) : "    ";
    left += "--" + std::string(flag->name);
    if (flag->takes_value) left += "=" + std::string(flag->value_help);
    text += absl::StrFormat("  %-24s %s\n", left, std::string(flag->help));
  }
  if (command->takes_options) {
    text +=
        "\noptions, separated by commas (\"\\,\" is a comma inside a value), or each as a flag\n"
        "(--memory-budget=128M, --ro):\n" +
        OptionsHelp();
  }
  if (command->command == Command::kMount) {
    text +=
        "\nexit codes: 0 mounted, 1 wrong usage or no permission, 2 the system lacks something,\n"
        "32 the mount failed.\n";
  }
  return text;
}

std::string VersionText() { return "shuntfs 0.1.0\n"; }

}  // namespace shuntfs
