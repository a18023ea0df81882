// The inodes that have a cached descriptor, oldest first, and the timer that tells when to look for
// those that nobody uses.
//
// Floor 2. Thread-safe. An entry can be stale: its inode is gone, or has lost its descriptor.
#ifndef SHUNTFS_CORE_PATH_FD_QUEUE_H_
#define SHUNTFS_CORE_PATH_FD_QUEUE_H_

#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "core/base/ids.h"
#include "core/base/limits.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

class PathFdQueue {
 public:
  PathFdQueue() : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {}

  void Add(NodeId nodeid) {
    const std::lock_guard lock(mutex_);
    nodeids_.push_back(nodeid);
  }
  // The oldest entry, taken out; 0 when there is none.
  NodeId Take() {
    const std::lock_guard lock(mutex_);
    if (nodeids_.empty()) return NodeId(0);
    const NodeId nodeid = nodeids_.front();
    nodeids_.pop_front();
    return nodeid;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return nodeids_.size();
  }

  // Readable kPathFdIdleMs after Arm. -1: the process had no descriptor for it.
  int timer_fd() const { return timer_.get(); }
  // Starts the timer unless it runs. One system call per period.
  void Arm() {
    if (armed_.load(std::memory_order_relaxed) || armed_.exchange(true)) return;
    itimerspec when{};
    when.it_value.tv_sec = kPathFdIdleMs / 1000;
    when.it_value.tv_nsec = kPathFdIdleMs % 1000 * 1'000'000;
    timerfd_settime(timer_.get(), 0, &when, nullptr);
  }
  // The timer has fired, and may be started again.
  void Disarm() {
    uint64_t expirations = 0;
    static_cast<void>(!read(timer_.get(), &expirations, sizeof(expirations)));
    armed_.store(false);
  }

 private:
  const UniqueFd timer_;
  std::atomic<bool> armed_{false};
  mutable std::mutex mutex_;
  std::deque<NodeId> nodeids_;  // guarded by mutex_
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_PATH_FD_QUEUE_H_
