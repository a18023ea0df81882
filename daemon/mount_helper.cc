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
#include "daemon/helper_call.h"
#include "daemon/mount_command.h"
#include "daemon/printable.h"
#include "daemon/remount.h"

namespace shuntfs {
namespace {

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
  if (!line.ok()) {
    PrintErrors(std::string(line.status().message()));
    *exit_code = ExitCodeOf(line.status());
    return absl::OkStatus();
  }
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

int RunMountHelper(const std::vector<std::string>& arguments) {
  const absl::StatusOr<HelperCall> call = ParseHelperCall(arguments);
  int exit_code = kExitOk;
  const absl::Status status = call.ok() ? Run(*call, &exit_code) : call.status();
  if (status.ok()) return exit_code;
  PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

}  // namespace shuntfs
