#include "core/reply.h"

#include "core/base/limits.h"
#include "core/sys/pseudo_file_systems.h"

namespace shuntfs {
namespace {

// The kernel's encoding of a device number in one word (new_encode_dev).
uint32_t EncodeDevice(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
}

abi::SxTime TimeOf(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec, 0}; }

}  // namespace

abi::Attr AttrOf(const FileStatus& status, const BackingDevice& device, const Policy* policy) {
  if (policy != nullptr) return AttrOf(policy->Shown(status), device, nullptr);
  abi::Attr attr{};
  attr.ino = device.ShownInode(status.stx_ino);
  attr.size = status.stx_size;
  attr.blocks = status.stx_blocks;
  attr.atime = static_cast<uint64_t>(status.stx_atime.tv_sec);
  attr.mtime = static_cast<uint64_t>(status.stx_mtime.tv_sec);
  attr.ctime = static_cast<uint64_t>(status.stx_ctime.tv_sec);
  attr.atimensec = status.stx_atime.tv_nsec;
  attr.mtimensec = status.stx_mtime.tv_nsec;
  attr.ctimensec = status.stx_ctime.tv_nsec;
  attr.mode = status.stx_mode;
  attr.nlink = status.stx_nlink;
  attr.uid = status.stx_uid;
  attr.gid = status.stx_gid;
  attr.rdev = EncodeDevice(status.stx_rdev_major, status.stx_rdev_minor);
  attr.blksize = status.stx_blksize;
  return attr;
}

abi::Statx StatxOf(const FileStatus& status, const BackingDevice& device, const Policy* policy) {
  if (policy != nullptr) return StatxOf(policy->Shown(status), device, nullptr);
  abi::Statx out{};
  out.mask = status.stx_mask & (STATX_BASIC_STATS | STATX_BTIME);
  out.blksize = status.stx_blksize;
  out.attributes = status.stx_attributes;
  out.attributes_mask = status.stx_attributes_mask;
  out.nlink = status.stx_nlink;
  out.uid = status.stx_uid;
  out.gid = status.stx_gid;
  out.mode = status.stx_mode;
  out.ino = device.ShownInode(status.stx_ino);
  out.size = status.stx_size;
  out.blocks = status.stx_blocks;
  out.atime = TimeOf(status.stx_atime);
  out.btime = TimeOf(status.stx_btime);
  out.ctime = TimeOf(status.stx_ctime);
  out.mtime = TimeOf(status.stx_mtime);
  out.rdev_major = status.stx_rdev_major;
  out.rdev_minor = status.stx_rdev_minor;
  return out;
}

CacheTimeout AttrTimeoutOf(const CacheTimeouts& timeouts, const Inode& inode) {
  return inode.writers().passed_through() ? CacheTimeout{0, 0} : timeouts.attr;
}

abi::EntryOut EntryOf(const FileSystem& fs, const Inode& inode, const FileStatus& status) {
  const CacheTimeouts timeouts = fs.timeouts();
  const CacheTimeout attr_timeout = AttrTimeoutOf(timeouts, inode);
  abi::EntryOut entry{};
  entry.nodeid = inode.nodeid().value();
  entry.generation = fs.generation();
  entry.entry_valid = timeouts.entry.seconds;
  entry.entry_valid_nsec = timeouts.entry.nanoseconds;
  entry.attr_valid = attr_timeout.seconds;
  entry.attr_valid_nsec = attr_timeout.nanoseconds;
  entry.attr = AttrOf(status, inode.device(), fs.policy());
  return entry;
}

namespace {

// Whether the file system that `name` in `parent_fd` is on may be entered. May wait for it.
Outcome MayEnter(const FileSystem& fs, const BackingDevice& device, int parent_fd,
                 const char* name) {
  if (fs.options().allow_pseudo_filesystems) return Ok();
  if (device.type_known) return device.pseudo ? Outcome(Errno(EACCES)) : Ok();
  const Result<std::string_view> pseudo_type = PseudoTypeAt(parent_fd, name);
  if (!pseudo_type.ok()) return pseudo_type.error();
  return pseudo_type->empty() ? Ok() : Outcome(Errno(EACCES));
}

}  // namespace

std::optional<Result<abi::EntryOut>> LookupEntry(FileSystem& fs, const Call& call, Inode* parent,
                                                 int parent_fd, const char* name) {
  // A directory of another FUSE mount can list longer names than any path may have.
  if (std::strlen(name) > kNameMax) return Errno(ENAMETOOLONG);
  // Without AT_STATX_DONT_SYNC the root of a dead network mount below SRC would hold this thread
  // up.
  const Result<FileStatus> status =
      StatusAt(parent_fd, name, call.may_block ? 0 : AT_STATX_DONT_SYNC);
  if (!status.ok()) return status.error();
  const DeviceRef* device = &parent->device_ref();
  Result<DeviceRef> found = Errno(0);
  const bool leaves_parent = !fs.devices().IsOf(**device, *status);
  if (leaves_parent) {
    found = fs.devices().Find(*status, parent_fd, name);
    if (!found.ok()) return found.error();
    device = &*found;
  }
  if ((*device)->may_block && !call.may_block) return std::nullopt;
  if (leaves_parent) {
    const Outcome entered = MayEnter(fs, **device, parent_fd, name);
    if (!entered.ok()) return entered.error();
  }
  const Inode* inode = fs.inodes().Lookup(*status, *device, parent, name, parent_fd);
  if (inode == nullptr) return Errno(ENOMEM);
  return EntryOf(fs, *inode, *status);
}

}  // namespace shuntfs
