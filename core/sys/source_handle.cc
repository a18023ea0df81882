#include "core/sys/source_handle.h"

#include <fcntl.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <string_view>

namespace shuntfs {

Result<SourceHandle> SourceHandle::Of(int dir_fd, const char* name) {
  alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(memory);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  const int flags = *name == '\0' ? AT_EMPTY_PATH : 0;
  if (name_to_handle_at(dir_fd, name, handle, &mount_id, flags) != 0) {
    // EOVERFLOW: a handle longer than any may be; NFS answers so where its own is too long.
    return errno == EOVERFLOW ? Errno(EOPNOTSUPP) : Errno::Last();
  }
  return SourceHandle(std::string(memory, offsetof(file_handle, f_handle) + handle->handle_bytes));
}

Result<UniqueFd> SourceHandle::Open(int directory_fd) const {
  // open_by_handle_at takes no O_PATH descriptor (fs/fhandle.c, get_path_from_fd).
  const UniqueFd directory(openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return Errno::Last();
  alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ];
  bytes_.copy(memory, sizeof(memory));
  const int fd = open_by_handle_at(directory.get(), reinterpret_cast<file_handle*>(memory),
                                   O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Errno::Last();
  return UniqueFd(fd);
}

uint64_t SourceHandle::Hash() const { return std::hash<std::string_view>()(bytes_); }

}  // namespace shuntfs
