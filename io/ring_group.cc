#include "io/ring_group.h"

#include <cstring>
#include <utility>

namespace shuntfs {

RingGroup::~RingGroup() { Join(); }

namespace {

constexpr size_t kPageBytes = 4096;

size_t QueuesIn(const RingGroupOptions& options) {
  size_t queues = 0;
  for (const WorkerPlan& plan : options.workers) queues += plan.queues.size();
  return queues;
}

size_t HeaderBytes(const RingGroupOptions& options) {
  const size_t entries = QueuesIn(options) * options.memory.entries_per_queue;
  return (entries * kEntryHeaderBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

}  // namespace

std::string RingGroup::Create(const RingGroupOptions& options) {
  mode_ = options.mode;
  pin_workers_ = options.pin_workers;
  const size_t queues = QueuesIn(options);
  const size_t entries = queues * options.memory.entries_per_queue;
  const bool zero_copy = mode_ == RingMode::kZeroCopy;
  if (zero_copy && entries > FixedBufferTable::kMaxSlots - 1) {
    return "zero-copy takes a slot of the buffer table for each of " + std::to_string(entries) +
           " entries, and there are " + std::to_string(FixedBufferTable::kMaxSlots - 1);
  }
  const size_t payloads = queues * options.memory.slices_per_queue * options.memory.payload_bytes;
  Result<MemoryRegion> region = MemoryRegion::Map(HeaderBytes(options) + payloads);
  if (!region.ok())
    return std::string("the memory of the rings cannot be mapped: ") +
           std::strerror(region.error().value());
  region_.emplace(std::move(*region));
  LayOut(options);
  const auto empty_slots = static_cast<uint32_t>(zero_copy ? entries : 0);
  if (const Outcome done = shared_region_.Register(region_->bytes(), empty_slots); !done.ok())
    return Explain(done.error());
  for (auto& worker : workers_) {
    if (const Outcome done = worker->SetUp(options.fuse_fd, shared_region_); !done.ok())
      return Explain(done.error());
  }
  return "";
}

// All headers, then all payloads from a page boundary on: [headers | payload | payload | ...]. A
// queue's payloads follow one another, so they can be its pool.
void RingGroup::LayOut(const RingGroupOptions& options) {
  const MemoryPlan& memory = options.memory;
  std::byte* header = region_->bytes().data();
  std::byte* payload = header + HeaderBytes(options);
  const size_t queue_bytes = size_t{memory.slices_per_queue} * memory.payload_bytes;
  for (uint32_t w = 0; w < options.workers.size(); ++w) {
    std::vector<RingEntry*> own_entries;
    std::vector<QueuePool*> own_pools;
    for (const QueueId qid : options.workers[w].queues) {
      QueuePool* pool = nullptr;
      if (mode_ != RingMode::kPerEntry) {
        pool = &pools_.emplace_back(qid, std::span(payload, queue_bytes), memory.payload_bytes);
        own_pools.push_back(pool);
      }
      for (uint32_t i = 0; i < memory.entries_per_queue; ++i) {
        const auto index = static_cast<uint32_t>(entries_.size());
        auto* at = reinterpret_cast<abi::UringReqHeader*>(header);
        RingEntry& entry =
            pool != nullptr
                ? entries_.emplace_back(index, w, at, pool, mode_ == RingMode::kZeroCopy)
                : entries_.emplace_back(
                      index, qid, w, at,
                      std::span(payload + size_t{i} * memory.payload_bytes, memory.payload_bytes));
        own_entries.push_back(&entry);
        header += kEntryHeaderBytes;
      }
      payload += queue_bytes;
    }
    workers_.push_back(std::make_unique<RingWorker>(*this, w, options.workers[w].cpu,
                                                    std::move(own_entries), std::move(own_pools)));
  }
}

std::string RingGroup::Explain(Errno error) const {
  if (error == Errno(ENOMEM)) {
    return "the region of " + std::to_string(region_->bytes().size()) +
           " bytes cannot be registered: RLIMIT_MEMLOCK is too low; raise it (ulimit -l), or lower "
           "memory_budget";
  }
  if (error == Errno(EPERM) || error == Errno(ENOSYS)) {
    return std::string("io_uring is not allowed here: ") + std::strerror(error.value()) +
           "; sysctl kernel.io_uring_disabled=0 allows it";
  }
  if (error == Errno(EAGAIN)) {
    return "a thread cannot be started: too many processes; raise RLIMIT_NPROC (ulimit -u) or the "
           "cgroup's pids.max (TasksMax)";
  }
  return std::string("a ring cannot be set up: ") + std::strerror(error.value());
}

std::string RingGroup::Register() {
  registered_ = true;
  live_entries_ = static_cast<int64_t>(entries_.size());
  std::string failed;
  for (auto& worker : workers_) {
    const std::string refused = worker->Register();
    if (failed.empty()) failed = refused;
  }
  return failed;
}

void RingGroup::PokeAll() {
  for (auto& worker : workers_) worker->Poke();
}

void RingGroup::AskPulse() {
  for (auto& worker : workers_) worker->AskPulse();
}

std::vector<std::string> RingGroup::Silent() const {
  std::vector<std::string> silent;
  for (const auto& worker : workers_) {
    if (worker->silent()) silent.push_back(worker->name());
  }
  return silent;
}

void RingGroup::Join() {
  // Workers that were not told to register wait for it.
  if (!std::exchange(registered_, true)) {
    for (auto& worker : workers_) worker->Abandon();
  }
  for (auto& worker : workers_) worker->Join();
  for (auto& worker : workers_) worker->CloseRing();
}

std::vector<const Counters*> RingGroup::counters() const {
  std::vector<const Counters*> all;
  for (const auto& worker : workers_) all.push_back(&worker->counters());
  return all;
}

std::vector<WorkerLoad> RingGroup::loads() const {
  std::vector<WorkerLoad> loads(workers_.size());
  for (size_t w = 0; w < workers_.size(); ++w) loads[w].cpu = workers_[w]->cpu();
  for (const RingEntry& entry : entries_) {
    WorkerLoad& load = loads[entry.home()];
    ++load.entries;
    if (entry.current.busy()) ++load.in_flight;
  }
  for (size_t w = 0; w < workers_.size(); ++w) {
    for (const QueuePool* pool : workers_[w]->pools()) {
      loads[w].slices += pool->slices();
      loads[w].slices_used += pool->taken();
    }
  }
  return loads;
}

void RingGroup::AddCurrent(std::vector<CurrentRequest::Seen>* seen) const {
  for (const RingEntry& entry : entries_) {
    if (const auto current = entry.current.Look()) seen->push_back(*current);
  }
}

}  // namespace shuntfs
