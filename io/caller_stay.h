// Keeps a lone caller on the CPU where its requests are served.
//
// Floor 3. Of one worker's thread. A caller that waits for its answer is woken up by the worker's
// COMMIT, while the worker runs: to the scheduler this CPU is taken, so it moves the caller to an
// idle one, whose sleep has to be broken, and the next request arrives there. Then each request
// costs an interrupt of another CPU (12 to 23 us on virtual machines, 2 to 5 us on others) in place
// of a switch on the same one (under 2 us). But a CPU on which nothing runs but SCHED_IDLE counts
// as idle (sched_idle_cpu() in kernel/sched/fair.c). So when a caller is seen to wander, the worker
// takes that policy for its COMMITs, and gives it up each time as soon as it runs again.
//
// A thread under SCHED_IDLE comes last on its CPU, and a worker must not for long: when one was
// kept waiting, other threads want the CPU, there is no idle one, and it stops doing so for a
// while.
#ifndef SHUNTFS_IO_CALLER_STAY_H_
#define SHUNTFS_IO_CALLER_STAY_H_

#include <cstdint>

namespace shuntfs {

// When a worker's COMMIT is to keep the caller here. Pure; times are of one monotonic clock, in
// nanoseconds.
class StayRule {
 public:
  static constexpr uint32_t kCommitsPerMove = 64;
  static constexpr uint32_t kMovesInACrowd = 32;
  static constexpr int64_t kKeptWaitingNs = 1'000'000;
  static constexpr int64_t kPauseNs = 1'000'000'000;

  // A lone request arrived, and the one before it had arrived at another worker: the caller moved,
  // or these are two. Where the other worker is still serving they are two, who had better stay
  // apart, and for some time it is believed of the next ones, too.
  void CallerMoved(bool other_serving) {
    if (other_serving) {
      crowd_left_ = kMovesInACrowd;
      commits_left_ = 0;
    } else if (crowd_left_ > 0) {
      --crowd_left_;
    } else {
      commits_left_ = kCommitsPerMove;
    }
  }
  // Asked once per COMMIT of a lone request.
  bool Wanted() {
    if (commits_left_ == 0) return false;
    --commits_left_;
    return true;
  }
  bool Paused(int64_t now_ns) const { return now_ns < pause_until_ns_; }
  // The COMMIT took so long that somebody else must have run meanwhile.
  void Took(int64_t begin_ns, int64_t end_ns) {
    if (end_ns - begin_ns >= kKeptWaitingNs) pause_until_ns_ = end_ns + kPauseNs;
  }

 private:
  uint32_t commits_left_ = 0;
  uint32_t crowd_left_ = 0;  // moves to be taken for those of several callers
  int64_t pause_until_ns_ = 0;
};

// Whether a thread of this process may leave SCHED_IDLE again, which takes CAP_SYS_NICE in the
// initial user namespace, or RLIMIT_NICE. Finds out with a thread of its own.
bool MayLeaveIdlePolicy();

// The calling thread's scheduling policy: SCHED_IDLE, or SCHED_OTHER with the thread's own nice
// value. One system call each. False: refused.
bool EnterIdlePolicy();
bool LeaveIdlePolicy();

}  // namespace shuntfs

#endif  // SHUNTFS_IO_CALLER_STAY_H_
