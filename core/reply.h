// Reply arguments: from what the backing file system says to what the kernel reads.
//
// Floor 2. Pure but for the counting of lookups in ReplyEntry.
#ifndef SHUNTFS_CORE_REPLY_H_
#define SHUNTFS_CORE_REPLY_H_

#include <cstring>
#include <optional>
#include <string_view>

#include "core/file_system.h"
#include "core/protocol/abi.h"
#include "core/sys/file_status.h"

namespace shuntfs {

// The only ways from a status of SRC to what callers see. `policy` may be null.
abi::Attr AttrOf(const FileStatus& status, const BackingDevice& device, const Policy* policy);
abi::Statx StatxOf(const FileStatus& status, const BackingDevice& device, const Policy* policy);

// Writes a reply argument at `offset` of the reply area. EIO: the area is too small (the kernel
// always gives room).
template <typename T>
Action ReplyWith(Call& call, const T& argument, size_t offset = 0) {
  if (call.reply.size() < offset + sizeof(T)) return Action::Error(Errno(EIO));
  std::memcpy(call.reply.data() + offset, &argument, sizeof(T));
  return Action::Reply(offset + sizeof(T));
}

// How long the kernel may keep the attributes of the inode. What it writes to a backing file by
// itself changes size, times and mode, and of stores through a mapping it takes no notice.
CacheTimeout AttrTimeoutOf(const CacheTimeouts& timeouts, const Inode& inode);

// The entry for an inode whose lookup was counted.
abi::EntryOut EntryOf(const FileSystem& fs, const Inode& inode, const FileStatus& status);

// Looks up `name` in the open directory `parent_fd`, counts the lookup and gives the entry. No
// value: the file lies on a file system that may block, and the call may not; nothing was counted.
// EACCES: it lies on a pseudo file system, which are not served.
// No errno says that, because the backing file system may answer with any.
std::optional<Result<abi::EntryOut>> LookupEntry(FileSystem& fs, const Call& call, Inode* parent,
                                                 int parent_fd, const char* name);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_REPLY_H_
