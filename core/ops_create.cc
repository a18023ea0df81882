// What makes a name: CREATE, TMPFILE, MKNOD, MKDIR, SYMLINK, LINK. All but LINK act as the caller.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/caller.h"
#include "core/open_flags.h"
#include "core/ops.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

// Mode and umask of what is made.
Policy::NewMode ModeForNew(const FileSystem& fs, const Request& request, uint32_t mode,
                           uint32_t umask_bits) {
  if (fs.policy() == nullptr) return {mode, umask_bits};
  return fs.policy()->ForNew(request, mode, umask_bits);
}

dev_t DecodeDevice(uint32_t word) {
  return makedev((word & 0xfff00) >> 8, (word & 0xff) | ((word >> 12) & 0xfff00));
}

// The entry of a name that was just made. ESTALE makes the kernel look it up: a file system that
// may block was mounted there meanwhile.
Result<abi::EntryOut> LookupMade(FileSystem& fs, const Call& call, Inode* parent, int parent_fd,
                                 const char* name) {
  return LookupEntry(fs, call, parent, parent_fd, name).value_or(Errno(ESTALE));
}

// Makes a name with `make(parent_fd, name)`, a system call that returns 0 or -1, and replies with
// the entry.
template <typename Make>
Action MakeEntry(FileSystem& fs, Call& call, std::string_view name, uint32_t umask_bits,
                 Make make) {
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  Result<abi::EntryOut> entry = Errno(0);
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    {
      const Result<Caller> caller = CallerOf(fs, call.request);
      if (!caller.ok()) return Action::Error(caller.error());
      const CallerScope scope(call.identity, *caller);
      if (!scope.outcome().ok()) return Action::Error(scope.outcome().error());
      call.identity.SetUmask(umask_bits);
      const Outcome done = FromSyscall(make(directory->get(), name.data()));
      if (!done.ok()) return Action::Error(done.error());
    }
    entry = LookupMade(fs, call, parent, directory->get(), name.data());
  }
  return entry.ok() ? ReplyWith(call, *entry) : Action::Error(entry.error());
}

// Replies with an entry and the open file that belongs to it; takes the lookup back when there is
// no room for the file.
Action ReplyOpenEntry(FileSystem& fs, Call& call, Inode* inode, abi::EntryOut entry, uint32_t flags,
                      std::unique_ptr<OpenFile> file) {
  const NodeId nodeid(entry.nodeid);
  abi::OpenOut open = DescribeOpen(fs, nodeid, /*unchanged=*/false, flags, file.get());
  if (file->written_passed_through) entry.attr_valid = entry.attr_valid_nsec = 0;
  open.fh = InsertOpen(fs, inode, &file).value();
  if (open.fh == 0) {
    fs.inodes().Forget(nodeid, 1);
    return Action::Error(Errno(ENFILE));
  }
  ReplyWith(call, entry);
  return ReplyWith(call, open, sizeof(entry));
}

}  // namespace

Action OpCreate(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::CreateIn>();
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  auto file = std::make_unique<OpenFile>();
  Result<abi::EntryOut> entry = Errno(0);
  Inode* inode = nullptr;
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    {
      const Result<Caller> caller = CallerOf(fs, call.request);
      if (!caller.ok()) return Action::Error(caller.error());
      const CallerScope scope(call.identity, *caller);
      if (!scope.outcome().ok()) return Action::Error(scope.outcome().error());
      const Policy::NewMode mode = ModeForNew(fs, call.request, in.mode, in.umask);
      call.identity.SetUmask(mode.umask);
      // Always exclusive: the kernel found no such file and has checked nobody's permission on one.
      // If there is one by now, ESTALE makes it look again and go through OPEN with all checks.
      const int flags = (BackingOpenFlags(in.flags, fs.options(), call.identity) & ~O_NONBLOCK) |
                        O_CREAT | O_EXCL | O_NOFOLLOW;
      Result<UniqueFd> fd =
          OpenEvicting(fs.inodes(), directory->get(), name->data(), flags, mode.mode & 07777);
      if (!fd.ok()) {
        const bool raced = fd.error() == Errno(EEXIST) && (in.flags & O_EXCL) == 0;
        return Action::Error(raced ? Errno(ESTALE) : fd.error());
      }
      file->fd = std::move(*fd);
      OpenDirect(fs, flags, file.get());
    }
    // By the descriptor, so that it is the file that was made even if its name is gone by now.
    const Result<FileStatus> status = StatusOf(file->fd.get());
    if (!status.ok()) return Action::Error(status.error());
    inode = fs.inodes().Lookup(*status, parent->device_ref(), parent, name->data(), file->fd.get(),
                               /*is_file=*/true);
    if (inode == nullptr) return Action::Error(Errno(ENOMEM));
    entry = EntryOf(fs, *inode, *status);
  }
  file->device = parent->device_ref();
  file->synchronous = IsSynchronous(in.flags);
  return ReplyOpenEntry(fs, call, inode, *entry, in.flags, std::move(file));
}

Action OpTmpfile(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::CreateIn>();
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  auto file = std::make_unique<OpenFile>();
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    const Result<Caller> caller = CallerOf(fs, call.request);
    if (!caller.ok()) return Action::Error(caller.error());
    const CallerScope scope(call.identity, *caller);
    if (!scope.outcome().ok()) return Action::Error(scope.outcome().error());
    const Policy::NewMode mode = ModeForNew(fs, call.request, in.mode, in.umask);
    call.identity.SetUmask(mode.umask);
    const int flags = (BackingOpenFlags(in.flags, fs.options(), call.identity) & ~O_NONBLOCK) |
                      O_TMPFILE | static_cast<int>(in.flags & O_EXCL);
    Result<UniqueFd> fd =
        OpenEvicting(fs.inodes(), directory->get(), ".", flags, mode.mode & 07777);
    if (!fd.ok()) return Action::Error(fd.error());
    file->fd = std::move(*fd);
    OpenDirect(fs, flags, file.get());
  }
  const Result<FileStatus> status = StatusOf(file->fd.get());
  if (!status.ok()) return Action::Error(status.error());
  Result<UniqueFd> path = OpenEvicting(fs.inodes(), ProcFdDirectory(),
                                       FdName(file->fd.get()).c_str(), O_PATH | O_CLOEXEC, 0);
  if (!path.ok()) return Action::Error(path.error());
  Inode* inode = fs.inodes().LookupNameless(*status, parent->device_ref(), std::move(*path));
  if (inode == nullptr) return Action::Error(Errno(ENOMEM));
  file->device = parent->device_ref();
  file->synchronous = IsSynchronous(in.flags);
  return ReplyOpenEntry(fs, call, inode, EntryOf(fs, *inode, *status), in.flags, std::move(file));
}

Action OpMknod(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::MknodIn>();
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  const Policy::NewMode mode = ModeForNew(fs, call.request, in.mode, in.umask);
  return MakeEntry(fs, call, *name, mode.umask, [&in, &mode](int parent_fd, const char* entry) {
    return mknodat(parent_fd, entry, mode.mode, DecodeDevice(in.rdev));
  });
}

Action OpMkdir(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::MkdirIn>();
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  const Policy::NewMode mode = ModeForNew(fs, call.request, in.mode | S_IFDIR, in.umask);
  return MakeEntry(fs, call, *name, mode.umask, [&mode](int parent_fd, const char* entry) {
    return mkdirat(parent_fd, entry, mode.mode & 07777);
  });
}

Action OpSymlink(FileSystem& fs, Call& call) {
  PayloadReader reader(call.request.payload);
  const Result<std::string_view> name = reader.Name();
  if (!name.ok()) return Action::Error(name.error());
  const Result<std::string_view> target = reader.String();
  if (!target.ok()) return Action::Error(target.error());
  return MakeEntry(fs, call, *name, 0, [&target](int parent_fd, const char* entry) {
    return symlinkat(target->data(), parent_fd, entry);
  });
}

Action OpLink(FileSystem& fs, Call& call) {
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  Inode* inode = fs.inodes().Find(NodeId(call.request.As<abi::LinkIn>().oldnodeid));
  if (parent == nullptr || inode == nullptr) return Action::Error(Errno(ESTALE));
  if (inode->device().may_block && !call.may_block) return Action::Offload(WaitsFor::kServer);
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  Result<abi::EntryOut> entry = Errno(0);
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    const Result<PathFd> old = fs.inodes().Open(inode);
    if (!old.ok()) return Action::Error(old.error());
    // Through /proc: AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH, and O_TMPFILE files are linked
    // this way too.
    const Outcome done = FromSyscall(linkat(ProcFdDirectory(), FdName(old->get()).c_str(),
                                            directory->get(), name->data(), AT_SYMLINK_FOLLOW));
    if (!done.ok()) return Action::Error(done.error());
    entry = LookupMade(fs, call, parent, directory->get(), name->data());
  }
  return entry.ok() ? ReplyWith(call, *entry) : Action::Error(entry.error());
}

}  // namespace shuntfs
