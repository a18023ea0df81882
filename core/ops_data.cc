// What moves or shapes file data: READ, WRITE, FSYNC (and FSYNCDIR), FALLOCATE, COPY_FILE_RANGE and
// its 64-bit form.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "core/base/limits.h"
#include "core/caller.h"
#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {
namespace {

// Copies until done, end of file, an error, or an interrupt; what was copied counts, as
// copy_file_range(2) has it.
Result<uint64_t> Copy(FileSystem& fs, const Call& call, const abi::CopyFileRangeIn& in) {
  const OpenFile* source = fs.handles().Find(FileHandle(in.fh_in));
  const OpenFile* target = fs.handles().Find(FileHandle(in.fh_out));
  if (source == nullptr || target == nullptr) return Errno(EBADF);
  StripAsCaller(fs, call);
  auto from = static_cast<off_t>(in.off_in);
  auto to = static_cast<off_t>(in.off_out);
  uint64_t copied = 0;
  while (copied < in.len) {
    if (call.watch != nullptr && call.watch->interrupted())
      return copied > 0 ? Result<uint64_t>(copied) : Errno(EINTR);
    const size_t chunk = std::min(in.len - copied, kCopyChunkBytes);
    const ssize_t n = copy_file_range(source->fd.get(), &from, target->fd.get(), &to, chunk,
                                      static_cast<unsigned>(in.flags));
    if (n < 0) return copied > 0 ? Result<uint64_t>(copied) : Errno::Last();
    if (n == 0) break;
    if (copied == 0) fs.SetIdMayBeGone(NodeId(in.nodeid_out), call.counters);
    copied += static_cast<uint64_t>(n);
  }
  return copied;
}

// The source is on a file system that answers, or this would not be reached (FileSystem::Dispatch).
Action OffloadCopy(FileSystem& fs, const Call& call) {
  const auto in = call.request.As<abi::CopyFileRangeIn>();
  const OpenFile* target = fs.handles().Find(FileHandle(in.fh_out));
  const bool slow = target != nullptr && target->device->may_block;
  return Action::Offload(slow ? WaitsFor::kServer : WaitsFor::kItsWork);
}

// Which of the file's descriptors the data goes through. A direct transfer waits for the disk, so
// the ring does it; what is no multiple of a sector is not even tried.
void ChooseDescriptor(const OpenFile& file, Transfer* transfer) {
  constexpr uint64_t kSectorBytes = 512;
  transfer->fd = file.fd.get();
  const bool whole_sectors = (transfer->offset | transfer->bytes) % kSectorBytes == 0;
  if (!file.direct_fd.valid() || !whole_sectors) return;
  transfer->fd = file.direct_fd.get();
  transfer->buffered_fd = file.fd.get();
  transfer->policy = IoPolicy::kFixed;
  transfer->at_once = false;
}

}  // namespace

Action OpRead(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::ReadIn>();
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  if (!call.request.zero_copy && in.size > call.reply.size()) return Action::Error(Errno(EINVAL));
  Transfer transfer;
  transfer.kind = Transfer::Kind::kRead;
  transfer.policy = file->device->read;
  transfer.may_block = file->device->may_block;
  // How many of a user wait is limited on the slow pool alone. Besides, io_uring polls a file on
  // FUSE whose server answers EAGAIN, finds it ready and asks the server again, without end and
  // without telling anybody.
  transfer.by_call = file->device->may_block;
  transfer.at_once = file->at_once;
  transfer.offset = in.offset;
  transfer.bytes = in.size;
  ChooseDescriptor(*file, &transfer);
  return Action::Move(transfer);
}

Action OpWrite(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::WriteIn>();
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  const size_t sent =
      call.request.zero_copy ? call.request.zero_copy_bytes : call.request.payload.size();
  if (in.size > sent) return Action::Error(Errno(EINVAL));
  Transfer transfer;
  transfer.kind = Transfer::Kind::kWrite;
  // A write that waits for the disk goes to the ring whatever the file system: a kernel worker
  // waits for it.
  transfer.policy = file->synchronous ? IoPolicy::kFixed : file->device->write;
  transfer.may_block = file->device->may_block || file->synchronous;
  // Of a direct write that a FUSE file system took in part, only a system call tells how much;
  // io_uring's asynchronous one gets EIO (fs/fuse/file.c, fuse_get_res_by_io).
  transfer.by_call = file->device->may_block;
  // Pages are written back by the kernel, not by who changed them.
  const bool written_back = (in.write_flags & abi::kWriteCache) != 0;
  transfer.strips_suid = (in.write_flags & abi::kWriteKillSuidgid) != 0 ||
                         (!written_back && ActsWithoutPrivilege(fs, call.request));
  transfer.group = GroupOf(fs, call.request);
  transfer.offset = in.offset;
  transfer.bytes = in.size;
  ChooseDescriptor(*file, &transfer);
  // Pages written back have their place already; a write of the caller's goes to the end as it is
  // then. With the writeback cache the kernel alone knows the end: the backing file may be shorter.
  if ((in.flags & O_APPEND) != 0 && (in.write_flags & abi::kWriteCache) == 0 &&
      !fs.options().writeback)
    transfer.rw_flags = RWF_APPEND;
  return Action::Move(transfer);
}

Action OpFsync(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::FsyncIn>();
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  Transfer transfer;
  transfer.kind = (in.fsync_flags & abi::kFsyncFdatasync) != 0 ? Transfer::Kind::kFdatasync
                                                               : Transfer::Kind::kFsync;
  transfer.policy = IoPolicy::kFixed;
  transfer.may_block = true;
  transfer.by_call = file->device->may_block;
  transfer.fd = file->fd.get();
  return Action::Move(transfer);
}

Action OpFallocate(FileSystem& fs, Call& call) {
  if (!call.may_block) return Action::Offload();
  const auto in = call.request.As<abi::FallocateIn>();
  const OpenFile* file = fs.handles().Find(FileHandle(in.fh));
  if (file == nullptr) return Action::Error(Errno(EBADF));
  StripAsCaller(fs, call);
  const Outcome done =
      FromSyscall(fallocate(file->fd.get(), static_cast<int>(in.mode),
                            static_cast<off_t>(in.offset), static_cast<off_t>(in.length)));
  if (!done.ok()) return Action::Error(done.error());
  fs.SetIdMayBeGone(call.request.nodeid(), call.counters);
  return Action::Reply();
}

Action OpCopyFileRange(FileSystem& fs, Call& call) {
  if (!call.may_block) return OffloadCopy(fs, call);
  auto in = call.request.As<abi::CopyFileRangeIn>();
  // The reply has 32 bits for the count, so more cannot be reported.
  in.len = std::min<uint64_t>(in.len, std::numeric_limits<uint32_t>::max() & ~4095U);
  const Result<uint64_t> copied = Copy(fs, call, in);
  if (!copied.ok()) return Action::Error(copied.error());
  return ReplyWith(call, abi::WriteOut{static_cast<uint32_t>(*copied), 0});
}

Action OpCopyFileRange64(FileSystem& fs, Call& call) {
  if (!call.may_block) return OffloadCopy(fs, call);
  const Result<uint64_t> copied = Copy(fs, call, call.request.As<abi::CopyFileRangeIn>());
  if (!copied.ok()) return Action::Error(copied.error());
  return ReplyWith(call, abi::CopyFileRangeOut{*copied});
}

}  // namespace shuntfs
