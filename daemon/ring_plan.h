// What the rings of a mount come to on this machine: queues, workers, memory, and the numbers that
// they follow from. `shuntfs config show` prints what a mount would use, from the same function.
//
// Floor 4. Looks at the CPUs and limits as they are now.
#ifndef SHUNTFS_DAEMON_RING_PLAN_H_
#define SHUNTFS_DAEMON_RING_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/protocol/init.h"
#include "io/cpu_list.h"
#include "io/memory_plan.h"
#include "io/ring_mode.h"

namespace shuntfs {

struct RingPlan {
  uint32_t possible_cpus = 0;
  uint32_t online_cpus = 0;
  std::vector<WorkerPlan> workers;
  MemoryInputs inputs;
  MemoryPlan memory;
};

// fs.fuse.max_pages_limit (6.13); before it, 256 was built in.
uint32_t MaxPagesLimit();

// `sizes`: of requests, as INIT would agree on them; the plan may have them smaller. The error
// tells which number does not fit, and what to change.
absl::StatusOr<RingPlan> PlanRings(RingMode mode, uint64_t memory_budget_bytes,
                                   const RequestSizes& sizes, uint32_t workers);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_RING_PLAN_H_
