// How much memory the rings take: entries per queue and bytes per entry, from the budget and the
// limits.
//
// Floor 3. A pure function of plain numbers. Everything planned is pinned for the life of the
// mount.
#ifndef SHUNTFS_IO_MEMORY_PLAN_H_
#define SHUNTFS_IO_MEMORY_PLAN_H_

#include <cstdint>
#include <limits>
#include <string>

namespace shuntfs {

inline constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
inline constexpr uint64_t kHugePageBytes = 2U << 20;
// An entry's header: 288 bytes, padded so that no two entries share a cache line.
inline constexpr uint64_t kEntryHeaderBytes = 320;

struct MemoryInputs {
  uint32_t queues = 1;  // possible CPUs
  uint64_t budget_bytes =
      64ULL << 20;  // what the operator allows for payloads; the headers come on top
  uint64_t memlock_bytes = kNoLimit;    // RLIMIT_MEMLOCK, or kNoLimit with CAP_IPC_LOCK
  uint32_t max_write_bytes = 1U << 20;  // the most data of a request that is wished for
  uint32_t entries_wished = 16;         // per queue
  bool pooled = false;  // entries share their queue's payloads, so there may be fewer of these
};

struct MemoryPlan {
  uint32_t entries_per_queue = 0;
  uint32_t slices_per_queue = 0;  // payloads; as many as entries, or fewer in a pool
  uint32_t data_bytes = 0;        // the most data of a request
  uint32_t payload_bytes = 0;     // per slice: the data, and never below kMinPayloadBytes
};

struct MemoryPlanResult {
  MemoryPlan plan;
  std::string error;  // empty, or the numbers and what to change
};

// As many payloads of the wished size as fit, at least four; when those do not fit, smaller ones,
// and three when they cannot be smaller. Entries: one for each payload, or in a pool as many as
// were wished for.
MemoryPlanResult PlanMemory(const MemoryInputs& inputs);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_MEMORY_PLAN_H_
