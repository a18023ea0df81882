#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "daemon/control_protocol.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

void CheckCommand(std::string_view received) {
  const ControlCommand command = ParseControlCommand(received);
  const size_t newline = received.find('\n');
  if (command == ControlCommand::kIncomplete) {
    Require(newline == received.npos && received.size() < kMaxControlLine,
            "a whole line, and a line that is too long, are complete");
  } else if (command != ControlCommand::kTooLong) {
    Require(newline < kMaxControlLine, "a command is a line of bounded length");
    Require(ParseControlCommand(received.substr(0, newline + 1)) == command,
            "after the first newline nothing counts");
    Require(ParseControlCommand(received.substr(0, newline)) == ControlCommand::kIncomplete,
            "before the newline nothing is asked");
  }
  const std::string_view argument = ControlArgument(received);
  Require(argument.find('\n') == argument.npos, "an argument is of one line");
  Require(argument.size() < std::max<size_t>(received.size(), 1), "an argument is behind a word");
}

void CheckName(std::string_view name) {
  const bool is_name = IsControlSocketName(name);
  if (is_name) {
    Require(name.find('/') == name.npos && name.find('\0') == name.npos && name.size() < 64,
            "a socket's name is one short component");
  }
  for (const auto& [major, minor] : {std::array{0U, 42U}, std::array{0U, 4U}}) {
    if (!IsControlSocketName(name, major, minor)) continue;
    Require(is_name, "a connection's socket is a socket");
    Require(!IsControlSocketName(name, major, minor + 1), "a socket is of one connection");
  }
}

}  // namespace

void CheckControl(std::string_view input) {
  CheckCommand(input);
  CheckName(input);
  CheckName("0-42-" + std::string(input) + ".sock");
  uint32_t number = 0;
  for (const char c : input) number = number * 31 + static_cast<unsigned char>(c);
  const auto pid = static_cast<pid_t>(number & 0x3fffff);
  const std::string made = ControlSocketName(number >> 20, number & 0xfffff, pid);
  Require(IsControlSocketName(made) && IsControlSocketName(made, number >> 20, number & 0xfffff),
          "a name that is given is a name");
  for (const std::string& directory : ControlSocketDirectories(1000, std::string(input)))
    Require(directory.starts_with('/'), "a directory of sockets has an absolute path");
}

}  // namespace shuntfs::parsers
