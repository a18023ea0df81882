#include "config/commands.h"

#include <algorithm>

namespace shuntfs {
namespace {

constexpr FlagSpec kForeground = {
    "foreground", 'f', "foreground", false, "", "stay in the foreground and log to stderr", ""};
constexpr FlagSpec kOptions = {"options", 'o', "", true, "OPTIONS", "mount options, see below", ""};
constexpr FlagSpec kJson = {"json", 0, "json", false, "", "print JSON", ""};
constexpr FlagSpec kWatch = {
    "watch", 'w', "watch", false, "", "show what happens, again and again; q ends it", ""};
constexpr FlagSpec kOp = {
    "op", 0, "op", true, "NAME,...", "these operations alone, as status names them", ""};
constexpr FlagSpec kDead = {
    "dead", 0, "dead", false, "", "only what daemons that died have left; nothing that lives", ""};
constexpr FlagSpec kMountOf = {
    "config", 0, "config", true, "FILE", "the mountpoint that this configuration file names", ""};
constexpr FlagSpec kInterval = {"interval",
                                0,
                                "interval",
                                true,
                                "SECONDS",
                                "time from one --watch to the next (from 0.1 to 3600, default 1)",
                                "the numbers of seconds from 0.1 to 3600"};

constexpr auto kCommands = std::to_array<CommandSpec>({
    {"mount",
     Command::kMount,
     "[SRC MNT]",
     0,
     2,
     "show the directory SRC at the directory MNT",
     {&kForeground, &kOptions},
     true},
    {"umount",
     Command::kUmount,
     "[MNT]",
     0,
     1,
     "end a mount: what is in flight is finished, a busy mount is detached",
     {&kDead, &kMountOf}},
    {"reload", Command::kReload, "MNT", 1, 1, "let a mount read its configuration file again", {}},
    {"status",
     Command::kStatus,
     "[MNT]",
     0,
     1,
     "what a mount does, or which mounts there are",
     {&kJson, &kWatch, &kInterval}},
    {"trace",
     Command::kTrace,
     "MNT",
     1,
     1,
     "print the requests of a mount as they are answered",
     {&kOp}},
    {"config",
     Command::kConfig,
     "show | check FILE | generate WHAT",
     1,
     2,
     "the options in effect and where they come from, or the mistakes in a file",
     {&kOptions, &kJson},
     true,
     "show|check|generate"},
    {"probe",
     Command::kProbe,
     "",
     0,
     0,
     "what this kernel and your privileges allow, with reasons and remedies",
     {&kJson}},
    {"help", Command::kHelp, "[COMMAND]", 0, 1, "this text, or a command's", {}},
    {"version", Command::kVersion, "", 0, 0, "the version", {}},
});

}  // namespace

std::span<const CommandSpec> CommandTable() { return kCommands; }

const CommandSpec* FindCommand(std::string_view name) {
  const auto* it = std::ranges::find(kCommands, name, &CommandSpec::name);
  return it == kCommands.end() ? nullptr : it;
}

std::string FlagName(const OptionSpec& spec) {
  std::string name(spec.name);
  std::ranges::replace(name, '_', '-');
  return name;
}

}  // namespace shuntfs
