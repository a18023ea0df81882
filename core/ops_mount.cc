// What concerns the whole mount or a control interface: STATFS, SYNCFS, IOCTL, INTERRUPT, DESTROY.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/open_flags.h"
#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {
namespace {

// The file attribute controls that chattr, lsattr and their like use: fixed size, no pointers
// inside. The daemon carries them out as root, so one that changes something may be listed only if
// the kernel checks its caller: under these numbers it does (vfs_fileattr_set), and the numbers of
// 32-bit programs (FS_IOC32_SETFLAGS) it translates for 32-bit programs before it checks. From a
// 64-bit program it passes those on unchecked, so they are answered as on the original: ENOTTY.
bool IsAttributeControl(uint32_t command) {
  switch (command) {
    case FS_IOC_GETFLAGS:
    case FS_IOC_SETFLAGS:
    case FS_IOC_GETVERSION:
    case FS_IOC_FSGETXATTR:
    case FS_IOC_FSSETXATTR:
      return true;
    default:
      return false;
  }
}

bool ChangesAttributes(uint32_t command) {
  return command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR;
}

}  // namespace

Action OpStatfs(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  struct statfs status;
  {
    const Result<PathFd> path = fs.inodes().Open(inode);
    if (!path.ok()) return Action::Error(path.error());
    if (fstatfs(path->get(), &status) != 0) return Action::Error(Errno::Last());
  }
  abi::StatfsOut out{};
  out.st.blocks = status.f_blocks;
  out.st.bfree = status.f_bfree;
  out.st.bavail = status.f_bavail;
  out.st.files = status.f_files;
  out.st.ffree = status.f_ffree;
  out.st.bsize = static_cast<uint32_t>(status.f_bsize);
  out.st.namelen = static_cast<uint32_t>(status.f_namelen);
  out.st.frsize = static_cast<uint32_t>(status.f_frsize);
  return ReplyWith(call, out);
}

Action OpSyncfs(FileSystem& fs, Call& call) {
  if (!call.may_block) return Action::Offload();
  const Result<PathFd> root = fs.inodes().Open(fs.inodes().root());
  if (!root.ok()) return Action::Error(root.error());
  const Result<UniqueFd> directory =
      OpenEvicting(fs.inodes(), root->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (!directory.ok()) return Action::Error(directory.error());
  const Outcome done = FromSyscall(syncfs(directory->get()));
  return done.ok() ? Action::Reply() : Action::Error(done.error());
}

Action OpIoctl(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::IoctlIn>();
  if ((in.flags & abi::kIoctlUnrestricted) != 0 || !IsAttributeControl(in.cmd))
    return Action::Error(Errno(ENOTTY));
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  // The largest argument of them is struct fsxattr; a long for the flags that are declared so.
  alignas(8) std::byte argument[64] = {};
  if (in.in_size > sizeof(argument) || in.out_size > sizeof(argument) ||
      in.in_size > call.request.payload.size()) {
    return Action::Error(Errno(EINVAL));
  }
  std::memcpy(argument, call.request.payload.data(), in.in_size);
  const int result = ioctl(file->fd.get(), in.cmd, argument);
  if (result < 0) return Action::Error(Errno::Last());
  if (ChangesAttributes(in.cmd)) fs.AttributesChanged(call.request.nodeid(), call.counters);
  if (call.reply.size() < sizeof(abi::IoctlOut) + in.out_size) return Action::Error(Errno(EIO));
  std::memcpy(call.reply.data() + sizeof(abi::IoctlOut), argument, in.out_size);
  ReplyWith(call, abi::IoctlOut{result, 0, 0, 0});
  return Action::Reply(sizeof(abi::IoctlOut) + in.out_size);
}

Action OpInterrupt(FileSystem& fs, Call& call) {
  fs.interrupts().Raise(Unique(call.request.As<abi::InterruptIn>().unique));
  return Action::NoReply();
}

Action OpDestroy(FileSystem&, Call&) { return Action::Reply(); }

}  // namespace shuntfs
