// Threads that may wait: what must not stop a ring thread or a device thread runs here.
//
// Floor 3. Threads are started when a job finds none idle, up to a limit, and wait for more until
// Stop. Submit may be called from any thread. A job begins when its user's share allows it
// (WaitShares); users whose jobs wait take turns, and the jobs of one user begin in the order in
// which they came as far as the shares let them.
#ifndef SHUNTFS_IO_SLOW_POOL_H_
#define SHUNTFS_IO_SLOW_POOL_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"
#include "core/counters.h"
#include "core/interrupts.h"
#include "core/protocol/request.h"
#include "core/sys/thread_identity.h"
#include "io/load.h"
#include "io/pulse.h"
#include "io/wait_shares.h"

namespace shuntfs {

// Exactly one of `run` and `give_up` is called, once.
struct SlowJob {
  ShareUse use;
  bool refusable = true;                     // EAGAIN is an answer that its caller can be given
  size_t bytes = 0;                          // of memory that it keeps while it waits
  std::shared_ptr<Interrupts::Watch> watch;  // of its request; or null
  std::function<void(ThreadIdentity&, Counters&)> run;
  // EINTR: its caller was interrupted; EAGAIN: the user's share is used up. On any thread, at once.
  // Null for a job that is neither watched nor refusable.
  std::function<void(Errno)> give_up;
};

// Nobody sees what becomes of a page that the kernel writes back, and a file that was not released
// stays open.
inline bool MayBeRefused(const Request& request) {
  const abi::Opcode opcode = request.opcode();
  if (opcode == abi::Opcode::kRelease || opcode == abi::Opcode::kReleasedir) return false;
  return opcode != abi::Opcode::kWrite ||
         (request.As<abi::WriteIn>().write_flags & abi::kWriteCache) == 0;
}

class SlowPool {
 public:
  // `trace`: null, or what tells which requests are traced.
  SlowPool(int max_threads, bool privileged, const TraceSwitch* trace = nullptr)
      : max_threads_(max_threads), privileged_(privileged), trace_(trace), shares_(max_threads) {}
  ~SlowPool() { Stop(); }

  // Of each ring queue; before the first Submit.
  void SetEntriesPerQueue(uint32_t entries) {
    const std::lock_guard lock(mutex_);
    shares_.SetEntries(entries);
  }
  // Starts the first thread; before the first Submit. EAGAIN: no thread is to be had. Another
  // error: it may not take the identity that it serves with (ThreadIdentity::Adopt).
  Outcome Start();
  // More threads are started as needed; when the system refuses one, the job waits for those there
  // are.
  void Submit(SlowJob job);
  // Closes the descriptor on one of the threads, in a share of its own; at once after Stop began,
  // and when many large files are being closed already.
  void Close(UniqueFd fd, WaitsFor waits_for);
  // Gives up a job that waits for its turn and whose watch was interrupted.
  void Interrupted(Unique unique);
  // Runs what is waiting, then ends the threads. No Submit after it.
  void Stop();
  // The counters of all threads, and of the pool itself; they live as long as the pool.
  std::vector<const Counters*> counters() const;
  // Asks for a sign of life, by a job that does nothing. Silent until a thread has come around,
  // with that job or another: some may wait for long, all of them should not.
  void AskPulse();
  bool silent() const { return pulse_.silent(); }
  SlowPoolLoad load() const;

 private:
  struct Ready {
    SlowJob job;
    bool counted = true;  // among the shares
  };
  struct Waiting {
    SlowJob job;
    int64_t since_ns = 0;
  };
  struct Backlog {
    std::deque<Waiting> jobs;
    size_t bytes = 0;
  };
  using Backlogs = std::map<uint32_t, Backlog>;

  // With mutex_ held:
  Outcome AddThread();
  void Take(SlowJob job);
  bool Refuses(const SlowJob& job) const;
  void MakeReady(SlowJob job, bool counted);
  // Moves what may run by now from the backlogs to ready_.
  void Admit();
  // Takes the job out of its backlog; nothing of it is held any more.
  SlowJob TakeOut(Backlogs::iterator user, std::deque<Waiting>::iterator at);
  void WatchHeldEntries(const SlowJob& job);
  std::vector<SlowJob> TakeOverdue(int64_t now_ns);

  void Run(Counters& counters);
  void RunHeldWatch();

  const int max_threads_;
  const bool privileged_;
  const TraceSwitch* const trace_;
  mutable std::mutex mutex_;
  std::condition_variable work_or_stop_;
  std::condition_variable beginning_;
  std::condition_variable held_or_stop_;
  WaitShares shares_;
  std::deque<Ready> ready_;  // begin as soon as a thread is free
  Backlogs backlogs_;        // by user; without empty ones
  uint32_t last_user_ = 0;   // whose turn was last
  size_t waiting_ = 0;       // jobs in the backlogs
  std::vector<std::thread> threads_;
  std::thread held_watch_;  // refuses jobs that hold too many entries for too long
  std::deque<Counters> counters_;
  Counters own_counters_;
  size_t idle_ = 0;
  bool begun_ = false;      // a thread has its identity, or was refused it
  Outcome refused_ = Ok();  // why it was
  bool stopping_ = false;
  std::atomic<int> freeing_{0};  // large files that are being closed
  Pulse pulse_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_SLOW_POOL_H_
