#include "io/slow_pool.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "io/start_thread.h"
#include "io/sync_transfer.h"

namespace shuntfs {

Outcome SlowPool::Start() {
  std::unique_lock lock(mutex_);
  if (const Outcome added = AddThread(); !added.ok()) return added;
  beginning_.wait(lock, [this] { return begun_; });
  return refused_;
}

Outcome SlowPool::AddThread() {
  Counters& counters = counters_.emplace_back();
  if (trace_ != nullptr) counters.trace.Follow(trace_);
  Result<std::thread> thread = StartThread([this, &counters] { Run(counters); });
  if (!thread.ok()) {
    counters_.pop_back();
    return thread.error();
  }
  threads_.push_back(std::move(*thread));
  return Ok();
}

// ---- jobs come ----

void SlowPool::Submit(SlowJob job) {
  std::unique_lock lock(mutex_);
  CHECK(!stopping_ && !threads_.empty());
  // From here on Interrupted finds it.
  const bool interrupted = job.watch != nullptr && job.watch->interrupted();
  if (interrupted || Refuses(job)) {
    if (!interrupted) own_counters_.refused_waits.Add();
    lock.unlock();
    job.give_up(Errno(interrupted ? EINTR : EAGAIN));
    return;
  }
  Take(std::move(job));
}

void SlowPool::Close(UniqueFd fd, WaitsFor waits_for) {
  // No caller waits for it, and none has to wait behind the files that another one deleted.
  constexpr uint32_t kNobody = UINT32_MAX;
  const bool frees = waits_for == WaitsFor::kItsWork;
  if (frees && freeing_.load(std::memory_order_relaxed) >= kMaxLateCloses) return;
  SlowJob job;
  job.use = {kNobody, ShareUse::kNoQueue, waits_for};
  job.refusable = false;
  job.run = [this, frees, late = std::make_shared<UniqueFd>(std::move(fd))](ThreadIdentity&,
                                                                            Counters& counters) {
    late->reset();
    counters.late_closes.Add();
    if (frees) freeing_.fetch_sub(1, std::memory_order_relaxed);
  };
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (frees) freeing_.fetch_add(1, std::memory_order_relaxed);
  Take(std::move(job));
}

void SlowPool::Take(SlowJob job) {
  shares_.Hold(job.use);
  if (shares_.MayRun(job.use)) {
    MakeReady(std::move(job), /*counted=*/true);
    return;
  }
  WatchHeldEntries(job);
  Backlog& backlog = backlogs_[job.use.uid];
  backlog.bytes += job.bytes;
  backlog.jobs.push_back({std::move(job), MonotonicNs()});
  ++waiting_;
}

bool SlowPool::Refuses(const SlowJob& job) const {
  if (!job.refusable) return false;
  if (shares_.Refuses(job.use)) return true;
  const auto user = backlogs_.find(job.use.uid);
  return job.use.queue == ShareUse::kNoQueue && user != backlogs_.end() &&
         (user->second.jobs.size() >= kMaxUserBacklog ||
          user->second.bytes + job.bytes > kMaxUserBacklogBytes);
}

void SlowPool::MakeReady(SlowJob job, bool counted) {
  if (counted) shares_.Begin(job.use);
  ready_.push_back({std::move(job), counted});
  const bool may_grow = !stopping_ && threads_.size() < static_cast<size_t>(max_threads_);
  if (may_grow && idle_ < ready_.size()) static_cast<void>(AddThread());
  work_or_stop_.notify_one();
}

void SlowPool::Admit() {
  bool admitted = true;
  while (admitted && waiting_ > 0) {
    admitted = false;
    auto user = backlogs_.upper_bound(last_user_);
    for (size_t looked_at = 0; looked_at < backlogs_.size() && !admitted; ++looked_at) {
      if (user == backlogs_.end()) user = backlogs_.begin();
      auto& jobs = user->second.jobs;
      const auto next = std::find_if(jobs.begin(), jobs.end(), [this](const Waiting& waiting) {
        return shares_.MayRun(waiting.job.use);
      });
      if (next != jobs.end()) {
        last_user_ = user->first;
        MakeReady(TakeOut(user, next), /*counted=*/true);
        admitted = true;
      } else {
        ++user;
      }
    }
  }
}

SlowJob SlowPool::TakeOut(Backlogs::iterator user, std::deque<Waiting>::iterator at) {
  SlowJob job = std::move(at->job);
  user->second.bytes -= job.bytes;
  user->second.jobs.erase(at);
  if (user->second.jobs.empty()) backlogs_.erase(user);
  --waiting_;
  return job;
}

// ---- jobs run ----

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
    work_or_stop_.wait(lock, [this] { return !ready_.empty() || (stopping_ && waiting_ == 0); });
    --idle_;
    if (ready_.empty()) return;
    Ready next = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    next.job.run(*identity, counters);
    pulse_.Beat();
    const ShareUse use = next.job.use;
    next.job = {};
    lock.lock();
    if (!next.counted) continue;
    shares_.End(use);
    shares_.Release(use);
    Admit();
    if (stopping_) work_or_stop_.notify_all();
  }
}

void SlowPool::AskPulse() {
  pulse_.Ask();
  SlowJob job;
  job.run = [](ThreadIdentity&, Counters&) {};
  const std::lock_guard lock(mutex_);
  CHECK(!stopping_);
  MakeReady(std::move(job), /*counted=*/false);
}

// ---- jobs are given up ----

void SlowPool::Interrupted(Unique unique) {
  SlowJob job;
  {
    const std::lock_guard lock(mutex_);
    for (auto user = backlogs_.begin(); user != backlogs_.end() && !job.give_up; ++user) {
      auto& jobs = user->second.jobs;
      const auto found = std::find_if(jobs.begin(), jobs.end(), [unique](const Waiting& waiting) {
        return waiting.job.watch != nullptr && waiting.job.watch->unique() == unique;
      });
      if (found == jobs.end()) continue;
      job = TakeOut(user, found);
      shares_.Release(job.use);
      break;
    }
  }
  if (job.give_up) job.give_up(Errno(EINTR));
}

// A request on a file system that answers slowly gets its turn; one that holds an entry beyond the
// share while nothing is answered does not. The thread is started with the first that waits so.
void SlowPool::WatchHeldEntries(const SlowJob& job) {
  if (!job.refusable || job.use.queue == ShareUse::kNoQueue) return;
  if (!held_watch_.joinable()) {
    Result<std::thread> thread = StartThread([this] { RunHeldWatch(); });
    if (thread.ok()) held_watch_ = std::move(*thread);
  }
  held_or_stop_.notify_one();
}

std::vector<SlowJob> SlowPool::TakeOverdue(int64_t now_ns) {
  const int64_t since_ns = now_ns - int64_t{kMaxEntryWaitMs} * 1'000'000;
  std::vector<SlowJob> overdue;
  for (auto user = backlogs_.begin(); user != backlogs_.end();) {
    auto& jobs = user->second.jobs;
    const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const Waiting& waiting) {
      return waiting.job.refusable && waiting.since_ns < since_ns &&
             shares_.HoldsTooMuch(waiting.job.use);
    });
    if (found == jobs.end()) {
      ++user;
      continue;
    }
    shares_.NoteStuck(found->job.use);
    shares_.Release(found->job.use);
    own_counters_.refused_waits.Add();
    const uint32_t uid = user->first;
    overdue.push_back(TakeOut(user, found));
    user = backlogs_.lower_bound(uid);
  }
  return overdue;
}

void SlowPool::RunHeldWatch() {
  pthread_setname_np(pthread_self(), "shuntfs-held");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_ == 0) {
      held_or_stop_.wait(lock, [this] { return stopping_ || waiting_ > 0; });
      continue;
    }
    held_or_stop_.wait_for(lock, std::chrono::milliseconds(kMaxEntryWaitMs / 10));
    const std::vector<SlowJob> overdue = TakeOverdue(MonotonicNs());
    if (overdue.empty()) continue;
    lock.unlock();
    for (const SlowJob& job : overdue) job.give_up(Errno(EAGAIN));
    lock.lock();
  }
}

// ---- the end ----

void SlowPool::Stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    if (held_watch_.joinable()) threads.push_back(std::move(held_watch_));
  }
  work_or_stop_.notify_all();
  held_or_stop_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

std::vector<const Counters*> SlowPool::counters() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Counters*> all{&own_counters_};
  for (const Counters& counters : counters_) all.push_back(&counters);
  return all;
}

SlowPoolLoad SlowPool::load() const {
  const std::lock_guard lock(mutex_);
  return {threads_.size(), threads_.size() - std::min(idle_, threads_.size()),
          ready_.size() + waiting_};
}

}  // namespace shuntfs
