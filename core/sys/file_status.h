// statx(2) with the fields that shuntfs always needs.
//
// Floor 0. Plain system calls, any thread.
#ifndef SHUNTFS_CORE_SYS_FILE_STATUS_H_
#define SHUNTFS_CORE_SYS_FILE_STATUS_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/base/errno.h"

namespace shuntfs {

using FileStatus = struct statx;

// The entry `name` (a C string) of `dir_fd`, not following a symlink and not triggering an
// automount. `extra_flags`: AT_STATX_*.
inline Result<FileStatus> StatusAt(int dir_fd, const char* name, int extra_flags = 0) {
  FileStatus status;
  const unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
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

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_FILE_STATUS_H_
