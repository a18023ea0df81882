// statx(2) with the fields that shuntfs always needs.
//
// Floor 0. Plain system calls, any thread.
#ifndef SHUNTFS_CORE_SYS_FILE_STATUS_H_
#define SHUNTFS_CORE_SYS_FILE_STATUS_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdint>
#include <cstring>

#include "core/base/errno.h"

namespace shuntfs {

using FileStatus = struct statx;

// Newer than the headers that we build with: a mount id that is never used again (Linux 6.8), and
// the number of the subvolume (btrfs, bcachefs; 6.10). A kernel that lacks one leaves it out of
// stx_mask.
inline constexpr uint32_t kStatxUniqueMountId = 0x4000;
inline constexpr uint32_t kStatxSubvolume = 0x8000;

// The entry `name` (a C string) of `dir_fd`, not following a symlink and not triggering an
// automount. `extra_flags`: AT_STATX_*.
inline Result<FileStatus> StatusAt(int dir_fd, const char* name, int extra_flags = 0) {
  FileStatus status;
  const unsigned mask =
      STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID | kStatxUniqueMountId | kStatxSubvolume;
  if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | extra_flags, mask, &status) != 0)
    return Errno::Last();
  return status;
}

// What the descriptor stands for; O_PATH descriptors too.
inline Result<FileStatus> StatusOf(int fd, int extra_flags = 0) {
  return StatusAt(fd, "", AT_EMPTY_PATH | extra_flags);
}

inline dev_t DeviceOf(const FileStatus& status) {
  return makedev(status.stx_dev_major, status.stx_dev_minor);
}

// Whether stx_mnt_id is the unique one.
inline bool HasUniqueMountId(const FileStatus& status) {
  return (status.stx_mask & kStatxUniqueMountId) != 0;
}

// 0 where the file system has no subvolumes, or the kernel does not tell.
inline uint64_t SubvolumeOf(const FileStatus& status) {
  constexpr size_t kOffset = 0xa0;  // stx_subvol in linux/stat.h
  uint64_t subvolume = 0;
  if ((status.stx_mask & kStatxSubvolume) != 0)
    std::memcpy(&subvolume, reinterpret_cast<const char*>(&status) + kOffset, sizeof(subvolume));
  return subvolume;
}

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_FILE_STATUS_H_
