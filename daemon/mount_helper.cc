#include "daemon/mount_helper.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "config/flags.h"
#include "config/option_table.h"
#include "core/base/unique_fd.h"
#include "daemon/exit_code.h"
#include "daemon/mount_command.h"
#include "daemon/printable.h"
#include "daemon/remount.h"

namespace shuntfs {
namespace {

constexpr std::string_view kUsage =
    "usage: mount.shuntfs SRC MNT [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]";

std::string_view NameOf(std::string_view option) { return option.substr(0, option.find('=')); }

bool IsRemount(const HelperCall& call) {
  return std::ranges::find(call.options, "remount") != call.options.end();
}

absl::Status EnterMountNamespace(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid() && setns(fd.get(), CLONE_NEWNS) == 0) return absl::OkStatus();
  const std::string text =
      absl::StrFormat("the mount namespace %s cannot be entered: %s", path, std::strerror(errno));
  return errno == EPERM || errno == EACCES ? absl::PermissionDeniedError(text)
                                           : absl::FailedPreconditionError(text);
}

absl::Status Run(const HelperCall& call, int* exit_code) {
  *exit_code = kExitOk;
  if (!call.mount_namespace.empty()) {
    if (absl::Status status = EnterMountNamespace(call.mount_namespace); !status.ok())
      return status;
  }
  if (IsRemount(call)) return Remount(call.mountpoint, call.options, call.fake);

  std::vector<std::string> options;
  for (const std::string& option : call.options) {
    if (!call.sloppy || FindOption(NameOf(option)) != nullptr) options.push_back(option);
  }
  const absl::StatusOr<CommandLine> line = ParseCommandLine(
      {"mount", "-o", absl::StrJoin(options, ","), "--", call.source, call.mountpoint});
  if (!line.ok()) return line.status();
  if (!call.fake) *exit_code = RunMountCommand(*line);
  if (call.verbose && *exit_code == kExitOk) {
    std::printf("shuntfs: %s mounted on %s%s.\n", Printable(call.source).c_str(),
                Printable(call.mountpoint).c_str(), call.fake ? " (not really: -f)" : "");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsMountHelper(std::string_view argv0) {
  const std::string_view name = argv0.substr(argv0.rfind('/') + 1);
  return name == "mount.shuntfs" || name == "mount.fuse.shuntfs";
}

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

int RunMountHelper(const std::vector<std::string>& arguments) {
  const absl::StatusOr<HelperCall> call = ParseHelperCall(arguments);
  int exit_code = kExitOk;
  const absl::Status status = call.ok() ? Run(*call, &exit_code) : call.status();
  if (status.ok()) return exit_code;
  PrintErrors(std::string(status.message()));
  return ExitCodeOf(status);
}

}  // namespace shuntfs
