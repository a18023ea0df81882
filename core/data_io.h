// What a handler leaves for its transport to do: answer now, move data first, or run the handler
// again where it may block.
//
// Floor 2. core/ describes a transfer, io/ carries it out (READ_FIXED on a ring, pread on a device
// thread) and comes back with the number of bytes. So operations are tested without any transport,
// and io/ knows nothing of policy.
#ifndef SHUNTFS_CORE_DATA_IO_H_
#define SHUNTFS_CORE_DATA_IO_H_

#include <cstdint>
#include <utility>

#include "core/base/errno.h"
#include "core/base/ids.h"
#include "core/device_table.h"

namespace shuntfs {

// Data between a backing file and the request's payload area, from the payload's first byte on.
struct Transfer {
  enum class Kind : uint8_t { kRead, kWrite, kFsync, kFdatasync };
  Kind kind = Kind::kRead;
  IoPolicy policy = IoPolicy::kPlain;
  bool may_block = false;    // not on a thread that serves others
  bool at_once = false;      // through the ring, it is done when it is submitted
  bool strips_suid = false;  // a write that removes setuid and setgid bits
  HostGid group{0};          // of the caller, for a write that strips them
  bool by_call = false;      // by a system call on the slow pool: the file system may never answer
  int fd = -1;               // the kernel keeps the handle open while its request is in work
  int buffered_fd = -1;      // when `fd` has O_DIRECT: for what it refuses as misaligned (EINVAL)
  int rw_flags = 0;          // RWF_*
  uint64_t offset = 0;
  uint32_t bytes = 0;
};

// Goes on without O_DIRECT after `error`, if that can help. False: it cannot.
inline bool FallBackToBuffered(Transfer* transfer, Errno error) {
  if (transfer->buffered_fd < 0 || error != Errno(EINVAL)) return false;
  transfer->fd = std::exchange(transfer->buffered_fd, -1);
  return true;
}

// What a request waits for that is run where it may block. Decides how many of a user may.
enum class WaitsFor : uint8_t {
  kItsWork,  // ends by itself
  kServer,   // a file system that may never answer
  kHolder,   // another process, which gives a lease back when it likes
};

struct Action {
  enum class Kind : uint8_t {
    kReply,     // `error`, or `reply_bytes` of the reply area
    kNoReply,   // FORGET and its like
    kTransfer,  // then FinishTransfer
    kOffload,   // run the handler again on a thread that may block
  };
  Kind kind = Kind::kReply;
  Errno error{0};
  uint32_t reply_bytes = 0;
  Transfer transfer{};
  WaitsFor waits_for = WaitsFor::kItsWork;  // of kOffload

  static Action Reply(size_t bytes = 0) {
    return {Kind::kReply, Errno(0), static_cast<uint32_t>(bytes), {}, {}};
  }
  static Action Error(Errno error) { return {Kind::kReply, error, 0, {}, {}}; }
  static Action NoReply() { return {Kind::kNoReply, Errno(0), 0, {}, {}}; }
  static Action Offload(WaitsFor waits_for = WaitsFor::kItsWork) {
    return {Kind::kOffload, Errno(0), 0, {}, waits_for};
  }
  static Action Move(const Transfer& transfer) {
    return {Kind::kTransfer, Errno(0), 0, transfer, {}};
  }
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_DATA_IO_H_
