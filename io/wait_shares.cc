#include "io/wait_shares.h"

#include <algorithm>

#include "core/base/log.h"

namespace shuntfs {

WaitShares::WaitShares(int threads)
    : threads_(threads),
      user_threads_(std::max(1, threads * 3 / 4)),
      user_waiting_(std::max(1, threads / 2)),
      waiting_(std::max(1, threads * 3 / 4)) {}

// Three at least are left: two for requests that wait for write-backs (kMaxWriteBacks), one for the
// WRITEs that these wait for.
void WaitShares::SetEntries(uint32_t entries_per_queue) {
  const uint32_t left = std::max(3U, entries_per_queue / 4);
  waiting_entries_ = entries_per_queue > left ? entries_per_queue - left : 1;
  user_entries_ = std::clamp(entries_per_queue / 2, 1U, waiting_entries_);
}

template <typename Key>
WaitShares::Entries WaitShares::In(const std::map<Key, Entries>& all, const Key& key) {
  const auto found = all.find(key);
  return found == all.end() ? Entries{} : found->second;
}

bool WaitShares::Refuses(const ShareUse& use) const {
  if (!HoldsEntry(use)) return false;
  const Entries user = In(user_queues_, {use.queue, use.uid});
  const Entries queue = In(queues_, use.queue);
  const bool holder = use.waits_for == WaitsFor::kHolder;
  return (user.held >= user_entries_ && (holder || user.stuck)) ||
         (queue.held >= waiting_entries_ && (holder || queue.stuck));
}

void WaitShares::Hold(const ShareUse& use) {
  if (!HoldsEntry(use)) return;
  ++queues_[use.queue].held;
  ++user_queues_[{use.queue, use.uid}].held;
}

bool WaitShares::HoldsTooMuch(const ShareUse& use) const {
  return HoldsEntry(use) && (In(user_queues_, {use.queue, use.uid}).held > user_entries_ ||
                             In(queues_, use.queue).held > waiting_entries_);
}

void WaitShares::NoteStuck(const ShareUse& use) {
  Entries& user = user_queues_[{use.queue, use.uid}];
  Entries& queue = queues_[use.queue];
  if (user.held > user_entries_) user.stuck = true;
  if (queue.held > waiting_entries_) queue.stuck = true;
}

void WaitShares::Release(const ShareUse& use) {
  if (!HoldsEntry(use)) return;
  const auto queue = queues_.find(use.queue);
  const auto user = user_queues_.find({use.queue, use.uid});
  CHECK(queue != queues_.end() && user != user_queues_.end());
  if (--queue->second.held == 0) queues_.erase(queue);
  if (--user->second.held == 0) user_queues_.erase(user);
}

bool WaitShares::MayRun(const ShareUse& use) const {
  const auto found = users_.find(use.uid);
  const Threads user = found == users_.end() ? Threads{} : found->second;
  if (total_.running >= threads_ || user.running >= user_threads_) return false;
  if (!Waits(use)) return true;
  if (total_.waiting >= waiting_ || user.waiting >= user_waiting_) return false;
  return !HoldsEntry(use) || (In(user_queues_, {use.queue, use.uid}).running < user_entries_ &&
                              In(queues_, use.queue).running < waiting_entries_);
}

void WaitShares::Begin(const ShareUse& use) {
  Threads& user = users_[use.uid];
  ++user.running;
  ++total_.running;
  if (!Waits(use)) return;
  ++user.waiting;
  ++total_.waiting;
  if (!HoldsEntry(use)) return;
  ++queues_[use.queue].running;
  ++user_queues_[{use.queue, use.uid}].running;
}

void WaitShares::End(const ShareUse& use) {
  const auto user = users_.find(use.uid);
  CHECK(user != users_.end());
  --total_.running;
  if (Waits(use)) {
    --user->second.waiting;
    --total_.waiting;
  }
  if (--user->second.running == 0) users_.erase(user);
  if (!HoldsEntry(use)) return;
  Entries& queue = queues_[use.queue];
  Entries& of_user = user_queues_[{use.queue, use.uid}];
  --queue.running;
  --of_user.running;
  queue.stuck = of_user.stuck = false;
}

}  // namespace shuntfs
