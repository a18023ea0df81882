#include "daemon/mount_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/daemonize.h"
#include "daemon/exit_code.h"
#include "daemon/log_setup.h"
#include "daemon/mount_checks.h"
#include "daemon/mount_session.h"
#include "daemon/mount_table.h"
#include "daemon/path_probe.h"
#include "daemon/unmount.h"

namespace shuntfs {
namespace {

constexpr int kProofTimeoutMs = 10 * 1000;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "shuntfs: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

absl::Status CheckPrivileges(const Options& options) {
  if (geteuid() != 0 && options.allow_root) {
    return absl::PermissionDeniedError(
        "option \"allow_root\" is for root's mounts: the kernel knows the mount's owner and "
        "everybody, nothing between; use \"allow_other\" if /etc/fuse.conf says user_allow_other");
  }
  return absl::OkStatus();
}

std::string Prove(const std::string& mountpoint) {
  const int error = ProbePath(mountpoint, kProofTimeoutMs);
  if (error == 0) return "";
  if (error == ETIMEDOUT) {
    return absl::StrFormat("the mount at %s does not answer within %d s; it was ended", mountpoint,
                           kProofTimeoutMs / 1000);
  }
  return absl::StrFormat("the mount at %s answers with an error: %s; it was ended", mountpoint,
                         std::strerror(error));
}

// Nothing of ours was at the mountpoint before, so what is there now is the failed attempt's.
void RemoveMount(const std::string& mountpoint) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return;
  const MountEntry* entry = FindMount(*table, mountpoint);
  if (entry != nullptr && entry->IsShuntfs()) Unmount(mountpoint, /*lazy=*/true);
}

}  // namespace

int RunMountCommand(const CommandLine& line) {
  OpenStandardStreams();
  SetUpLog(line.options.log_level);
  if (absl::Status status = CheckPrivileges(line.options); !status.ok()) return Fail(status);
  absl::StatusOr<MountPaths> paths = CheckPaths(line.operands[0], line.operands[1]);
  if (!paths.ok()) return Fail(paths.status());
  if (absl::Status status = CheckFuseDevice(); !status.ok()) return Fail(status);

  const MountRequest request{*std::move(paths), line.options.data_path, line.options};
  if (line.foreground) return RunMountSession(request, ReadyReport());
  DetachHooks hooks;
  hooks.serve = [&request](ReadyReport report) {
    return RunMountSession(request, std::move(report));
  };
  hooks.prove = [&request] { return Prove(request.paths.mountpoint); };
  hooks.clean_up = [&request] { RemoveMount(request.paths.mountpoint); };
  return RunDetached(hooks);
}

}  // namespace shuntfs
