// Requests that look out for an INTERRUPT while they wait for a thread and while they run.
//
// Floor 2. Only long copies do: what is short, or cannot be left half done, runs to its end, as it
// would natively. Thread-safe; the mutex is held for no system call.
#ifndef SHUNTFS_CORE_INTERRUPTS_H_
#define SHUNTFS_CORE_INTERRUPTS_H_

#include <atomic>
#include <map>
#include <mutex>

#include "core/base/ids.h"

namespace shuntfs {

class Interrupts {
 public:
  // Registers a request for as long as the object lives. Of one that was expected it knows whether
  // an INTERRUPT came meanwhile.
  class Watch {
   public:
    Watch(Interrupts& interrupts, Unique unique)
        : interrupts_(interrupts), unique_(unique), interrupted_(interrupts.Find(unique)) {}
    ~Watch() {
      const std::lock_guard lock(interrupts_.mutex_);
      interrupts_.raised_.erase(unique_);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }

   private:
    Interrupts& interrupts_;
    const Unique unique_;
    const std::atomic<bool>& interrupted_;  // the map's, which does not move it
  };

  // The request will be watched by the thread that it is handed to.
  void Expect(Unique unique) { Find(unique); }

  // An INTERRUPT for `unique` came. Nothing happens when it is neither expected nor running.
  void Raise(Unique unique) {
    const std::lock_guard lock(mutex_);
    const auto found = raised_.find(unique);
    if (found != raised_.end()) found->second.store(true, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool>& Find(Unique unique) {
    const std::lock_guard lock(mutex_);
    return raised_[unique];
  }

  std::mutex mutex_;
  std::map<Unique, std::atomic<bool>> raised_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INTERRUPTS_H_
