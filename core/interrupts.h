// Requests that look out for an INTERRUPT while they run.
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
  // Registers a request for as long as the object lives.
  class Watch {
   public:
    Watch(Interrupts& interrupts, Unique unique) : interrupts_(interrupts), unique_(unique) {
      const std::lock_guard lock(interrupts_.mutex_);
      interrupts_.running_[unique_] = &interrupted_;
    }
    ~Watch() {
      const std::lock_guard lock(interrupts_.mutex_);
      interrupts_.running_.erase(unique_);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }

   private:
    Interrupts& interrupts_;
    const Unique unique_;
    std::atomic<bool> interrupted_{false};
  };

  // An INTERRUPT for `unique` came. Nothing happens when it is not (or no longer) running.
  void Raise(Unique unique) {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(unique);
    if (found != running_.end()) found->second->store(true, std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;
  std::map<Unique, std::atomic<bool>*> running_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INTERRUPTS_H_
