#include "daemon/helper_call.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

constexpr std::string_view kUsage =
    "usage: mount.shuntfs SRC MNT [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]";

}  // namespace

std::vector<std::string> SplitMountOptions(std::string_view list) {
  std::vector<std::string> options;
  std::string option;
  bool quoted = false;
  const auto finish = [&] {
    if (!option.empty()) options.push_back(option);
    option.clear();
  };
  for (size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted) {
      if (c == ',' || c == '\\') option += '\\';
      option += c;
    } else if (c == '\\' && i + 1 < list.size()) {
      option += c;
      option += list[++i];
    } else if (c == ',') {
      finish();
    } else {
      option += c;
    }
  }
  finish();
  return options;
}

absl::StatusOr<HelperCall> ParseHelperCall(const std::vector<std::string>& arguments) {
  HelperCall call;
  std::vector<std::string> operands;
  const auto usage = [](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrFormat("%s; %s", what, std::string(kUsage)));
  };
  bool only_operands = false;
  for (size_t next = 0; next < arguments.size();) {
    const std::string& argument = arguments[next++];
    if (only_operands || argument.size() < 2 || argument[0] != '-') {
      operands.push_back(argument);
      continue;
    }
    if (argument == "--") {
      only_operands = true;
      continue;
    }
    for (size_t i = 1; i < argument.size(); ++i) {
      const char letter = argument[i];
      if (letter == 's') call.sloppy = true;
      if (letter == 'f') call.fake = true;
      if (letter == 'v') call.verbose = true;
      // -n: there is no mtab to leave alone.
      if (std::string_view("sfvn").find(letter) != std::string_view::npos) continue;
      if (std::string_view("Nto").find(letter) == std::string_view::npos)
        return usage(absl::StrFormat("unknown flag \"-%c\"", letter));
      std::string value = argument.substr(i + 1);
      if (value.empty()) {
        if (next == arguments.size())
          return usage(absl::StrFormat("flag \"-%c\" needs a value", letter));
        value = arguments[next++];
      }
      if (letter == 'N') call.mount_namespace = value;
      if (letter == 'o')
        std::ranges::copy(SplitMountOptions(value), std::back_inserter(call.options));
      // -t: whichever of our two names, the mount is the same.
      break;
    }
  }
  if (operands.size() != 2) return usage("a source and a mountpoint are needed");
  call.source = operands[0];
  call.mountpoint = operands[1];
  return call;
}

}  // namespace shuntfs
