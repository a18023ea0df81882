#include "daemon/our_mount.h"

#include "absl/strings/str_format.h"
#include "daemon/path_probe.h"

namespace shuntfs {

absl::StatusOr<MountEntry> FindOurMount(const std::string& path) {
  absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  absl::StatusOr<std::string> mountpoint = ResolveMountpoint(path, *table);
  if (!mountpoint.ok()) return mountpoint.status();
  const MountEntry* entry = FindMount(*table, *mountpoint);
  if (entry == nullptr) {
    return absl::NotFoundError(
        absl::StrFormat("%s is not mounted; `shuntfs status` lists the mounts", *mountpoint));
  }
  if (!entry->IsShuntfs()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s is a mount of type %s, not one of shuntfs, which this command is for",
                        *mountpoint, entry->type));
  }
  return *entry;
}

}  // namespace shuntfs
