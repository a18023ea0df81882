// The handlers, one per operation, grouped in files by family: ops_<family>.cc.
//
// Floor 2. Each takes a decoded request and returns what is to be done. It drops every reference to
// an inode before it returns, because a FORGET can follow the reply at once.
#ifndef SHUNTFS_CORE_OPS_H_
#define SHUNTFS_CORE_OPS_H_

#include "core/file_system.h"

namespace shuntfs {

using Handler = Action (*)(FileSystem& fs, Call& call);

// ops_lookup.cc
Action OpLookup(FileSystem& fs, Call& call);
Action OpForget(FileSystem& fs, Call& call);
Action OpBatchForget(FileSystem& fs, Call& call);
// ops_attr.cc
Action OpGetattr(FileSystem& fs, Call& call);
Action OpStatx(FileSystem& fs, Call& call);
Action OpSetattr(FileSystem& fs, Call& call);
Action OpAccess(FileSystem& fs, Call& call);
// ops_create.cc
Action OpCreate(FileSystem& fs, Call& call);
Action OpTmpfile(FileSystem& fs, Call& call);
Action OpMknod(FileSystem& fs, Call& call);
Action OpMkdir(FileSystem& fs, Call& call);
Action OpSymlink(FileSystem& fs, Call& call);
Action OpLink(FileSystem& fs, Call& call);
// ops_remove.cc
Action OpUnlink(FileSystem& fs, Call& call);
Action OpRmdir(FileSystem& fs, Call& call);
Action OpRename(FileSystem& fs, Call& call);
Action OpRename2(FileSystem& fs, Call& call);
// ops_open.cc
Action OpOpen(FileSystem& fs, Call& call);
Action OpRelease(FileSystem& fs, Call& call);
Action OpFlush(FileSystem& fs, Call& call);
Action OpReadlink(FileSystem& fs, Call& call);
// ops_seek.cc
Action OpLseek(FileSystem& fs, Call& call);
// ops_data.cc
Action OpRead(FileSystem& fs, Call& call);
Action OpWrite(FileSystem& fs, Call& call);
Action OpFsync(FileSystem& fs, Call& call);
Action OpFallocate(FileSystem& fs, Call& call);
Action OpCopyFileRange(FileSystem& fs, Call& call);
Action OpCopyFileRange64(FileSystem& fs, Call& call);
// ops_directory.cc
Action OpOpendir(FileSystem& fs, Call& call);
Action OpReaddir(FileSystem& fs, Call& call);
Action OpReaddirplus(FileSystem& fs, Call& call);
// ops_xattr.cc
Action OpSetxattr(FileSystem& fs, Call& call);
Action OpGetxattr(FileSystem& fs, Call& call);
Action OpListxattr(FileSystem& fs, Call& call);
Action OpRemovexattr(FileSystem& fs, Call& call);
// ops_mount.cc
Action OpStatfs(FileSystem& fs, Call& call);
Action OpSyncfs(FileSystem& fs, Call& call);
Action OpIoctl(FileSystem& fs, Call& call);
Action OpInterrupt(FileSystem& fs, Call& call);
Action OpDestroy(FileSystem& fs, Call& call);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_OPS_H_
