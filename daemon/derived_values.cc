#include "daemon/derived_values.h"

#include <unistd.h>

#include <optional>

#include "absl/strings/str_format.h"
#include "config/values.h"
#include "core/base/limits.h"
#include "daemon/compose.h"
#include "daemon/data_path.h"
#include "daemon/ring_plan.h"
#include "daemon/serve.h"

namespace shuntfs {
namespace {

std::string LimitText(uint64_t bytes) {
  return bytes == kNoLimit ? std::string("no limit of locked memory")
                           : "RLIMIT_MEMLOCK " + FormatBytes(bytes);
}

// What the rings of that mode take.
void DeriveRings(const Options& options, RingMode mode, std::vector<DerivedValue>* values) {
  const uint32_t limit = MaxPagesLimit();
  const RequestSizes sizes = SizesOf(options.max_write_bytes, limit);
  const absl::StatusOr<RingPlan> plan =
      PlanRings(mode, options.memory_budget_bytes, sizes, options.workers);
  if (!plan.ok()) {
    values->push_back({"rings", "none: they do not fit", std::string(plan.status().message())});
    return;
  }
  const MemoryPlan& memory = plan->memory;
  const std::string from = absl::StrFormat(
      "memory_budget %s, %d queues, max_write %s, fs.fuse.max_pages_limit %d, %s, at most %d "
      "entries for each queue",
      FormatBytes(options.memory_budget_bytes), plan->inputs.queues,
      FormatBytes(options.max_write_bytes), limit, LimitText(plan->inputs.memlock_bytes),
      plan->inputs.entries_wished);
  const uint64_t payloads =
      uint64_t{memory.slices_per_queue} * memory.payload_bytes * plan->inputs.queues;
  values->push_back({"queues", absl::StrFormat("%d", plan->inputs.queues),
                     absl::StrFormat("possible CPUs %d", plan->possible_cpus)});
  values->push_back(
      {"workers", absl::StrFormat("%d", plan->workers.size()),
       absl::StrFormat("workers %d, online CPUs %d", options.workers, plan->online_cpus)});
  values->push_back({"entries_per_queue", absl::StrFormat("%d", memory.entries_per_queue), from});
  values->push_back({"payloads_per_queue", absl::StrFormat("%d", memory.slices_per_queue),
                     plan->inputs.pooled ? "shared by the queue's entries; " + from : from});
  values->push_back({"largest_request", FormatBytes(memory.data_bytes), from});
  values->push_back(
      {"payload_size", FormatBytes(memory.payload_bytes),
       absl::StrFormat("largest_request, at least %s", FormatBytes(kMinPayloadBytes))});
  values->push_back(
      {"pool_size", FormatBytes(payloads), "payloads_per_queue * payload_size * queues"});
}

void DeriveKernelLimits(const Options& options, std::vector<DerivedValue>* values) {
  const bool own = options.congestion_threshold != 0;
  const int threshold = own ? options.congestion_threshold : options.max_background * 3 / 4;
  values->push_back({"congestion_threshold", absl::StrFormat("%d", threshold),
                     absl::StrFormat("congestion_threshold %d, max_background %d",
                                     options.congestion_threshold, options.max_background)});
  const uint32_t readahead =
      options.readahead_bytes != 0 ? options.readahead_bytes : options.max_write_bytes;
  values->push_back(
      {"readahead", FormatBytes(readahead),
       absl::StrFormat("readahead %s, max_write %s", FormatBytes(options.readahead_bytes),
                       FormatBytes(options.max_write_bytes))});
}

void DeriveAccess(const Options& options, std::vector<DerivedValue>* values) {
  const bool root = geteuid() == 0;
  const std::string who = root ? "root mounts" : "a user mounts";
  const bool others = options.allow_other.value_or(root && !options.allow_root);
  values->push_back({"allow_other", others ? "on" : "off", who});
  values->push_back(
      {"default_permissions", options.default_permissions.value_or(root) ? "on" : "off", who});
}

}  // namespace

std::vector<DerivedValue> DeriveValues(const Options& options) {
  std::vector<DerivedValue> values;
  DeriveAccess(options, &values);
  DeriveKernelLimits(options, &values);
  const std::vector<ModeProbe> probes = ProbeModes();
  const absl::StatusOr<DataPathPlan> plan = DataPathPlan::Make(options.data_path, probes);
  if (!plan.ok()) {
    values.push_back({"data_path", "none", std::string(plan.status().message())});
    return values;
  }
  const std::string& mode = plan->candidates().front();
  values.push_back({"data_path", mode, DescribeChoice(plan->Choose(mode), probes)});
  const std::optional<RingMode> rings = RingModeOf(mode);
  if (rings) DeriveRings(options, *rings, &values);
  return values;
}

}  // namespace shuntfs
