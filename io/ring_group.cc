#include "io/ring_group.h"

#include <cstring>
#include <utility>

namespace shuntfs {

RingGroup::~RingGroup() { Join(); }

std::string RingGroup::Create(const RingGroupOptions& options) {
  const MemoryPlan& memory = options.memory;
  size_t queues = 0;
  for (const WorkerPlan& plan : options.workers) queues += plan.queues.size();
  const size_t count = queues * memory.entries_per_queue;
  // All headers, then all payloads from a page boundary on: [headers | payload | payload | ...].
  const size_t headers_bytes = (count * kEntryHeaderBytes + 4095) / 4096 * 4096;
  Result<MemoryRegion> region = MemoryRegion::Map(headers_bytes + count * memory.payload_bytes);
  if (!region.ok())
    return std::string("the memory of the rings cannot be mapped: ") +
           std::strerror(region.error().value());
  region_.emplace(std::move(*region));

  std::byte* header = region_->bytes().data();
  std::byte* payload = header + headers_bytes;
  for (uint32_t w = 0; w < options.workers.size(); ++w) {
    std::vector<RingEntry*> own;
    for (const QueueId qid : options.workers[w].queues) {
      for (uint32_t i = 0; i < memory.entries_per_queue; ++i) {
        const auto index = static_cast<uint32_t>(entries_.size());
        own.push_back(&entries_.emplace_back(index, qid, w,
                                             reinterpret_cast<abi::UringReqHeader*>(header),
                                             std::span(payload, memory.payload_bytes)));
        header += kEntryHeaderBytes;
        payload += memory.payload_bytes;
      }
    }
    workers_.push_back(
        std::make_unique<RingWorker>(*this, w, options.workers[w].cpu, std::move(own)));
  }
  if (const Outcome done = table_.Register(region_->bytes()); !done.ok())
    return Explain(done.error());
  for (auto& worker : workers_) {
    if (const Outcome done = worker->SetUp(options.fuse_fd, table_); !done.ok())
      return Explain(done.error());
  }
  return "";
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
  return std::string("a ring cannot be set up: ") + std::strerror(error.value());
}

std::string RingGroup::Register() {
  registered_ = true;
  live_entries_ = static_cast<int64_t>(entries_.size());
  std::string failed;
  for (auto& worker : workers_) {
    const Outcome done = worker->Register();
    if (!done.ok() && failed.empty()) {
      failed =
          std::string("the kernel refuses ring entries: ") + std::strerror(done.error().value());
    }
  }
  return failed;
}

void RingGroup::PokeAll() {
  for (auto& worker : workers_) worker->Poke();
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

}  // namespace shuntfs
