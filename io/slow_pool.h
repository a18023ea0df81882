// Threads that may wait: what must not stop a ring thread runs here.
//
// Floor 3. Threads are started when a job finds none idle, up to a limit, and wait for more until
// Stop. Submit may be called from any thread. Jobs run in no particular order.
#ifndef SHUNTFS_IO_SLOW_POOL_H_
#define SHUNTFS_IO_SLOW_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/errno.h"
#include "core/counters.h"
#include "core/sys/thread_identity.h"
#include "io/load.h"
#include "io/pulse.h"

namespace shuntfs {

class SlowPool {
 public:
  using Job = std::function<void(ThreadIdentity&, Counters&)>;

  SlowPool(int max_threads, bool privileged) : max_threads_(max_threads), privileged_(privileged) {}
  ~SlowPool() { Stop(); }

  // Starts the first thread; before the first Submit. EAGAIN: no thread is to be had. Another
  // error: it may not take the identity that it serves with (ThreadIdentity::Adopt).
  Outcome Start();
  // More threads are started as needed; when the system refuses one, the job waits for those there
  // are.
  void Submit(Job job);
  // Runs what is waiting, then ends the threads. No Submit after it.
  void Stop();
  // The counters of all threads; they live as long as the pool.
  std::vector<const Counters*> counters() const;
  // Asks for a sign of life, by a job that does nothing. Silent until a thread has come around,
  // with that job or another: some may wait for long, all of them should not.
  void AskPulse();
  bool silent() const { return pulse_.silent(); }
  SlowPoolLoad load() const;

 private:
  Outcome AddThread();  // with mutex_ held
  void Run(Counters& counters);

  const int max_threads_;
  const bool privileged_;
  mutable std::mutex mutex_;
  std::condition_variable work_or_stop_;
  std::condition_variable beginning_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  std::deque<Counters> counters_;
  size_t idle_ = 0;
  bool begun_ = false;      // a thread has its identity, or was refused it
  Outcome refused_ = Ok();  // why it was
  bool stopping_ = false;
  Pulse pulse_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_SLOW_POOL_H_
