// Everything that makes a mount impossible and can be known before mounting, each with its own
// sentence: the thing, the reason, the remedy. Also takes away what a killed daemon left at the
// mountpoint.
//
// Floor 4. Main thread, before others exist (it asks through child processes).
#ifndef SHUNTFS_DAEMON_MOUNT_CHECKS_H_
#define SHUNTFS_DAEMON_MOUNT_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

// Canonical paths of two directories that do not contain each other.
struct MountPaths {
  std::string source;
  std::string mountpoint;
};

absl::StatusOr<MountPaths> CheckPaths(const std::string& source, const std::string& mountpoint,
                                      bool allow_pseudo_filesystems);

// The directories that `paths` named when they were checked, open (O_PATH), to act on: who may
// rename directories on the way can put others, or symbolic links, in their place.
// FailedPrecondition: that happened, or one contains the other by now.
struct OpenMountPaths {
  UniqueFd source;
  UniqueFd mountpoint;
};

absl::StatusOr<OpenMountPaths> OpenPaths(const MountPaths& paths);

// Takes dead mounts of ours off `mountpoint`, which is canonical, down to what lives or is not
// ours. OK where there are none.
absl::Status RemoveDeadMounts(const std::string& mountpoint);

// Whether /dev/fuse is there and may be opened.
absl::Status CheckFuseDevice();

// Pure part of CheckPaths: neither may be, contain, or lie in the other.
absl::Status CheckContainment(const std::string& source, const std::string& mountpoint);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_CHECKS_H_
