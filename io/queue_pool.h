// The memory that the kernel takes payloads of one queue's requests from (FUSE buffer pool, 7.3).
//
// Floor 3. Part of the registered region; owned by RingGroup. The kernel picks the slice, so all
// that is ours to do is to bound what it says, and to count how often nothing was left. Any thread.
#ifndef SHUNTFS_IO_QUEUE_POOL_H_
#define SHUNTFS_IO_QUEUE_POOL_H_

#include <atomic>
#include <cstdint>
#include <span>

#include "core/base/ids.h"

namespace shuntfs {

class QueuePool {
 public:
  // `bytes` holds whole slices of `slice_bytes`.
  QueuePool(QueueId qid, std::span<std::byte> bytes, uint32_t slice_bytes)
      : qid_(qid), bytes_(bytes), slice_bytes_(slice_bytes) {}

  QueueId qid() const { return qid_; }
  std::span<std::byte> bytes() const { return bytes_; }
  uint32_t slices() const { return static_cast<uint32_t>(bytes_.size() / slice_bytes_); }

  // The slice at `offset`, as the kernel reports it; empty when there is none.
  std::span<std::byte> Slice(uint32_t offset) const {
    if (offset % slice_bytes_ != 0 || offset >= bytes_.size()) return {};
    return bytes_.subspan(offset, slice_bytes_);
  }

  // A request with a slice has come. True: no slice is left for the next one.
  bool Take() { return taken_.fetch_add(1, std::memory_order_relaxed) + 1 >= slices(); }
  uint32_t taken() const { return taken_.load(std::memory_order_relaxed); }
  void GiveBack() { taken_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const QueueId qid_;
  const std::span<std::byte> bytes_;
  const uint32_t slice_bytes_;
  std::atomic<uint32_t> taken_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_QUEUE_POOL_H_
