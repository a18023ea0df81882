// The identity of one mount, which no other mount ever has.
//
// Floor 4. Plain values; any thread. The kernel gives a device number (MAJOR:MINOR) and a mount id
// to a new mount as soon as the old one is gone, and a path can be mounted over. So whoever acts on
// a mount opens its root, compares the identity, and acts on what it has open. Nothing here sends a
// request to the mount's file system, so nothing waits for it. See statx(2), STATX_MNT_ID_UNIQUE
// (Linux 6.8), and proc_pid_fdinfo(5).
#ifndef SHUNTFS_DAEMON_MOUNT_IDENTITY_H_
#define SHUNTFS_DAEMON_MOUNT_IDENTITY_H_

#include <fcntl.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "daemon/mount_table.h"

namespace shuntfs {

struct MountIdentity {
  // 0 where the kernel does not tell: before Linux 6.8, and on a mount that only its owner enters.
  uint64_t unique_id = 0;
  uint64_t mount_id = 0;  // As mountinfo shows it; given away again.
  uint32_t major = 0;
  uint32_t minor = 0;

  // Whether both mean the same mount, as far as both kernels' answers go.
  bool Matches(const MountIdentity& other) const;
};

struct OpenMount {
  UniqueFd root;  // O_PATH. While it is open, only a lazy unmount succeeds.
  MountIdentity identity;
};

// The mount that a path walk meets at `mountpoint`, whose last component is not followed. A
// relative path begins at the directory `directory_fd`.
absl::StatusOr<OpenMount> OpenMountAt(const std::string& mountpoint, int directory_fd = AT_FDCWD);

// The mount that `entry` of the mount table stands for. NotFound: another mount is there by now, or
// none.
absl::StatusOr<OpenMount> OpenMountOf(const MountEntry& entry);

// The same, not kept open.
absl::StatusOr<MountIdentity> IdentityOf(const MountEntry& entry);

// Whether the mount is still in this process's mount namespace, covered by another or not. True
// when the mount table cannot be read.
bool IsMounted(const MountIdentity& identity);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_IDENTITY_H_
