// OPENDIR, READDIR, READDIRPLUS.
//
// Offsets are the backing file system's own cookies, shortened at most (core/directory_offsets.h),
// so they are as stable as it makes them while the directory changes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/directory_offsets.h"
#include "core/hidden_spelling.h"
#include "core/open_flags.h"
#include "core/ops.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

// linux_dirent64 as getdents64(2) lays it out.
struct BackingEntry {
  uint64_t ino;
  uint64_t offset;
  uint16_t record_bytes;
  uint8_t type;
  const char* name;
};

// The entry at `next` of the buffer.
BackingEntry EntryAt(const DirectoryBuffer& buffer) {
  const std::byte* at = buffer.bytes.data() + buffer.next;
  BackingEntry entry{};
  std::memcpy(&entry.ino, at, 8);
  std::memcpy(&entry.offset, at + 8, 8);
  std::memcpy(&entry.record_bytes, at + 16, 2);
  std::memcpy(&entry.type, at + 18, 1);
  entry.name = reinterpret_cast<const char*>(at + 19);
  return entry;
}

// Uses a directory's buffer for one request. The kernel sends one READDIR at a time for an open
// directory. Afterwards the buffer stays only when it holds entries and all buffers together are
// within their limit.
class BufferUse {
 public:
  BufferUse(HandleTable& handles, DirectoryBuffer& buffer)
      : handles_(handles), buffer_(buffer), owns_(!buffer.in_use.test_and_set()) {}
  ~BufferUse() {
    if (!owns_) return;
    if (buffer_.next == buffer_.end || handles_.directory_bytes() > kMaxDirectoryBufferBytes)
      buffer_.Free();
    buffer_.in_use.clear();
  }
  BufferUse(const BufferUse&) = delete;
  BufferUse& operator=(const BufferUse&) = delete;
  bool owns() const { return owns_; }

 private:
  HandleTable& handles_;
  DirectoryBuffer& buffer_;
  const bool owns_;
};

// Makes the buffer continue at `offset`. False: the directory ends there.
Result<bool> Fill(DirectoryBuffer& buffer, int fd, uint64_t offset) {
  buffer.Allocate();
  if (offset != buffer.next_offset || buffer.reread) {
    if (lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) return Errno::Last();
    buffer.next = buffer.end = 0;
    buffer.next_offset = offset;
    buffer.reread = false;
  }
  if (buffer.next < buffer.end) return true;
  const long n = syscall(SYS_getdents64, fd, buffer.bytes.data(), buffer.bytes.size());
  if (n < 0) return Errno::Last();
  buffer.next = 0;
  buffer.end = static_cast<size_t>(n);
  return n > 0;
}

// Whether the offsets of the directory are hashes: that of its first entry tells.
Result<bool> HasHashedOffsets(const BackingDevice& device, DirectoryBuffer& buffer, int fd) {
  if (!device.may_hash_offsets) return false;
  if (buffer.hashed) return *buffer.hashed;
  const Result<bool> more = Fill(buffer, fd, 0);
  if (!more.ok()) return more.error();
  buffer.hashed = *more && EntryAt(buffer).offset > UINT32_MAX;
  return *buffer.hashed;
}

// Where in SRC the listing goes on for the kernel, which names `shown`.
Result<uint64_t> Position(const BackingDevice& device, DirectoryBuffer& buffer, int fd,
                          uint64_t shown) {
  const Result<bool> hashed = HasHashedOffsets(device, buffer, fd);
  if (!hashed.ok()) return hashed.error();
  if (!*hashed) return shown;
  return shown == buffer.next_shown ? buffer.next_offset : SourceOffset(shown);
}

// Passes the entry at `buffer.next`.
void Pass(const BackingEntry& entry, uint64_t shown, DirectoryBuffer& buffer) {
  buffer.next += entry.record_bytes;
  buffer.next_offset = entry.offset;
  buffer.next_shown = shown;
}

// Collects entries in the reply area up to the size that the kernel asked for.
class EntryWriter {
 public:
  EntryWriter(std::span<std::byte> area, bool plus) : area_(area), plus_(plus) {}

  size_t bytes() const { return used_; }
  bool Fits(size_t name_bytes) const { return used_ + RecordBytes(name_bytes) <= area_.size(); }
  // `entry_out`: for READDIRPLUS; nodeid 0 leaves the entry for a later LOOKUP.
  void Add(const BackingEntry& entry, uint64_t ino, uint64_t offset,
           const abi::EntryOut& entry_out) {
    const std::string_view name(entry.name);
    std::byte* at = area_.data() + used_;
    std::memset(at, 0, RecordBytes(name.size()));
    if (plus_) {
      std::memcpy(at, &entry_out, sizeof(entry_out));
      at += sizeof(entry_out);
    }
    const abi::Dirent dirent{ino, offset, static_cast<uint32_t>(name.size()), entry.type};
    std::memcpy(at, &dirent, sizeof(dirent));
    std::memcpy(at + sizeof(dirent), name.data(), name.size());
    used_ += RecordBytes(name.size());
  }

 private:
  size_t RecordBytes(size_t name_bytes) const {
    const size_t head = plus_ ? sizeof(abi::DirentPlus) : sizeof(abi::Dirent);
    return (head + name_bytes + 7) & ~size_t{7};
  }

  std::span<std::byte> area_;
  const bool plus_;
  size_t used_ = 0;
};

bool IsDots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Not shown: what is hidden, and names that no path may have. Another FUSE file system can list
// such; the kernel fails a listing with a name that is too long (fs/fuse/readdir.c), and one that
// fits no reply would end it.
bool IsShown(const FileSystem& fs, int directory_fd, const BackingEntry& entry) {
  if (std::strlen(entry.name) > kNameMax) return false;
  const Policy* policy = fs.policy();
  if (policy == nullptr || !policy->hides_names()) return true;
  return !policy->Hides(entry.name) && !IsHiddenSpelling(*policy, directory_fd, entry.name);
}

Action ReadDirectory(FileSystem& fs, Call& call, bool plus) {
  const auto in = call.request.As<abi::ReadIn>();
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr || file->directory == nullptr) return Action::Error(Errno(EBADF));
  if (in.size > call.reply.size()) return Action::Error(Errno(EINVAL));
  DirectoryBuffer& buffer = *file->directory;
  const BufferUse use(fs.handles(), buffer);
  if (!use.owns()) return Action::Error(Errno(EBUSY));

  EntryWriter writer(call.reply.first(in.size), plus);
  const int fd = file->fd.get();
  const Result<uint64_t> start = Position(*file->device, buffer, fd, in.offset);
  if (!start.ok()) return Action::Error(start.error());
  uint64_t offset = *start;
  while (true) {
    const Result<bool> more = Fill(buffer, fd, offset);
    if (!more.ok())
      return writer.bytes() > 0 ? Action::Reply(writer.bytes()) : Action::Error(more.error());
    if (!*more) break;
    const BackingEntry entry = EntryAt(buffer);
    const uint64_t shown =
        buffer.hashed.value_or(false) ? ShownOffset(entry.offset, offset) : entry.offset;
    if (IsShown(fs, fd, entry)) {
      if (!writer.Fits(std::strlen(entry.name))) break;
      abi::EntryOut entry_out{};
      if (plus && !IsDots(entry.name)) {
        // An entry that cannot be looked up now (gone, or on a file system that may block) is
        // listed all the same.
        const auto found = LookupEntry(fs, call, inode, fd, entry.name);
        if (found && found->ok()) entry_out = **found;
      }
      const uint64_t ino =
          entry_out.nodeid != 0 ? entry_out.attr.ino : file->device->ShownInode(entry.ino);
      writer.Add(entry, ino, shown, entry_out);
    }
    Pass(entry, shown, buffer);
    offset = entry.offset;
  }
  return Action::Reply(writer.bytes());
}

}  // namespace

Action OpOpendir(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  if (const Outcome entered = fs.inodes().Enter(inode); !entered.ok())
    return Action::Error(entered.error());
  auto file = std::make_unique<OpenFile>();
  {
    const Result<PathFd> path = fs.inodes().Open(inode);
    if (!path.ok()) return Action::Error(path.error());
    const int noatime = MayLeaveAtime(fs.options(), call.identity) ? O_NOATIME : 0;
    Result<UniqueFd> fd = OpenEvicting(fs.inodes(), path->get(), ".",
                                       O_RDONLY | O_DIRECTORY | O_CLOEXEC | noatime, 0);
    if (!fd.ok()) return Action::Error(fd.error());
    file->fd = std::move(*fd);
  }
  file->device = inode->device_ref();
  file->directory = fs.handles().MakeDirectoryBuffer();
  abi::OpenOut out{};
  // Listings of file systems of unknown kind (procfs) change without a change of times.
  if (!file->device->may_block) out.open_flags = abi::kFopenCacheDir;
  const Result<FileStatus> status = StatusOf(file->fd.get());
  if (status.ok() && inode->UnchangedSinceLastOpen(*status) && !fs.timeouts().attr.zero())
    out.open_flags |= abi::kFopenKeepCache;
  out.fh = InsertOpen(fs, inode, &file).value();
  if (out.fh == 0) return Action::Error(Errno(ENFILE));
  return ReplyWith(call, out);
}

Action OpReaddir(FileSystem& fs, Call& call) { return ReadDirectory(fs, call, /*plus=*/false); }

Action OpReaddirplus(FileSystem& fs, Call& call) { return ReadDirectory(fs, call, /*plus=*/true); }

}  // namespace shuntfs
