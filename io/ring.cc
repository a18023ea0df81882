#include "io/ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/protocol/abi.h"

namespace shuntfs {
namespace {

constexpr uint16_t kRegionSlot = FixedBufferTable::kRegionSlot;
constexpr int kFuseFile = 0;  // the registered-file slot of /dev/fuse

constexpr uint32_t kCommandOnBuffer = 1;  // IORING_URING_CMD_FIXED: buf_index holds

template <typename T>
T* CommandArea(io_uring_sqe* sqe) {
  static_assert(offsetof(io_uring_sqe, cmd) == 48);
  static_assert(sizeof(T) <= 128 - offsetof(io_uring_sqe, cmd));
  return reinterpret_cast<T*>(sqe->cmd);
}

// The command works on memory of the registered region.
void PointAtRegion(io_uring_sqe* sqe) {
  sqe->rw_flags = kCommandOnBuffer;  // in a union with uring_cmd_flags
  sqe->buf_index = kRegionSlot;
}

}  // namespace

SharedRegion::~SharedRegion() {
  if (!open_) return;
  static_cast<void>(table_.Unregister());
  io_uring_queue_exit(&ring_);
}

Outcome SharedRegion::Register(std::span<std::byte> region, uint32_t empty_slots) {
  if (const int rc = io_uring_queue_init(1, &ring_, 0); rc < 0) return Errno(-rc);
  open_ = true;
  io_uring_ring_dontfork(&ring_);
  return table_.Register(region, empty_slots);
}

Ring::~Ring() { Close(); }

void Ring::Close() {
  if (std::exchange(open_, false)) io_uring_queue_exit(&ring_);
}

Outcome Ring::Open(const RingSetup& setup) {
  io_uring_params params{};
  // One thread submits and reaps, and completions are worked off when it asks for them: no
  // interrupts of the thread, which measured best for every load (docs/tuning.md).
  params.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                 IORING_SETUP_DEFER_TASKRUN;
  // Two SQEs per entry (I/O and COMMIT) and room for messages; completions of a guest's entries
  // come on top of our own.
  const uint32_t sq_entries = setup.entries * 2 + 16;
  params.cq_entries = setup.entries * 8 + 64;
  const int rc = io_uring_queue_init_params(sq_entries, &ring_, &params);
  if (rc < 0) return Errno(-rc);
  open_ = true;
  // A child that is forked (fusermount3) must not hold the connection open.
  io_uring_ring_dontfork(&ring_);
  if (io_uring_register_ring_fd(&ring_) < 0)
    VLOG(1) << "the ring's descriptor could not be registered";
  const int files[] = {setup.fuse_fd};
  if (const int files_rc = io_uring_register_files(&ring_, files, 1); files_rc < 0)
    return Errno(-files_rc);
  return Ok();
}

Outcome Ring::UseRegion(const SharedRegion& region) {
  if (const Outcome done = table_.CloneFrom(region.table()); !done.ok()) return done;
  for (uint32_t slot = 0; slot < table_.slots(); ++slot) {
    if (const Outcome done = table_.Pin(slot); !done.ok()) return done;
  }
  return Ok();
}

void Ring::LeaveRegion() {
  if (!open_) return;
  table_.UnpinAll();
  if (const Outcome done = table_.Unregister(); !done.ok())
    LOG(WARNING) << "the region stays pinned: " << std::strerror(done.error().value());
}

io_uring_sqe* Ring::NextSqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    Submit();
    CHECK(health_.ok()) << "io_uring_enter: errno " << health_.error().value();
    sqe = io_uring_get_sqe(&ring_);
  }
  std::memset(sqe, 0, 128);
  return sqe;
}

io_uring_sqe* Ring::NextCommand(uint32_t command, CompletionKind kind, uint32_t subject) {
  io_uring_sqe* sqe = NextSqe();
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->fd = kFuseFile;
  sqe->cmd_op = command;
  sqe->user_data = UserData{kind, subject}.Pack();
  return sqe;
}

void Ring::PrepareAddQueue(QueueId qid, bool zero_copy) {
  io_uring_sqe* sqe = NextCommand(abi::kUringCmdAddQueue, CompletionKind::kQueue, qid.value());
  auto* command = CommandArea<abi::UringCmdReq>(sqe);
  command->qid = qid.value();
  command->flags = zero_copy ? abi::kUringZeroCopy : 0;
}

void Ring::PrepareAddPool(const QueuePool& pool) {
  const QueueId qid = pool.qid();
  io_uring_sqe* sqe = NextCommand(abi::kUringCmdAddBufpool, CompletionKind::kQueue, qid.value());
  PointAtRegion(sqe);
  auto* command = CommandArea<abi::UringCmdReq>(sqe);
  command->qid = qid.value();
  command->bufpool_uaddr = reinterpret_cast<uint64_t>(pool.bytes().data());
  command->bufpool_len = static_cast<uint32_t>(pool.bytes().size());
}

void Ring::PrepareCommand(RingEntry& entry) {
  const bool registers = entry.command() == RingCommand::kRegister;
  io_uring_sqe* sqe = NextCommand(registers ? abi::kUringCmdRegister : abi::kUringCmdCommitAndFetch,
                                  CompletionKind::kCommand, entry.index());
  if (entry.pooled()) PointAtRegion(sqe);
  if (registers) {
    sqe->addr = reinterpret_cast<uint64_t>(entry.iov());
    sqe->len = 2;
    auto* command = CommandArea<abi::UringRegisterReq>(sqe);
    command->qid = entry.qid().value();
    command->ent_zero_copy_buf_index = entry.zero_copy_slot();
  } else {
    auto* command = CommandArea<abi::UringCmdReq>(sqe);
    command->qid = entry.qid().value();
    command->commit_id = entry.commit_id().value();
  }
}

io_uring_sqe* Ring::NextTransfer(const RingEntry& entry) {
  const Transfer& transfer = entry.transfer;
  io_uring_sqe* sqe = NextSqe();
  if (transfer.kind == Transfer::Kind::kFsync || transfer.kind == Transfer::Kind::kFdatasync) {
    io_uring_prep_fsync(sqe, transfer.fd,
                        transfer.kind == Transfer::Kind::kFdatasync ? IORING_FSYNC_DATASYNC : 0);
  } else {
    // The caller's pages are addressed from 0 on, the region as it is mapped.
    const bool zero_copy = entry.request().zero_copy;
    const uint64_t base = zero_copy ? 0 : reinterpret_cast<uint64_t>(entry.payload().data());
    auto* at = reinterpret_cast<void*>(base + entry.done_bytes);
    const int slot = zero_copy ? entry.zero_copy_slot() : kRegionSlot;
    const uint32_t bytes = transfer.bytes - entry.done_bytes;
    const uint64_t offset = transfer.offset + entry.done_bytes;
    if (transfer.kind == Transfer::Kind::kRead) {
      io_uring_prep_read_fixed(sqe, transfer.fd, at, bytes, offset, slot);
    } else {
      io_uring_prep_write_fixed(sqe, transfer.fd, at, bytes, offset, slot);
    }
    sqe->rw_flags = transfer.rw_flags;
  }
  if (transfer.may_block) sqe->flags |= IOSQE_ASYNC;
  sqe->user_data = UserData{CompletionKind::kTransfer, entry.index()}.Pack();
  return sqe;
}

void Ring::PrepareTransfer(const RingEntry& entry) { NextTransfer(entry); }

void Ring::PrepareReadThenCommit(RingEntry& entry) {
  if (io_uring_sq_space_left(&ring_) < 2) Submit();  // a chain ends where a submission ends
  io_uring_sqe* read = NextTransfer(entry);
  if (!entry.transfer.at_once) read->rw_flags |= RWF_NOWAIT;  // unknown to what never waits
  read->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
  PrepareCommand(entry);
  chained_ = true;
}

void Ring::PreparePoll(int fd, UserData data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_poll_add(sqe, fd, POLL_IN);
  sqe->user_data = data.Pack();
}

void Ring::PrepareMessage(int target_fd, UserData data, UserData unsent) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_msg_ring(sqe, target_fd, 0, data.Pack(), 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = unsent.Pack();
}

void Ring::Submit() {
  const unsigned prepared = io_uring_sq_ready(&ring_);
  BeforeTheKernel();
  NoteResult(io_uring_submit(&ring_), prepared);
}

void Ring::SubmitAndWait() {
  const unsigned prepared = io_uring_sq_ready(&ring_);
  BeforeTheKernel();
  NoteResult(io_uring_submit_and_wait(&ring_, 1), prepared);
}

void Ring::NoteResult(int rc, unsigned prepared) {
  const bool chained = std::exchange(chained_, false);
  if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY) health_ = Errno(-rc);
  if (rc == static_cast<int>(prepared) || !chained) return;
  // Out of memory, the kernel takes a part, and a COMMIT whose READ went before it would tell of
  // bytes that perhaps were not read.
  if (rc >= 0)
    health_ = Errno(ENOMEM);
  else
    chained_ = true;  // nothing was taken
}

}  // namespace shuntfs
