// Names of open descriptors below /proc, for the system calls that take no O_PATH descriptor (open
// for I/O, chmod, xattrs, link).
//
// Floor 0. Any thread.
#ifndef SHUNTFS_CORE_SYS_PROC_FD_H_
#define SHUNTFS_CORE_SYS_PROC_FD_H_

#include <fcntl.h>

#include <charconv>

namespace shuntfs {

// /proc/self/fd, opened at the first call and kept, so that nothing mounted over /proc later can
// redirect it. -1: /proc is not mounted. Not to be called before the process has forked for the
// last time.
inline int ProcFdDirectory() {
  static const int directory = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return directory;
}

// A descriptor's entry in ProcFdDirectory(), without allocation.
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
  explicit FdPath(int fd) {
    *std::to_chars(text_ + kPrefix, text_ + sizeof(text_) - 1, fd).ptr = '\0';
  }
  const char* c_str() const { return text_; }

 private:
  static constexpr size_t kPrefix = sizeof("/proc/self/fd/") - 1;
  char text_[kPrefix + 16] = "/proc/self/fd/";
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_PROC_FD_H_
