#include "daemon/control_protocol.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace shuntfs {

ControlCommand ParseControlCommand(std::string_view received) {
  const size_t newline = received.find('\n');
  if (newline == std::string_view::npos) {
    return received.size() >= kMaxControlLine ? ControlCommand::kTooLong
                                              : ControlCommand::kIncomplete;
  }
  if (newline >= kMaxControlLine) return ControlCommand::kTooLong;
  const std::string_view line = received.substr(0, newline);
  if (line == "ping") return ControlCommand::kPing;
  if (line == "status") return ControlCommand::kStatus;
  if (line == "reload") return ControlCommand::kReload;
  if (line == "trace" || line.starts_with("trace ")) return ControlCommand::kTrace;
  if (line == "stop") return ControlCommand::kStop;
  return ControlCommand::kUnknown;
}

std::string_view ControlArgument(std::string_view received) {
  const std::string_view line = received.substr(0, received.find('\n'));
  const size_t space = line.find(' ');
  return space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
}

std::vector<std::string> ControlSocketDirectories(uid_t owner, const std::string& runtime_dir) {
  if (owner == 0) return {"/run/shuntfs"};
  std::vector<std::string> directories;
  if (!runtime_dir.empty() && runtime_dir[0] == '/')
    directories.push_back(runtime_dir + "/shuntfs");
  const std::string usual = absl::StrFormat("/run/user/%d/shuntfs", owner);
  if (directories.empty() || directories[0] != usual) directories.push_back(usual);
  directories.push_back(absl::StrFormat("/tmp/shuntfs-%d", owner));
  return directories;
}

std::string ControlSocketName(uint32_t major, uint32_t minor, pid_t pid) {
  return absl::StrFormat("%d-%d-%d.sock", major, minor, pid);
}

bool IsControlSocketName(std::string_view name) {
  constexpr std::string_view kEnd = ".sock";
  if (!name.ends_with(kEnd)) return false;
  name.remove_suffix(kEnd.size());
  return std::ranges::count(name, '-') == 2 &&
         name.find_first_not_of("0123456789-") == std::string_view::npos;
}

bool IsControlSocketName(std::string_view name, uint32_t major, uint32_t minor) {
  const std::string prefix = absl::StrFormat("%d-%d-", major, minor);
  return name.starts_with(prefix) && name.ends_with(".sock");
}

}  // namespace shuntfs
