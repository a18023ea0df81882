#include "daemon/mount_command.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "daemon/capability.h"
#include "daemon/daemonize.h"
#include "daemon/exit_code.h"
#include "daemon/log_setup.h"
#include "daemon/mount_checks.h"
#include "daemon/mount_session.h"
#include "daemon/policy_setup.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

int Fail(const absl::Status& status) {
  PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

absl::Status CheckPrivileges(const Options& options) {
  if (geteuid() != 0 && options.allow_root) {
    return absl::PermissionDeniedError(
        "option \"allow_root\" is for root's mounts: the kernel knows the mount's owner and "
        "everybody, nothing between; use \"allow_other\" if /etc/fuse.conf says user_allow_other");
  }
  // Others would have root's rights.
  if (geteuid() == 0 && options.allow_other && !CanActForOthers()) {
    return absl::PermissionDeniedError(
        "option \"allow_other\" needs the right to act for others: give CAP_SETUID and CAP_SETGID, "
        "and "
        "allow setgroups(2) where a user namespace denies it");
  }
  return absl::OkStatus();
}

// The daemon ended without a word, so its mount is dead; another daemon's mount is not.
void RemoveMount(const std::string& mountpoint) {
  if (const absl::Status status = RemoveDeadMounts(mountpoint); !status.ok())
    PrintError(std::string(status.message()));
}

}  // namespace

int RunMountCommand(const CommandLine& line) {
  OpenStandardStreams();
  SetUpLog(line.options.log_level);
  if (absl::Status status = CheckPrivileges(line.options); !status.ok()) return Fail(status);
  ResolvedPolicy resolved =
      ResolvePolicy(line.configuration, /*privileged=*/geteuid() == 0, SystemAccounts());
  if (absl::Status status = ToStatus(resolved.mistakes); !status.ok()) {
    PrintErrors(std::string(status.message()));
    return ExitCodeOf(status);
  }
  absl::StatusOr<MountPaths> paths =
      CheckPaths(line.operands[0], line.operands[1], line.options.allow_pseudo_filesystems);
  if (!paths.ok()) return Fail(paths.status());
  if (absl::Status status = CheckFuseDevice(); !status.ok()) return Fail(status);

  const MountRequest request{*std::move(paths), line.options.data_path,     line.options,
                             line.foreground,   std::move(resolved.policy), line.sources,
                             line.configuration};
  if (line.foreground) return RunMountSession(request, ReadyReport());
  DetachHooks hooks;
  hooks.serve = [&request](ReadyReport report) {
    return RunMountSession(request, std::move(report));
  };
  hooks.clean_up = [&request] { RemoveMount(request.paths.mountpoint); };
  return RunDetached(hooks);
}

}  // namespace shuntfs
