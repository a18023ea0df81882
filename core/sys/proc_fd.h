// Paths of open descriptors below /proc, for the system calls that take no O_PATH descriptor (open for I/O, chmod, xattrs, link).
//
// Floor 0. The directory is opened once at start, so that nothing mounted over /proc later can redirect it.
#ifndef SHUNTFS_CORE_SYS_PROC_FD_H_
#define SHUNTFS_CORE_SYS_PROC_FD_H_

#include <fcntl.h>

#include <charconv>
#include <string>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

// The C string of a number, without allocation: an entry's name in /proc/self/fd.
class FdName {
 public:
  explicit FdName(int fd) { *std::to_chars(text_, text_ + sizeof(text_) - 1, fd).ptr = '\0'; }
  const char* c_str() const { return text_; }

 private:
  char text_[16];
};

// "/proc/self/fd/N", for the calls that have no *at form.
class FdPath {
 public:
  explicit FdPath(int fd) { *std::to_chars(text_ + kPrefix, text_ + sizeof(text_) - 1, fd).ptr = '\0'; }
  const char* c_str() const { return text_; }

 private:
  static constexpr size_t kPrefix = sizeof("/proc/self/fd/") - 1;
  char text_[kPrefix + 16] = "/proc/self/fd/";
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_PROC_FD_H_
