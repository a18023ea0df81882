// Requests that the caller may give up while they wait for a thread or for somebody else.
//
// Floor 2. A request is watched from before it is handed to the thread that runs it until it is
// answered. What is short, or cannot be left half done, runs to its end, as it would natively.
// Thread-safe; the mutex is held for no system call but timer_settime(2).
#ifndef SHUNTFS_CORE_INTERRUPTS_H_
#define SHUNTFS_CORE_INTERRUPTS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "core/base/ids.h"

namespace shuntfs {

class Interrupts {
 public:
  // Watches a request for as long as the object lives. An INTERRUPT that came before the object was
  // made counts.
  class Watch {
   public:
    Watch(Interrupts& interrupts, Unique unique);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
    Unique unique() const { return unique_; }

   private:
    friend class Interrupts;

    Interrupts& interrupts_;
    const Unique unique_;
    std::atomic<bool> interrupted_{false};
    void* timer_ = nullptr;  // guarded by mutex_; of the thread that is within a Wait
  };

  // While it lives, an INTERRUPT of the request, and EndWaits, end the system calls of this thread
  // that wait (EINTR). A signal that comes just before a system call does not end it, so it is sent
  // again every 10 ms.
  class Wait {
   public:
    // Null: nothing ends the wait.
    explicit Wait(Watch* watch);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    Watch* const watch_;
  };

  // An INTERRUPT for `unique` came. One that names no watched request is kept for a while: the
  // request may be about to be watched.
  void Raise(Unique unique);
  // Ends every Wait, those to come included. The mount is about to stop.
  void EndWaits();
  // `then` is called after each Raise, by its thread. Before the first request.
  void OnRaise(std::function<void(Unique)> then) { on_raise_ = std::move(then); }

 private:
  std::mutex mutex_;
  std::map<Unique, Watch*> watched_;  // guarded by mutex_
  std::set<Unique> early_;            // guarded by mutex_; named no watched request
  std::deque<Unique> early_order_;    // guarded by mutex_
  bool ending_ = false;               // guarded by mutex_
  std::function<void(Unique)> on_raise_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INTERRUPTS_H_
