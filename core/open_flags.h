// Which flags a backing file is opened with, and what the kernel is told about the open file.
//
// Floor 2. The decisions are pure; OpenEvicting opens.
#ifndef SHUNTFS_CORE_OPEN_FLAGS_H_
#define SHUNTFS_CORE_OPEN_FLAGS_H_

#include <fcntl.h>
#include <sys/types.h>

#include <memory>

#include "core/file_system.h"

namespace shuntfs {

// Kept: the access mode, O_TRUNC, O_SYNC, O_DSYNC, O_NOATIME. Left out: O_APPEND (each WRITE says
// whether it appends, since fcntl can change that), O_DIRECT (the backing page cache serves any
// alignment), and what the kernel has resolved already. O_NONBLOCK keeps a lease of another process
// from stopping the thread; callers clear it once the file is open.
int BackingOpenFlags(uint32_t requested, const FileSystemOptions& options,
                     const ThreadIdentity& identity);

// Whether a backing file can be opened with O_NOATIME because the mount is to leave access times
// alone: that is for the file's owner and for CAP_FOWNER.
inline bool MayLeaveAtime(const FileSystemOptions& options, const ThreadIdentity& identity) {
  return options.noatime && options.privileged && !identity.checked_by_backing();
}

inline bool IsSynchronous(uint32_t flags) { return (flags & O_DSYNC) != 0; }

// Opens the file that `file` has open with `flags` a second time, with O_DIRECT, if that is wanted
// and the file system has it.
void OpenDirect(FileSystem& fs, int flags, OpenFile* file);

// What the kernel is told of the regular file `nodeid` that was just opened with the flags
// `requested`, but for its handle.
// `unchanged`: the pages that it has of it are still right. Begins a use of its backing file where
// the kernel is to move the data.
abi::OpenOut DescribeOpen(FileSystem& fs, NodeId nodeid, bool unchanged, uint32_t requested,
                          OpenFile* file);
// Takes over `file`, which has `inode` open. 0 when there is no room: then the open has ended.
FileHandle InsertOpen(FileSystem& fs, Inode* inode, std::unique_ptr<OpenFile>* file);
// The open has ended, or was never told of.
void EndOpen(FileSystem& fs, const OpenFile& file);

// openat(2) that gives cached descriptors back and tries again when there are too many.
Result<UniqueFd> OpenEvicting(InodeTable& inodes, int directory_fd, const char* name, int flags,
                              mode_t mode);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_OPEN_FLAGS_H_
