// LSEEK: where data and holes begin. (The kernel answers all other positions by itself.)
//
// The backing file does not know what the kernel has not written back yet: stores through a shared
// mapping, and with the writeback cache every write. Where it has a hole there may be such data,
// and a program that copies by SEEK_DATA would lose it. So while somebody has the file open for
// writing through the kernel's cache, the kernel is made to write back what it may have in a hole
// before the hole is reported. What is data in the backing file is data whatever the kernel has,
// and costs nothing.
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {
namespace {

// A part of a file; `bytes` 0: to its end, wherever that is.
struct Range {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Seek {
  int fd;
  uint64_t offset;
  int whence;  // SEEK_DATA or SEEK_HOLE
  // The kernel alone knows how long the file is.
  bool writeback;
};

Result<uint64_t> Find(int fd, uint64_t offset, int whence) {
  // The position of the backing descriptor is nobody's: all I/O names its offset.
  const off_t found = lseek(fd, static_cast<off_t>(offset), whence);
  if (found < 0) return Errno::Last();
  return static_cast<uint64_t>(found);
}

Result<uint64_t> SizeOf(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return Errno::Last();
  return static_cast<uint64_t>(status.st_size);
}

// The hole on which the answer `found` rests; none: it rests on data, or on the end of the file.
std::optional<Range> HoleBehind(const Seek& seek, const Result<uint64_t>& found) {
  if (seek.whence != SEEK_DATA && seek.whence != SEEK_HOLE) return std::nullopt;
  if (!found.ok() && found.error() != Errno(ENXIO)) return std::nullopt;
  const Result<uint64_t> size = SizeOf(seek.fd);
  const uint64_t begin = seek.whence == SEEK_HOLE && found.ok() ? *found : seek.offset;
  if (!seek.writeback && size.ok() && begin >= *size) return std::nullopt;
  const Result<uint64_t> end = seek.whence == SEEK_HOLE ? Find(seek.fd, begin, SEEK_DATA) : found;
  if (!end.ok()) return Range{begin, 0};
  if (*end <= begin) return std::nullopt;
  return Range{begin, *end - begin};
}

// The answer when nothing can be written back now: all that may be data is called data, which is
// always allowed. With the writeback cache the end of the file is not known here; EINVAL makes
// programs read the whole file.
Result<uint64_t> WithoutWriteBack(const Seek& seek) {
  if (seek.writeback) return Errno(EINVAL);
  const Result<uint64_t> size = SizeOf(seek.fd);
  if (!size.ok()) return size.error();
  if (seek.offset >= *size) return Errno(ENXIO);
  return seek.whence == SEEK_DATA ? seek.offset : *size;
}

// Whether all of `hole` was written back as part of `written`.
bool Covers(const Range& written, const Range& hole) {
  if (hole.offset < written.offset) return false;
  return written.bytes == 0 || hole.offset < written.offset + written.bytes;
}

Action ReplyFound(Call& call, const Result<uint64_t>& found) {
  if (!found.ok()) return Action::Error(found.error());
  return ReplyWith(call, abi::LseekOut{*found});
}

// Writes back the hole that was found. If data turns up in all of it, the next hole could turn out
// so as well, and so on: the second time everything from there on is written back.
Action SeekWrittenBack(FileSystem& fs, Call& call, const Seek& seek, Range hole) {
  const NodeId nodeid = call.request.nodeid();
  for (int round = 0;; ++round) {
    const Outcome done = fs.notices()->WriteBack(nodeid, hole.offset, hole.bytes, call.counters);
    if (!done.ok()) return ReplyFound(call, WithoutWriteBack(seek));
    const Result<uint64_t> found = Find(seek.fd, seek.offset, seek.whence);
    const std::optional<Range> next = HoleBehind(seek, found);
    if (round > 0 || !next.has_value() || Covers(hole, *next)) return ReplyFound(call, found);
    hole = Range{next->offset, 0};
  }
}

}  // namespace

Action OpLseek(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::LseekIn>();
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  const Seek seek{file->fd.get(), in.offset, static_cast<int>(in.whence), fs.options().writeback};
  const Result<uint64_t> found = Find(seek.fd, seek.offset, seek.whence);
  const Inode* inode = fs.inodes().Find(call.request.nodeid());
  const bool written = inode != nullptr && inode->writers().cached();
  if (!written || fs.notices() == nullptr) return ReplyFound(call, found);
  const std::optional<Range> hole = HoleBehind(seek, found);
  if (!hole.has_value()) return ReplyFound(call, found);
  if (!call.may_block) return Action::Offload();
  return SeekWrittenBack(fs, call, seek, *hole);
}

}  // namespace shuntfs
