#include "daemon/control_protocol.h"

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
  if (line == "stop") return ControlCommand::kStop;
  return ControlCommand::kUnknown;
}

std::vector<std::string> ControlSocketPaths(uid_t owner, uint32_t major, uint32_t minor,
                                            const std::string& runtime_dir) {
  const std::string name = absl::StrFormat("%d-%d.sock", major, minor);
  if (owner == 0) return {"/run/shuntfs/" + name};
  std::vector<std::string> paths;
  if (!runtime_dir.empty() && runtime_dir[0] == '/') {
    paths.push_back(absl::StrFormat("%s/shuntfs/%s", runtime_dir, name));
  }
  const std::string usual = absl::StrFormat("/run/user/%d/shuntfs/%s", owner, name);
  if (paths.empty() || paths[0] != usual) paths.push_back(usual);
  paths.push_back(absl::StrFormat("/tmp/shuntfs-%d/%s", owner, name));
  return paths;
}

}  // namespace shuntfs
