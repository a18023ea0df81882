#include "io/slow_pool.h"

#include <pthread.h>

#include <algorithm>

#include "core/base/log.h"
#include "io/start_thread.h"

namespace shuntfs {

Outcome SlowPool::Start() {
  std::unique_lock lock(mutex_);
  if (const Outcome added = AddThread(); !added.ok()) return added;
  beginning_.wait(lock, [this] { return begun_; });
  return refused_;
}

Outcome SlowPool::AddThread() {
  Counters& counters = counters_.emplace_back();
  Result<std::thread> thread = StartThread([this, &counters] { Run(counters); });
  if (!thread.ok()) {
    counters_.pop_back();
    return thread.error();
  }
  threads_.push_back(std::move(*thread));
  return Ok();
}

void SlowPool::Submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!stopping_ && !threads_.empty());
    jobs_.push_back(std::move(job));
    if (idle_ < jobs_.size() && threads_.size() < static_cast<size_t>(max_threads_))
      static_cast<void>(AddThread());
  }
  work_or_stop_.notify_one();
}

void SlowPool::Run(Counters& counters) {
  pthread_setname_np(pthread_self(), "shuntfs-slow");
  Result<ThreadIdentity> identity = ThreadIdentity::Adopt(privileged_);
  std::unique_lock lock(mutex_);
  if (!identity.ok()) refused_ = identity.error();
  begun_ = true;
  beginning_.notify_all();
  if (!identity.ok()) return;
  while (true) {
    ++idle_;
    work_or_stop_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(*identity, counters);
    pulse_.Beat();
    lock.lock();
  }
}

void SlowPool::AskPulse() {
  pulse_.Ask();
  Submit([](ThreadIdentity&, Counters&) {});
}

void SlowPool::Stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  work_or_stop_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

std::vector<const Counters*> SlowPool::counters() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Counters*> all;
  for (const Counters& counters : counters_) all.push_back(&counters);
  return all;
}

SlowPoolLoad SlowPool::load() const {
  const std::lock_guard lock(mutex_);
  return {threads_.size(), threads_.size() - std::min(idle_, threads_.size()), jobs_.size()};
}

}  // namespace shuntfs
