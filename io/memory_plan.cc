#include "io/memory_plan.h"

#include <algorithm>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

// Fewer entries than this leave one slow request room to stall its CPU's queue...
constexpr uint32_t kMinEntries = 4;
// ...which is better than no ring, where payloads cannot be smaller: the default budget then lasts
// for 321 CPUs.
constexpr uint32_t kFewestEntries = 3;

constexpr uint32_t kPageBytes = 4096;

// One registered buffer is at most this long (io_uring/rsrc.c, io_buffer_validate).
constexpr uint64_t kMaxBufferBytes = 1ULL << 30;

// How many payloads per queue may be pinned. What is pinned is counted in whole pages, headers
// included, and may not pass the kernel's size of one buffer.
uint64_t SlicesWithin(const MemoryInputs& inputs, uint32_t payload_bytes) {
  const uint64_t limit = std::min(inputs.memlock_bytes, kMaxBufferBytes);
  const uint64_t usable = limit < kPageBytes ? 0 : (limit - kPageBytes) / inputs.queues;
  if (!inputs.pooled) return usable / (payload_bytes + kEntryHeaderBytes);
  const uint64_t headers = inputs.entries_wished * kEntryHeaderBytes;
  return usable < headers ? 0 : (usable - headers) / payload_bytes;
}

// Which of the three limits keeps `payload_bytes` per entry out, and what to change.
std::string Explain(const MemoryInputs& inputs, uint32_t payload_bytes) {
  const uint64_t entries = uint64_t{inputs.pooled ? inputs.entries_wished : kFewestEntries};
  const uint64_t payloads = uint64_t{kFewestEntries} * inputs.queues * payload_bytes;
  const uint64_t pinned = payloads + kEntryHeaderBytes * entries * inputs.queues + kPageBytes;
  std::string text = "the rings need " + std::to_string(pinned) + " bytes for " +
                     std::to_string(inputs.queues) + " queues with " +
                     std::to_string(kFewestEntries) + " payloads of " +
                     std::to_string(payload_bytes) + " bytes each, but ";
  if (payloads > inputs.budget_bytes)
    return text + "memory_budget allows " + std::to_string(inputs.budget_bytes) + ": raise it";
  if (pinned > inputs.memlock_bytes) {
    return text + "RLIMIT_MEMLOCK allows " + std::to_string(inputs.memlock_bytes) +
           ": raise it (ulimit -l)";
  }
  return text + "the kernel registers no more than " + std::to_string(kMaxBufferBytes) +
         " bytes as one buffer: use data_path=device";
}

}  // namespace

MemoryPlanResult PlanMemory(const MemoryInputs& inputs) {
  MemoryPlanResult result;
  uint32_t data = std::max(kPageBytes, inputs.max_write_bytes / kPageBytes * kPageBytes);
  for (;; data = data / 2 / kPageBytes * kPageBytes) {
    const uint32_t payload = std::max(data, kMinPayloadBytes);
    const bool smallest = payload == kMinPayloadBytes;
    const uint64_t in_budget = inputs.budget_bytes / payload / inputs.queues;
    const uint64_t slices = std::min<uint64_t>(std::min(in_budget, SlicesWithin(inputs, payload)),
                                               inputs.entries_wished);
    if (slices >= (smallest ? kFewestEntries : kMinEntries)) {
      result.plan.slices_per_queue = static_cast<uint32_t>(slices);
      result.plan.entries_per_queue =
          inputs.pooled ? inputs.entries_wished : static_cast<uint32_t>(slices);
      result.plan.data_bytes = data;
      result.plan.payload_bytes = payload;
      return result;
    }
    if (smallest) break;
  }
  result.error = Explain(inputs, kMinPayloadBytes);
  return result;
}

}  // namespace shuntfs
