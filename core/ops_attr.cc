// GETATTR, STATX, SETATTR, ACCESS.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/caller.h"
#include "core/open_flags.h"
#include "core/ops.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

// The status of an inode, through the open file if the kernel named one.
Result<FileStatus> StatusFor(FileSystem& fs, Inode* inode, bool has_fh, uint64_t fh) {
  if (has_fh) {
    const OpenFile* file = fs.handles().Find(FileHandle(fh));
    if (file != nullptr) return StatusOf(file->fd.get());
  }
  return fs.inodes().Status(inode);
}

// Programs take a file without blocks for one hole (tar --sparse). While the kernel may have data
// that it has not written back, no file is shown so.
uint64_t ShownBlocks(const FileSystem& fs, const Inode& inode, const FileStatus& status) {
  const bool maybe_data = status.stx_size > 0 || fs.options().writeback;
  const bool unwritten = inode.type() == S_IFREG && maybe_data && inode.writers().cached();
  return unwritten && status.stx_blocks == 0 ? 1 : status.stx_blocks;
}

Action ReplyAttr(FileSystem& fs, Call& call, Inode* inode, const FileStatus& status) {
  abi::AttrOut out{};
  const CacheTimeout timeout = AttrTimeoutOf(fs.timeouts(), *inode);
  out.attr_valid = timeout.seconds;
  out.attr_valid_nsec = timeout.nanoseconds;
  out.attr = AttrOf(status, inode->device(), fs.policy());
  out.attr.blocks = ShownBlocks(fs, *inode, status);
  inode->NoteMode(status.stx_mode);
  return ReplyWith(call, out);
}

Outcome SetOwner(const abi::SetattrIn& in, int path_fd) {
  const uid_t uid = (in.valid & abi::kSetattrUid) != 0 ? in.uid : static_cast<uid_t>(-1);
  const gid_t gid = (in.valid & abi::kSetattrGid) != 0 ? in.gid : static_cast<gid_t>(-1);
  return FromSyscall(fchownat(path_fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

// The open file that a change of size goes through; null: the kernel named none.
const OpenFile* SizedFile(FileSystem& fs, const abi::SetattrIn& in) {
  return (in.valid & abi::kSetattrFh) != 0 ? fs.handles().Find(FileHandle(in.fh)) : nullptr;
}

// By path it has to be truncate(2): unlike ftruncate(2) it can leave the times of a file that has
// the size already (tmpfs).
Outcome SetSize(FileSystem& fs, const abi::SetattrIn& in, int path_fd) {
  const auto size = static_cast<off_t>(in.size);
  if (const OpenFile* file = SizedFile(fs, in)) return FromSyscall(ftruncate(file->fd.get(), size));
  return FromSyscall(truncate(FdPath(path_fd).c_str(), size));
}

// Whether the change of size frees so much that it takes its time. Asked of the file: what the
// mount was told last may be long ago.
bool FreesMuch(FileSystem& fs, Inode* inode, const abi::SetattrIn& in) {
  if ((in.valid & abi::kSetattrSize) == 0) return false;
  const Result<FileStatus> status = StatusFor(fs, inode, (in.valid & abi::kSetattrFh) != 0, in.fh);
  if (!status.ok()) return false;
  const uint64_t before = std::max<uint64_t>(status->stx_size, status->stx_blocks * 512);
  return before > in.size && before - in.size > kLargeFileBytes;
}

// truncate(2) waits for the holder of a lease; nobody gets a lease while the file is open for
// writing. EWOULDBLOCK: somebody has one, and this thread may not wait. Any other refusal is
// truncate(2)'s own to report.
Result<UniqueFd> KeepLeasesAway(FileSystem& fs, Call& call, const abi::SetattrIn& in, int path_fd) {
  if ((in.valid & abi::kSetattrSize) == 0 || SizedFile(fs, in) != nullptr) return UniqueFd();
  const Interrupts::Wait wait(call.may_block ? call.watch : nullptr);
  const int flags = O_WRONLY | O_CLOEXEC | (call.may_block ? 0 : O_NONBLOCK);
  Result<UniqueFd> fd =
      OpenEvicting(fs.inodes(), ProcFdDirectory(), FdName(path_fd).c_str(), flags, 0);
  if (fd.ok() || fd.error() == Errno(EWOULDBLOCK) || fd.error() == Errno(EINTR)) return fd;
  return UniqueFd();
}

Outcome SetTimes(const abi::SetattrIn& in, int path_fd) {
  const auto choose = [&in](uint32_t set, uint32_t now, uint64_t seconds, uint32_t nanoseconds) {
    if ((in.valid & now) != 0) return timespec{0, UTIME_NOW};
    if ((in.valid & set) != 0)
      return timespec{static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
    return timespec{0, UTIME_OMIT};
  };
  const timespec times[2] = {
      choose(abi::kSetattrAtime, abi::kSetattrAtimeNow, in.atime, in.atimensec),
      choose(abi::kSetattrMtime, abi::kSetattrMtimeNow, in.mtime, in.mtimensec),
  };
  return FromSyscall(utimensat(path_fd, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

// A change that names no attribute is a chown(2) without owner and group, which takes set-id bits
// away, or what the kernel sends before a write to a file that has such bits. One cannot be told
// from the other. The first is for the owner; whoever may write could take the bits away by a write
// as well. Anybody else's has no effect.
Outcome DropSetIds(FileSystem& fs, const Call& call, const abi::SetattrIn& in, int path_fd) {
  const Result<Caller> known = CallerOf(fs, call.request);
  const Caller nobody{HostUid(kOverflowId), HostGid(kOverflowId), std::nullopt};
  {
    const CallerScope scope(call.identity, known.ok() ? *known : nobody,
                            CallerScope::Checks::kByBacking, GroupsInSource(fs, call.request));
    if (!scope.outcome().ok()) return scope.outcome();
    const Outcome done = SetOwner(in, path_fd);
    if (done.ok() || done.error() != Errno(EPERM)) return done;
    if (faccessat(ProcFdDirectory(), FdName(path_fd).c_str(), W_OK, AT_EACCESS) != 0) return Ok();
  }
  StripAsCaller(fs, call);
  return SetOwner(in, path_fd);
}

// Owner before mode: a change of owner takes setuid and setgid away, and the mode that was asked
// for comes after it.
Outcome ApplyAttributes(FileSystem& fs, Call& call, const abi::SetattrIn& in, int path_fd) {
  constexpr uint32_t kNoField = abi::kSetattrFh | abi::kSetattrLockowner | abi::kSetattrKillSuidgid;
  if ((in.valid & ~kNoField) == 0) return DropSetIds(fs, call, in, path_fd);
  if ((in.valid & (abi::kSetattrUid | abi::kSetattrGid)) != 0) {
    // chown(2) takes setuid away from anybody, and decides about setgid by the caller's rights.
    StripAsCaller(fs, call);
    if (const Outcome done = SetOwner(in, path_fd); !done.ok()) return done;
  }
  if ((in.valid & abi::kSetattrSize) != 0) {
    StripIfFlagged(fs, call, (in.valid & abi::kSetattrKillSuidgid) != 0);
    if (const Outcome done = SetSize(fs, in, path_fd); !done.ok()) return done;
  }
  if ((in.valid & abi::kSetattrMode) != 0) {
    call.identity.SetStripsSuid(false);
    if (const Outcome done =
            FromSyscall(fchmodat(ProcFdDirectory(), FdName(path_fd).c_str(), in.mode & 07777, 0));
        !done.ok())
      return done;
  }
  constexpr uint32_t kTimes =
      abi::kSetattrAtime | abi::kSetattrMtime | abi::kSetattrAtimeNow | abi::kSetattrMtimeNow;
  // With the writeback cache the kernel sends its own time with a size. Who is checked by SRC need
  // not own the file, and the change of size has set the time.
  const bool set_by_size =
      (in.valid & abi::kSetattrSize) != 0 && call.identity.checked_by_backing();
  if ((in.valid & kTimes) != 0 && !set_by_size) return SetTimes(in, path_fd);
  return Ok();
}

// What was asked for, in terms of SRC.
Result<abi::SetattrIn> ChangeOf(const FileSystem& fs, const Request& request, int path_fd) {
  const auto in = request.As<abi::SetattrIn>();
  constexpr uint32_t kOfPolicy = abi::kSetattrUid | abi::kSetattrGid | abi::kSetattrMode;
  if (fs.policy() == nullptr || (in.valid & kOfPolicy) == 0) return in;
  const Result<FileStatus> status = StatusOf(path_fd);
  if (!status.ok()) return status.error();
  if ((in.valid & abi::kSetattrMode) != 0) {
    const Outcome admitted = fs.policy()->AdmitSetId(request, in.mode, *status);
    if (!admitted.ok()) return admitted.error();
  }
  return fs.policy()->ToHost(in, *status);
}

}  // namespace

Action OpGetattr(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const auto in = call.request.As<abi::GetattrIn>();
  const Result<FileStatus> status =
      StatusFor(fs, inode, (in.getattr_flags & abi::kGetattrFh) != 0, in.fh);
  if (!status.ok()) return Action::Error(status.error());
  return ReplyAttr(fs, call, inode, *status);
}

Action OpStatx(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const auto in = call.request.As<abi::StatxIn>();
  const Result<FileStatus> status =
      StatusFor(fs, inode, (in.getattr_flags & abi::kGetattrFh) != 0, in.fh);
  if (!status.ok()) return Action::Error(status.error());
  abi::StatxOut out{};
  const CacheTimeout timeout = AttrTimeoutOf(fs.timeouts(), *inode);
  out.attr_valid = timeout.seconds;
  out.attr_valid_nsec = timeout.nanoseconds;
  out.stat = StatxOf(*status, inode->device(), fs.policy());
  out.stat.blocks = ShownBlocks(fs, *inode, *status);
  inode->NoteMode(status->stx_mode);
  return ReplyWith(call, out);
}

Action OpSetattr(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const auto in = call.request.As<abi::SetattrIn>();
  if (!call.may_block && FreesMuch(fs, inode, in)) return Action::Offload();
  Result<FileStatus> status = Errno(0);
  {
    const Result<PathFd> path = fs.inodes().Open(inode);
    if (!path.ok()) return Action::Error(path.error());
    const Result<abi::SetattrIn> change = ChangeOf(fs, call.request, path->get());
    if (!change.ok()) return Action::Error(change.error());
    const Result<UniqueFd> writable = KeepLeasesAway(fs, call, in, path->get());
    if (!writable.ok()) {
      if (writable.error() == Errno(EWOULDBLOCK) && !call.may_block)
        return Action::Offload(WaitsFor::kHolder);
      return Action::Error(writable.error());
    }
    const Outcome done = ApplyAttributes(fs, call, *change, path->get());
    if (!done.ok()) return Action::Error(done.error());
    status = StatusOf(path->get());
  }
  if (!status.ok()) return Action::Error(status.error());
  return ReplyAttr(fs, call, inode, *status);
}

Action OpAccess(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  const Result<Caller> caller = CallerOf(fs, call.request);
  if (!caller.ok()) return Action::Error(Errno(EACCES));
  const CallerScope scope(call.identity, *caller, CallerScope::Checks::kByBacking,
                          GroupsInSource(fs, call.request));
  if (!scope.outcome().ok()) return Action::Error(scope.outcome().error());
  const int mask = static_cast<int>(call.request.As<abi::AccessIn>().mask & (R_OK | W_OK | X_OK));
  const Outcome done =
      FromSyscall(faccessat(ProcFdDirectory(), FdName(path->get()).c_str(), mask, AT_EACCESS));
  return done.ok() ? Action::Reply() : Action::Error(done.error());
}

}  // namespace shuntfs
