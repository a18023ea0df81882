#include "daemon/control_protocol.h"

#include <charconv>
#include <optional>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

struct SocketNumbers {
  uint32_t major = 0;
  uint32_t minor = 0;
  pid_t pid = 0;
};

// The numbers that ControlSocketName() makes this name of.
std::optional<SocketNumbers> ParseSocketName(std::string_view name) {
  SocketNumbers numbers;
  const char* const end = name.data() + name.size();
  const auto [major_end, major_error] = std::from_chars(name.data(), end, numbers.major);
  if (major_error != std::errc() || major_end == end) return std::nullopt;
  const auto [minor_end, minor_error] = std::from_chars(major_end + 1, end, numbers.minor);
  if (minor_error != std::errc() || minor_end == end) return std::nullopt;
  const auto [pid_end, pid_error] = std::from_chars(minor_end + 1, end, numbers.pid);
  if (pid_error != std::errc() || numbers.pid < 0) return std::nullopt;
  if (ControlSocketName(numbers.major, numbers.minor, numbers.pid) != name) return std::nullopt;
  return numbers;
}

}  // namespace

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

bool IsControlSocketName(std::string_view name) { return ParseSocketName(name).has_value(); }

bool IsControlSocketName(std::string_view name, uint32_t major, uint32_t minor) {
  const std::optional<SocketNumbers> numbers = ParseSocketName(name);
  return numbers && numbers->major == major && numbers->minor == minor;
}

}  // namespace shuntfs
