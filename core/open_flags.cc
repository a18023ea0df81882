#include "core/open_flags.h"

#include "core/base/limits.h"
#include "core/protocol/abi.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {

int BackingOpenFlags(uint32_t requested, const FileSystemOptions& options,
                     const ThreadIdentity& identity) {
  constexpr uint32_t kKept = O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME;
  int flags = static_cast<int>(requested & kKept) | O_CLOEXEC | O_NONBLOCK;
  if (MayLeaveAtime(options, identity)) flags |= O_NOATIME;
  // With the writeback cache the kernel reads the rest of a page that a write-only file changes in
  // part.
  if (options.writeback && (flags & O_ACCMODE) == O_WRONLY) flags = (flags & ~O_ACCMODE) | O_RDWR;
  return flags;
}

void OpenDirect(FileSystem& fs, int flags, OpenFile* file) {
  if (!fs.options().backing_direct) return;
  const int again = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_TMPFILE)) | O_DIRECT;
  Result<UniqueFd> fd =
      OpenEvicting(fs.inodes(), ProcFdDirectory(), FdName(file->fd.get()).c_str(), again, 0);
  if (fd.ok()) file->direct_fd = std::move(*fd);
}

namespace {

// io_uring hands I/O on tmpfs to kernel workers, which costs more than it does to copy many a
// request: tmpfs does not claim to serve without waiting, though it does. With O_NONBLOCK a file
// may be tried; a write must be a direct one in addition, which tmpfs takes for any other.
bool ServeAtOnce(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK | O_DIRECT) == 0;
}

// The kernel holds the inode until the file's RELEASE is answered.
void CountWriter(FileSystem& fs, NodeId nodeid, bool passed_through, OpenFile* file) {
  Inode* inode = fs.inodes().Find(nodeid);
  if (inode == nullptr) return;
  inode->writers().Begin(passed_through);
  file->written_node = nodeid;
  file->written_passed_through = passed_through;
}

}  // namespace

abi::OpenOut DescribeOpen(FileSystem& fs, NodeId nodeid, bool unchanged, uint32_t requested,
                          OpenFile* file) {
  const FileSystemOptions& options = fs.options();
  abi::OpenOut out{};
  out.open_flags = abi::kFopenParallelDirectWrites;
  const bool writes = (requested & O_ACCMODE) != O_RDONLY;
  if (!file->device->wants_flush && !options.writeback) out.open_flags |= abi::kFopenNoflush;
  if (fs.backing_files() != nullptr) {
    file->backing_node = nodeid;
    out.backing_id = fs.backing_files()->Open(nodeid, file->fd.get());
  }
  if (writes) CountWriter(fs, nodeid, out.backing_id != 0, file);
  if (out.backing_id != 0) {
    out.open_flags |= abi::kFopenPassthrough;  // which goes with none of those below
    return out;
  }
  // Who asks for plain calls gets them: they need the data where this thread can see it. So does
  // what is not known to take the caller's pages.
  const bool plain =
      options.read_policy == PolicyWish::kPlain || options.write_policy == PolicyWish::kPlain;
  if (options.zero_copy && !plain && file->device->zero_copy) {
    out.open_flags |= abi::kFopenIoUringZeroCopy;
    file->at_once = file->device->in_memory && ServeAtOnce(file->fd.get());
  }
  // A direct read or write is then one request and no background one, and how much of it was done
  // reaches the caller (fs/fuse/file.c, __fuse_direct_read; fuse_get_res_by_io makes EIO of it).
  // Not where the kernel alone knows how long the file is: such a read is asked of the backing
  // file, which ends early.
  if ((requested & O_DIRECT) != 0 && fs.direct_files() && !options.writeback)
    out.open_flags |= abi::kFopenDirectIo;
  if (unchanged) out.open_flags |= abi::kFopenKeepCache;
  return out;
}

FileHandle InsertOpen(FileSystem& fs, Inode* inode, std::unique_ptr<OpenFile>* file) {
  const int fd = (*file)->fd.get();
  (*file)->node = inode->nodeid();
  const FileHandle fh = fs.handles().Insert(file);
  if (fh.value() != 0) {
    fs.inodes().AddOpenFd(inode, fd);
  } else {
    (*file)->node = NodeId(0);
    EndOpen(fs, **file);
  }
  return fh;
}

void EndOpen(FileSystem& fs, const OpenFile& file) {
  if (file.backing_node.value() != 0) fs.backing_files()->Close(file.backing_node);
  if (file.written_node.value() != 0) {
    Inode* written = fs.inodes().Find(file.written_node);
    if (written != nullptr) written->writers().End(file.written_passed_through);
  }
  if (file.node.value() == 0) return;
  Inode* inode = fs.inodes().Find(file.node);
  if (inode != nullptr) fs.inodes().RemoveOpenFd(inode, file.fd.get());
}

Result<UniqueFd> OpenEvicting(InodeTable& inodes, int directory_fd, const char* name, int flags,
                              mode_t mode) {
  for (int round = 0;; ++round) {
    const int fd = openat(directory_fd, name, flags, mode);
    if (fd >= 0) {
      // io_uring takes O_NONBLOCK on a regular file for "never wait for the disk".
      if ((flags & O_NONBLOCK) != 0)
        fcntl(fd, F_SETFL, flags & ~(O_NONBLOCK | O_CREAT | O_EXCL | O_TRUNC));
      return UniqueFd(fd);
    }
    const Errno error = Errno::Last();
    const bool full = error == Errno(EMFILE) || error == Errno(ENFILE);
    if (!full || round == kMaxEvictRounds || inodes.EvictPathFds() == 0) return error;
  }
}

}  // namespace shuntfs
