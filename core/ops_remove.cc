// What takes a name away or moves it: UNLINK, RMDIR, RENAME, RENAME2. The kernel has checked the
// caller's rights, sticky bits included.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <utility>

#include "core/caller.h"
#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {
namespace {

// Keeps the inode behind an entry reachable while the entry is removed, and afterwards as far as it
// needs to be.
class UnlinkGuard {
 public:
  UnlinkGuard(InodeTable& inodes, const Inode* parent, int parent_fd, std::string_view name)
      : inodes_(inodes),
        parent_(parent),
        name_(name),
        inode_(inodes.BeginRemoval(parent_fd, name.data(), &other_)) {}
  ~UnlinkGuard() {
    if (inode_ != nullptr) inodes_.EndRemoval(inode_, removed_, parent_, name_);
    inodes_.closer().Close(std::move(other_));
  }
  UnlinkGuard(const UnlinkGuard&) = delete;
  UnlinkGuard& operator=(const UnlinkGuard&) = delete;
  void Commit() { removed_ = true; }

 private:
  InodeTable& inodes_;
  const Inode* parent_;
  const std::string_view name_;
  UniqueFd other_;  // of a file that is no inode of ours: its space is not freed here
  Inode* inode_;
  bool removed_ = false;
};

Action Remove(FileSystem& fs, Call& call, int flags) {
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  const Result<PathFd> directory = fs.inodes().Open(parent);
  if (!directory.ok()) return Action::Error(directory.error());
  UnlinkGuard guard(fs.inodes(), parent, directory->get(), *name);
  const Outcome done = FromSyscall(unlinkat(directory->get(), name->data(), flags));
  if (!done.ok()) return Action::Error(done.error());
  guard.Commit();
  return Action::Reply();
}

// Tells the inode that is now `name` in `parent` where it is.
void NoteMoved(FileSystem& fs, Inode* parent, int parent_fd, std::string_view name) {
  const Result<FileStatus> status = StatusAt(parent_fd, name.data(), AT_STATX_DONT_SYNC);
  if (!status.ok()) return;
  const Result<DeviceRef> device = fs.devices().Find(*status, parent_fd, name.data());
  if (!device.ok()) return;
  Inode* inode = fs.inodes().FindHeld(*status, **device, parent_fd, name.data());
  if (inode == nullptr) return;
  fs.inodes().MovedTo(inode, parent, name);
  fs.inodes().Release(inode);
}

// A whiteout is a new file, so it belongs to the caller; all else is a move that makes nothing.
Outcome RenameAs(const FileSystem& fs, Call& call, int from_fd, const char* from, int to_fd,
                 const char* to, uint32_t flags) {
  if ((flags & RENAME_WHITEOUT) == 0)
    return FromSyscall(renameat2(from_fd, from, to_fd, to, flags));
  const Result<Caller> caller = CallerOf(fs, call.request);
  if (!caller.ok()) return caller.error();
  const CallerScope scope(call.identity, *caller);
  if (!scope.outcome().ok()) return scope.outcome();
  return FromSyscall(renameat2(from_fd, from, to_fd, to, flags));
}

Action Rename(FileSystem& fs, Call& call, uint64_t new_directory, uint32_t flags) {
  Inode* old_parent = fs.inodes().Find(call.request.nodeid());
  Inode* new_parent = fs.inodes().Find(NodeId(new_directory));
  if (old_parent == nullptr || new_parent == nullptr) return Action::Error(Errno(ESTALE));
  if (new_parent->device().may_block && !call.may_block) return Action::Offload(WaitsFor::kServer);
  PayloadReader reader(call.request.payload);
  const Result<std::string_view> old_name = reader.Name();
  if (!old_name.ok()) return Action::Error(old_name.error());
  const Result<std::string_view> new_name = reader.Name();
  if (!new_name.ok()) return Action::Error(new_name.error());
  const Result<PathFd> from = fs.inodes().Open(old_parent);
  if (!from.ok()) return Action::Error(from.error());
  const Result<PathFd> to = fs.inodes().Open(new_parent);
  if (!to.ok()) return Action::Error(to.error());
  UnlinkGuard replaced(fs.inodes(), new_parent, to->get(), *new_name);
  const Outcome done =
      RenameAs(fs, call, from->get(), old_name->data(), to->get(), new_name->data(), flags);
  if (!done.ok()) return Action::Error(done.error());
  if ((flags & RENAME_EXCHANGE) == 0) {
    replaced.Commit();
  } else {
    NoteMoved(fs, old_parent, from->get(), *old_name);
  }
  NoteMoved(fs, new_parent, to->get(), *new_name);
  return Action::Reply();
}

}  // namespace

Action OpUnlink(FileSystem& fs, Call& call) { return Remove(fs, call, 0); }

Action OpRmdir(FileSystem& fs, Call& call) { return Remove(fs, call, AT_REMOVEDIR); }

Action OpRename(FileSystem& fs, Call& call) {
  return Rename(fs, call, call.request.As<abi::RenameIn>().newdir, 0);
}

Action OpRename2(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::Rename2In>();
  return Rename(fs, call, in.newdir, in.flags);
}

}  // namespace shuntfs
