#include "daemon/mount_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_format.h"
#include "core/sys/file_status.h"
#include "daemon/fd_info.h"

namespace shuntfs {
namespace {

// Cached attributes only: the file system is not asked.
constexpr int kAskNobody = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;

std::optional<uint64_t> UniqueIdOf(int fd) {
  struct statx status {};
  if (statx(fd, "", kAskNobody, kStatxUniqueMountId, &status) != 0) return std::nullopt;
  if (!HasUniqueMountId(status)) return std::nullopt;
  return status.stx_mnt_id;
}

}  // namespace

bool MountIdentity::Matches(const MountIdentity& other) const {
  if (unique_id != 0 && other.unique_id != 0) return unique_id == other.unique_id;
  return mount_id == other.mount_id && major == other.major && minor == other.minor;
}

absl::StatusOr<OpenMount> OpenMountAt(const std::string& mountpoint, int directory_fd) {
  OpenMount mount;
  mount.root.reset(openat(directory_fd, mountpoint.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct statx status {};
  // An empty mask: of a mount that only its owner enters, the device is told and nothing else.
  if (!mount.root.valid() || statx(mount.root.get(), "", kAskNobody, 0, &status) != 0) {
    const int error = errno;
    const std::string text =
        absl::StrFormat("%s cannot be looked at: %s", mountpoint, std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(text) : absl::FailedPreconditionError(text);
  }
  // Told also of mounts that only their owner enters, where statx(2) is refused.
  const std::optional<uint64_t> mount_id = FdInfoNumber(mount.root.get(), "mnt_id:");
  if (!mount_id) {
    return absl::UnavailableError(
        "/proc/self/fdinfo tells no mount id; shuntfs needs /proc mounted");
  }
  mount.identity.unique_id = UniqueIdOf(mount.root.get()).value_or(0);
  mount.identity.mount_id = *mount_id;
  mount.identity.major = status.stx_dev_major;
  mount.identity.minor = status.stx_dev_minor;
  return mount;
}

absl::StatusOr<OpenMount> OpenMountOf(const MountEntry& entry) {
  absl::StatusOr<OpenMount> mount = OpenMountAt(entry.mountpoint);
  if (!mount.ok()) return mount.status();
  if (mount->identity.mount_id == entry.id && mount->identity.major == entry.major &&
      mount->identity.minor == entry.minor)
    return mount;
  return absl::NotFoundError(absl::StrFormat(
      "the mount at %s has changed while it was being looked at; try again", entry.mountpoint));
}

absl::StatusOr<MountIdentity> IdentityOf(const MountEntry& entry) {
  const absl::StatusOr<OpenMount> mount = OpenMountOf(entry);
  if (!mount.ok()) return mount.status();
  return mount->identity;
}

bool IsMounted(const MountIdentity& identity) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return true;
  const MountEntry* entry = FindMountId(*table, identity.mount_id);
  if (entry == nullptr || entry->major != identity.major || entry->minor != identity.minor)
    return false;
  // Another mount may have got both numbers. Where it cannot be opened since something covers it,
  // it counts as ours.
  const absl::StatusOr<OpenMount> there = OpenMountAt(entry->mountpoint);
  if (!there.ok() || there->identity.mount_id != identity.mount_id) return true;
  return there->identity.Matches(identity);
}

}  // namespace shuntfs
