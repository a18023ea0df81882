// A file handle of the backing file system: what name_to_handle_at(2) gives for a file, and
// open_by_handle_at(2) opens again wherever the file was moved.
//
// Floor 0. An object does not change once it is made; any thread. Opening takes
// CAP_DAC_READ_SEARCH.
#ifndef SHUNTFS_CORE_SYS_SOURCE_HANDLE_H_
#define SHUNTFS_CORE_SYS_SOURCE_HANDLE_H_

#include <cstdint>
#include <string>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

class SourceHandle {
 public:
  // Of `name` (a C string) in `dir_fd`, or of `dir_fd` itself (""). EOPNOTSUPP: the file system has
  // no handles that can be opened. Other errors as those of statx(2).
  static Result<SourceHandle> Of(int dir_fd, const char* name);

  // An O_PATH descriptor of the file, on the mount of `directory_fd`: a descriptor of any directory
  // of that mount, O_PATH too. ESTALE: the file is gone. EPERM: the capability is missing.
  Result<UniqueFd> Open(int directory_fd) const;

  // The same for two handles of one file, and with them for no other file of the file system: a
  // handle has the generation of its inode number.
  uint64_t Hash() const;

 private:
  explicit SourceHandle(std::string bytes) : bytes_(std::move(bytes)) {}

  std::string bytes_;  // struct file_handle
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_SOURCE_HANDLE_H_
