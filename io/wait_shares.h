// The shares of each user in the slow pool's threads and in the entries of each ring queue.
//
// Floor 3. Counts only; the owner locks and says what happens. No file system that stops answering
// and no holder of a lease takes everything: what may wait for ever gets at most three quarters of
// the threads and leaves a quarter of each queue's entries, and at least 3; one user's part of
// that is half of the threads and half of the entries. Of threads a user gets three quarters at
// most, whatever for.
#ifndef SHUNTFS_IO_WAIT_SHARES_H_
#define SHUNTFS_IO_WAIT_SHARES_H_

#include <cstdint>
#include <map>
#include <utility>

#include "core/data_io.h"

namespace shuntfs {

// Whose request it is, and what it may take.
struct ShareUse {
  static constexpr int kNoQueue = -1;

  uint32_t uid = 0;
  int queue = kNoQueue;  // whose entry it holds
  WaitsFor waits_for = WaitsFor::kItsWork;
};

class WaitShares {
 public:
  explicit WaitShares(int threads);
  // Of each queue.
  void SetEntries(uint32_t entries_per_queue);

  uint32_t user_entries() const { return user_entries_; }
  uint32_t waiting_entries() const { return waiting_entries_; }

  // Whether a request that just came is to be refused, since it would hold more entries than it may
  // for as long as a process likes, or a file system that has stopped answering.
  bool Refuses(const ShareUse& use) const;
  // A request came and was not refused. Left with Release.
  void Hold(const ShareUse& use);
  // Whether the user, or all users together, hold more of the queue's entries than they may.
  bool HoldsTooMuch(const ShareUse& use) const;
  // The request waited for too long while too much was held: further ones are refused as they come,
  // until one of the user's (or the queue's) ends.
  void NoteStuck(const ShareUse& use);
  void Release(const ShareUse& use);

  bool MayRun(const ShareUse& use) const;
  // A request that is held begins to run on a thread; it has run.
  void Begin(const ShareUse& use);
  void End(const ShareUse& use);

 private:
  struct Threads {
    int running = 0;
    int waiting = 0;  // of these, for what may never come
  };
  struct Entries {
    uint32_t held = 0;
    uint32_t running = 0;
    bool stuck = false;
  };
  using UserInQueue = std::pair<int, uint32_t>;

  static bool Waits(const ShareUse& use) { return use.waits_for != WaitsFor::kItsWork; }
  static bool HoldsEntry(const ShareUse& use) {
    return Waits(use) && use.queue != ShareUse::kNoQueue;
  }
  template <typename Key>
  static Entries In(const std::map<Key, Entries>& all, const Key& key);

  const int threads_;
  const int user_threads_;
  const int user_waiting_;
  const int waiting_;
  uint32_t user_entries_ = 1;
  uint32_t waiting_entries_ = 1;

  Threads total_;
  std::map<uint32_t, Threads> users_;           // without those at 0
  std::map<int, Entries> queues_;               // without those that hold nothing
  std::map<UserInQueue, Entries> user_queues_;  // the same
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_WAIT_SHARES_H_
