#include "daemon/ring_plan.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <fstream>

#include "daemon/capability.h"

namespace shuntfs {
namespace {

uint64_t MemlockLimit() {
  rlimit limit{};
  if (HasCapability(CAP_IPC_LOCK) || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY)
    return kNoLimit;
  return limit.rlim_cur;
}

}  // namespace

uint32_t MaxPagesLimit() {
  uint32_t limit = 0;
  std::ifstream("/proc/sys/fs/fuse/max_pages_limit") >> limit;
  return limit == 0 ? 256 : limit;
}

absl::StatusOr<RingPlan> PlanRings(RingMode mode, uint64_t memory_budget_bytes,
                                   const RequestSizes& sizes, uint32_t workers) {
  RingPlan plan;
  const std::vector<int> possible = ReadCpuList("possible");
  const std::vector<int> online = ReadCpuList("online");
  if (possible.empty() || online.empty()) {
    return absl::UnavailableError(
        "the CPUs cannot be listed: /sys/devices/system/cpu is not readable; mount sysfs");
  }
  plan.possible_cpus = static_cast<uint32_t>(possible.size());
  plan.online_cpus = static_cast<uint32_t>(online.size());
  plan.workers = PlanWorkers(possible, online, workers);
  plan.inputs.queues = plan.possible_cpus;
  plan.inputs.budget_bytes = memory_budget_bytes;
  plan.inputs.memlock_bytes = MemlockLimit();
  plan.inputs.max_write_bytes = sizes.data_bytes;
  plan.inputs.pooled = mode != RingMode::kPerEntry;
  const MemoryPlanResult memory = PlanMemory(plan.inputs);
  if (!memory.error.empty()) return absl::ResourceExhaustedError(memory.error);
  plan.memory = memory.plan;
  return plan;
}

}  // namespace shuntfs
