#include "core/interrupts.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"

namespace shuntfs {
namespace {

// Ends a system call that waits; it does nothing else.
int WaitSignal() { return SIGRTMIN + 5; }

// Sends WaitSignal to the thread that made it. Any thread may start and stop it.
class ThreadTimer {
 public:
  ThreadTimer() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    CHECK(sigaction(WaitSignal(), &action, nullptr) == 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WaitSignal());
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = WaitSignal();
    event._sigev_un._tid = gettid();
    made_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  }
  ~ThreadTimer() {
    if (made_) timer_delete(timer_);
  }
  ThreadTimer(const ThreadTimer&) = delete;
  ThreadTimer& operator=(const ThreadTimer&) = delete;

  void Start() { Set(1, kInterruptIntervalMs * 1'000'000); }
  void Stop() { Set(0, 0); }

 private:
  void Set(long first_ns, long interval_ns) {
    const itimerspec times{{0, interval_ns}, {0, first_ns}};
    if (made_) timer_settime(timer_, 0, &times, nullptr);
  }

  timer_t timer_{};
  bool made_ = false;  // refused (RLIMIT_SIGPENDING): waits of this thread are not ended
};

ThreadTimer& TimerOfThisThread() {
  thread_local ThreadTimer timer;
  return timer;
}

}  // namespace

Interrupts::Watch::Watch(Interrupts& interrupts, Unique unique)
    : interrupts_(interrupts), unique_(unique) {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupted_.store(interrupts_.early_.erase(unique) > 0, std::memory_order_relaxed);
  interrupts_.watched_[unique] = this;
}

Interrupts::Watch::~Watch() {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupts_.watched_.erase(unique_);
}

Interrupts::Wait::Wait(Watch* watch) : watch_(watch) {
  if (watch_ == nullptr) return;
  ThreadTimer& timer = TimerOfThisThread();
  const std::lock_guard lock(watch_->interrupts_.mutex_);
  watch_->timer_ = &timer;
  if (watch_->interrupted() || watch_->interrupts_.ending_) timer.Start();
}

Interrupts::Wait::~Wait() {
  if (watch_ == nullptr) return;
  const std::lock_guard lock(watch_->interrupts_.mutex_);
  watch_->timer_ = nullptr;
  TimerOfThisThread().Stop();
}

void Interrupts::Raise(Unique unique) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(unique);
    if (found != watched_.end()) {
      found->second->interrupted_.store(true, std::memory_order_relaxed);
      if (found->second->timer_ != nullptr)
        static_cast<ThreadTimer*>(found->second->timer_)->Start();
    } else if (early_.insert(unique).second) {
      early_order_.push_back(unique);
      if (early_order_.size() > kMaxEarlyInterrupts) {
        early_.erase(early_order_.front());
        early_order_.pop_front();
      }
    }
  }
  if (on_raise_) on_raise_(unique);
}

void Interrupts::EndWaits() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (const auto& [unique, watch] : watched_) {
    if (watch->timer_ != nullptr) static_cast<ThreadTimer*>(watch->timer_)->Start();
  }
}

}  // namespace shuntfs
