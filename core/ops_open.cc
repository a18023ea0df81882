// OPEN, RELEASE (and RELEASEDIR), FLUSH, READLINK.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/base/limits.h"
#include "core/caller.h"
#include "core/open_flags.h"
#include "core/ops.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

Result<UniqueFd> OpenInode(FileSystem& fs, Inode* inode, int flags, bool appends) {
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return path.error();
  const FdName name(path->get());
  Result<UniqueFd> fd = OpenEvicting(fs.inodes(), ProcFdDirectory(), name.c_str(), flags, 0);
  if (!fd.ok() && fd.error() == Errno(EPERM) && appends) {
    // A file with the append-only attribute is opened no other way; then every write goes to its
    // end anyhow.
    return OpenEvicting(fs.inodes(), ProcFdDirectory(), name.c_str(), flags | O_APPEND, 0);
  }
  if (!fd.ok() && fd.error() == Errno(EACCES) && fs.options().writeback &&
      (flags & O_ACCMODE) == O_RDWR) {
    // Write-only was asked for and is all that the daemon's user may.
    return OpenEvicting(fs.inodes(), ProcFdDirectory(), name.c_str(),
                        (flags & ~O_ACCMODE) | O_WRONLY, 0);
  }
  return fd;
}

// Asked of the file: what the mount was told last may be long ago.
bool IsLarge(FileSystem& fs, Inode* inode) {
  const Result<FileStatus> status = fs.inodes().Status(inode);
  return status.ok() &&
         std::max<uint64_t>(status->stx_size, status->stx_blocks * 512) > kLargeFileBytes;
}

}  // namespace

Action OpOpen(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const auto in = call.request.As<abi::OpenIn>();
  const bool truncates = (in.flags & O_TRUNC) != 0;
  if (truncates && !call.may_block && IsLarge(fs, inode)) return Action::Offload();
  if (truncates) StripIfFlagged(fs, call, (in.open_flags & abi::kOpenKillSuidgid) != 0);
  int flags = BackingOpenFlags(in.flags, fs.options(), call.identity);
  if (call.may_block) flags &= ~O_NONBLOCK;
  Result<UniqueFd> fd = Errno(0);
  {
    const Interrupts::Wait wait(call.may_block ? call.watch : nullptr);
    fd = OpenInode(fs, inode, flags, (in.flags & O_APPEND) != 0);
  }
  if (!fd.ok()) {
    // A lease of another process: its holder is told, and the open waits where nobody else has to.
    if (fd.error() == Errno(EWOULDBLOCK) && !call.may_block)
      return Action::Offload(WaitsFor::kHolder);
    return Action::Error(fd.error());
  }
  auto file = std::make_unique<OpenFile>();
  file->fd = std::move(*fd);
  file->device = inode->device_ref();
  file->synchronous = IsSynchronous(in.flags);
  OpenDirect(fs, flags, file.get());
  const Result<FileStatus> status = StatusOf(file->fd.get());
  const bool unchanged =
      status.ok() && inode->UnchangedSinceLastOpen(*status) && !fs.timeouts().attr.zero();
  const NodeId nodeid = call.request.nodeid();
  abi::OpenOut out = DescribeOpen(fs, nodeid, unchanged, in.flags, file.get());
  const bool passed_through = file->written_passed_through;
  out.fh = InsertOpen(fs, inode, &file).value();
  if (out.fh == 0) return Action::Error(Errno(ENFILE));
  if (passed_through)
    fs.AttributesChanged(nodeid, call.counters);
  else if (truncates)
    fs.SetIdMayBeGone(nodeid, call.counters);
  return ReplyWith(call, out);
}

Action OpRelease(FileSystem& fs, Call& call) {
  const FileHandle fh(call.request.As<abi::ReleaseIn>().fh);
  const std::unique_ptr<OpenFile> file = fs.handles().Remove(fh);
  if (file == nullptr) return Action::Error(Errno(EBADF));
  EndOpen(fs, *file);
  const bool may_wait = file->device->may_block;
  fs.inodes().closer().Close(std::move(file->direct_fd), may_wait);
  fs.inodes().closer().Close(std::move(file->fd), may_wait);
  return Action::Reply();
}

// Closing a duplicate makes a network file system write back and report, and leaves the file open.
// Local file systems do nothing on close: their files are opened with FOPEN_NOFLUSH, and this is
// not even asked.
Action OpFlush(FileSystem& fs, Call& call) {
  const OpenFile* file = fs.handles().Find(FileHandle(call.request.As<abi::FlushIn>().fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  if (!file->device->wants_flush) return Action::Reply();
  const int duplicate = fcntl(file->fd.get(), F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return Action::Error(Errno::Last());
  const Outcome done = FromSyscall(close(duplicate));
  return done.ok() ? Action::Reply() : Action::Error(done.error());
}

Action OpReadlink(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  const ssize_t length =
      readlinkat(path->get(), "", reinterpret_cast<char*>(call.reply.data()), call.reply.size());
  if (length < 0) return Action::Error(Errno::Last());
  return Action::Reply(static_cast<size_t>(length));
}

}  // namespace shuntfs
