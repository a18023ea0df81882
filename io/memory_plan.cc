#include "io/memory_plan.h"

#include <algorithm>

namespace shuntfs {
namespace {

// Fewer entries than this leave one slow request room to stall its CPU's queue.
constexpr uint32_t kMinEntries = 4;
// Smaller requests than this cost more in round trips than they save in memory (the kernel's own minimum is 8 KiB).
constexpr uint32_t kMinPayloadBytes = 64U << 10;

}  // namespace

MemoryPlanResult PlanMemory(const MemoryInputs& inputs) {
  const uint64_t limit = std::min(inputs.budget_bytes, inputs.memlock_bytes);
  const uint32_t smallest = std::max(8192U, std::min(kMinPayloadBytes, inputs.max_write_bytes));
  MemoryPlanResult result;
  for (uint32_t payload = std::max(8192U, inputs.max_write_bytes); payload >= smallest; payload /= 2) {
    const uint64_t per_entry = (payload + kEntryHeaderBytes) * inputs.queues;
    const uint64_t entries = std::min<uint64_t>(limit / per_entry, inputs.entries_wished);
    if (entries < kMinEntries) continue;
    result.plan.entries_per_queue = static_cast<uint32_t>(entries);
    result.plan.payload_bytes = payload;
    return result;
  }
  const uint64_t needed = uint64_t{smallest + kEntryHeaderBytes} * kMinEntries * inputs.queues;
  result.error = "the rings need " + std::to_string(needed) + " bytes for " + std::to_string(inputs.queues) +
                 " queues with " + std::to_string(kMinEntries) + " entries each, but ";
  result.error += inputs.memlock_bytes < inputs.budget_bytes
                      ? "RLIMIT_MEMLOCK allows " + std::to_string(inputs.memlock_bytes) + ": raise it (ulimit -l)"
                      : "memory_budget allows " + std::to_string(inputs.budget_bytes) + ": raise it";
  return result;
}

}  // namespace shuntfs
