// Transfers by plain system calls on the calling thread, and the rule for when a ring thread may do
// one.
//
// Floor 3.
#ifndef SHUNTFS_IO_SYNC_TRANSFER_H_
#define SHUNTFS_IO_SYNC_TRANSFER_H_

#include <cstdint>
#include <span>

#include "core/counters.h"
#include "core/data_io.h"
#include "core/sys/thread_identity.h"

namespace shuntfs {

// Carries the transfer out to its end. Bytes moved, or a negative errno; an error after some bytes
// gives the bytes. `payload` holds at least transfer.bytes.
int64_t RunTransfer(Transfer transfer, std::span<std::byte> payload, ThreadIdentity& identity,
                    Counters& counters);

// Decides whether a write may be done on the ring's own thread. It may as long as the file system
// takes writes without waiting; after one that waited (the page cache is full of dirty pages)
// writes go to kernel workers for a while, so that the other requests of the CPU do not wait with
// it. Times are of one monotonic clock, in nanoseconds.
class WritePacer {
 public:
  static constexpr int64_t kSlowNs = 2'000'000;
  static constexpr int64_t kHoldNs = 100'000'000;

  bool MayWriteInline(int64_t now_ns) const { return now_ns >= hold_until_ns_; }
  void Took(int64_t start_ns, int64_t end_ns) {
    if (end_ns - start_ns > kSlowNs) hold_until_ns_ = end_ns + kHoldNs;
  }

 private:
  int64_t hold_until_ns_ = 0;
};

int64_t MonotonicNs();

}  // namespace shuntfs

#endif  // SHUNTFS_IO_SYNC_TRANSFER_H_
