// Runs one job at a time that may block, beside a thread that may not: the owner polls an eventfd.
//
// Floor 4. Owned by the control thread, which alone calls it. A job that never returns cannot be
// waited for: idle() stays false, and the owner has to leave the process without destroying this
// object's thread (the destructor detaches it; the job must then only use what outlives
// everything).
#ifndef SHUNTFS_DAEMON_HELPER_THREAD_H_
#define SHUNTFS_DAEMON_HELPER_THREAD_H_

#include <functional>
#include <thread>

#include "core/base/unique_fd.h"

namespace shuntfs {

class HelperThread {
 public:
  HelperThread();
  ~HelperThread();
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  // Readable once the job has returned.
  int poll_fd() const { return done_.get(); }
  bool idle() const { return !thread_.joinable(); }

  // Starts `job`. Only while idle.
  void Run(std::function<void()> job);

  // Call when poll_fd() is readable: the job's effects are then visible here.
  void Collect();

 private:
  UniqueFd done_;
  std::thread thread_;
};

// Runs `job` on a thread of its own and waits at most `timeout_ms`. False when it has not returned
// by then; its thread goes on, and ends by itself where the job does.
bool RunWithin(std::function<void()> job, int timeout_ms);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_HELPER_THREAD_H_
