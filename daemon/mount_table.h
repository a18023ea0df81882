// The kernel's list of mounts, from /proc/self/mountinfo. Reading it never touches the mounts
// themselves, so it cannot hang on one that does not answer.
//
// Floor 4. Plain values, any thread.
#ifndef SHUNTFS_DAEMON_MOUNT_TABLE_H_
#define SHUNTFS_DAEMON_MOUNT_TABLE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace shuntfs {

// What mountinfo shows for our mounts.
inline constexpr std::string_view kMountType = "fuse.shuntfs";

struct MountEntry {
  uint64_t id = 0;  // STATX_MNT_ID; the kernel gives it away again.
  uint32_t major = 0;
  uint32_t minor = 0;  // Of a FUSE mount: the connection's number below /sys/fs/fuse/connections.
  std::string mountpoint;
  std::string type;
  std::string source;
  std::string super_options;

  bool IsShuntfs() const { return type == kMountType; }
  // user_id= of a FUSE mount: who mounted it.
  std::optional<uid_t> OwnerUid() const;
};

using MountTable = std::vector<MountEntry>;

// Lines that are not of mountinfo's form are left out.
MountTable ParseMountInfo(std::string_view text);

absl::StatusOr<MountTable> ReadMountTable();

// The mount that a path walk meets at `mountpoint` (a canonical path), or null: of several the
// last.
const MountEntry* FindMount(const MountTable& table, std::string_view mountpoint);

// The mount with this id, or null.
const MountEntry* FindMountId(const MountTable& table, uint64_t id);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_TABLE_H_
