// All rings of a mount: the shared region, the entries in it, and the workers.
//
// Floor 3. Built on the control thread in this order: Create (everything that can be refused,
// before INIT is answered), Register (after), Join. The region is mapped once and registered once;
// it is unpinned when the last ring is closed.
#ifndef SHUNTFS_IO_RING_GROUP_H_
#define SHUNTFS_IO_RING_GROUP_H_

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file_system.h"
#include "io/connection.h"
#include "io/cpu_list.h"
#include "io/load.h"
#include "io/memory_plan.h"
#include "io/memory_region.h"
#include "io/queue_pool.h"
#include "io/ring_mode.h"
#include "io/ring_worker.h"
#include "io/slow_pool.h"

namespace shuntfs {

struct RingGroupOptions {
  RingMode mode = RingMode::kPerEntry;
  int fuse_fd = -1;  // borrowed
  std::vector<WorkerPlan> workers;
  MemoryPlan memory;
  bool pin_workers = true;  // each to the CPU of its plan
};

class RingGroup {
 public:
  RingGroup(FileSystem& fs, Connection& connection, SlowPool& slow_pool)
      : fs_(fs), connection_(connection), slow_pool_(slow_pool) {}
  ~RingGroup();

  // Maps the memory and starts the workers with their rings. A sentence on what failed, or empty.
  std::string Create(const RingGroupOptions& options);
  // Registers every entry with the kernel. A sentence on what failed, or empty.
  std::string Register();
  // Wakes all workers up to look at the connection's state.
  void PokeAll();
  // Asks every worker for a sign of life; who has not given one since.
  void AskPulse();
  std::vector<std::string> Silent() const;
  // Waits for the workers to end: when the connection has ended, or after RequestStop.
  void Join();

  std::vector<const Counters*> counters() const;
  // What is in work, by worker, and every request of it. Any thread, after Create.
  std::vector<WorkerLoad> loads() const;
  void AddCurrent(std::vector<CurrentRequest::Seen>* seen) const;
  uint64_t region_bytes() const { return region_ ? region_->bytes().size() : 0; }
  bool pin_workers() const { return pin_workers_; }
  size_t workers() const { return workers_.size(); }

 private:
  friend class RingWorker;

  // Divides the region up among the queues of each worker.
  void LayOut(const RingGroupOptions& options);
  std::string Explain(Errno error) const;

  FileSystem& fs_;
  Connection& connection_;
  SlowPool& slow_pool_;
  std::optional<MemoryRegion> region_;
  SharedRegion shared_region_;
  RingMode mode_ = RingMode::kPerEntry;
  bool pin_workers_ = true;
  std::deque<QueuePool> pools_;
  std::deque<RingEntry> entries_;
  std::vector<std::unique_ptr<RingWorker>> workers_;
  std::atomic<int64_t> live_entries_{0};  // registered and not gone
  std::atomic<int64_t> entries_away_{0};  // handed to another worker and not committed yet
  bool registered_ = false;
  // The worker to which the last lone request came. Written often: on a cache line of its own.
  alignas(64) std::atomic<uint32_t> last_lone_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_GROUP_H_
