// One io_uring as a worker uses it: 128-byte SQEs, FUSE commands, fixed-buffer I/O, messages to
// other rings.
//
// Floor 3. Used by one thread only, the one that called Open (SINGLE_ISSUER). Buffer 0 of its table
// is the region that all workers share (SharedRegion). Preparing never fails: when the submission
// queue is full it is submitted first.
#ifndef SHUNTFS_IO_RING_H_
#define SHUNTFS_IO_RING_H_

#include <liburing.h>

#include <span>

#include "core/base/errno.h"
#include "core/data_io.h"
#include "io/fixed_buffer_table.h"
#include "io/kernel_order.h"
#include "io/queue_pool.h"
#include "io/ring_entry.h"
#include "io/user_data.h"

namespace shuntfs {

struct RingSetup {
  uint32_t entries = 64;  // entries of ours that may be pending at once
  int fuse_fd = -1;
};

// Registers the region of all workers once, so that its pages are pinned and counted once; the
// rings take the table over. A ring of its own, which nobody submits to: the kernel lets no thread
// copy the table of another thread's SINGLE_ISSUER ring.
class SharedRegion {
 public:
  SharedRegion() = default;
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  // Errors as FixedBufferTable::Register. EPERM, ENOSYS: io_uring is not allowed here.
  Outcome Register(std::span<std::byte> region, uint32_t empty_slots);
  const FixedBufferTable& table() const { return table_; }

 private:
  io_uring ring_{};
  bool open_ = false;
  FixedBufferTable table_{&ring_};
};

class Ring {
 public:
  Ring() = default;
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // EPERM, ENOSYS: io_uring is not allowed here.
  Outcome Open(const RingSetup& setup);
  // Takes the registered region over, and pins all of its table for FUSE.
  Outcome UseRegion(const SharedRegion& region);
  // Also done by the destructor.
  void Close();
  // FUSE takes nothing from this ring any more: gives the region up, so that its pages are counted
  // no more when the ring is closed. The kernel tears a closed ring down later.
  void LeaveRegion();
  int fd() const { return ring_.ring_fd; }

  // ADD_QUEUE and ADD_BUFPOOL; they complete as CompletionKind::kQueue with the queue's number.
  void PrepareAddQueue(QueueId qid, bool zero_copy);
  void PrepareAddPool(const QueuePool& pool);
  // REGISTER or COMMIT_AND_FETCH.
  void PrepareCommand(RingEntry& entry);
  // The rest of the entry's transfer, into or out of its payload.
  void PrepareTransfer(const RingEntry& entry);
  // A READ of what is in memory, whole, and behind it the COMMIT, in one go. When all bytes were
  // read, only the entry's next request completes. Otherwise the READ completes (kTransfer: an
  // error, EAGAIN for what is not in memory, or fewer bytes), and there was no COMMIT. The READ is
  // decided by the end of the next Submit or SubmitAndWait. The file has to know RWF_NOWAIT
  // (EOPNOTSUPP) and must not be open with O_DIRECT.
  void PrepareReadThenCommit(RingEntry& entry);
  void PreparePoll(int fd, UserData data);
  // Posts a completion with `data` on the ring `target_fd`; a failure, and only that, completes
  // here as `unsent`.
  void PrepareMessage(int target_fd, UserData data, UserData unsent);

  // Sends what was prepared.
  void Submit();
  // Sends what was prepared and waits for a completion.
  void SubmitAndWait();

  // Not ok once the kernel has refused to take anything from this ring (a system call filter, say):
  // no request can be answered on it any more.
  const Outcome& health() const { return health_; }

  bool HasCompletions() const { return io_uring_cq_ready(&ring_) > 0; }
  // Calls `use(UserData, res)` for each completion that is there. Others come only while something
  // is submitted or waited for.
  template <typename Use>
  void ForEachCompletion(Use use) {
    AfterTheKernel();
    for (;;) {
      io_uring_cqe* cqe = nullptr;
      if (io_uring_peek_cqe(&ring_, &cqe) != 0 || cqe == nullptr) return;
      const UserData data = UserData::Unpack(cqe->user_data);
      const int res = cqe->res;
      io_uring_cqe_seen(&ring_, cqe);
      use(data, res);
    }
  }

 private:
  void NoteResult(int rc, unsigned prepared);
  io_uring_sqe* NextSqe();
  io_uring_sqe* NextTransfer(const RingEntry& entry);
  io_uring_sqe* NextCommand(uint32_t command, CompletionKind kind, uint32_t subject);

  io_uring ring_{};
  bool open_ = false;
  bool chained_ = false;  // a READ with its COMMIT was prepared and not submitted yet
  FixedBufferTable table_{&ring_};
  Outcome health_ = Ok();
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_H_
