// The order in which a mount ends, as a state machine without side effects: events in, the next
// thing to do out. Every phase but the first has a deadline, so the daemon cannot stay for ever.
//
//   serving -> unmounting -> (flushing ->) draining -> stopping -> joining -> done
//                                                   \-> aborting -/
//
// Floor 4. Plain values, one thread. See docs on recovery for what users of the mount notice.
#ifndef SHUNTFS_DAEMON_STOP_SEQUENCE_H_
#define SHUNTFS_DAEMON_STOP_SEQUENCE_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/unmount.h"

namespace shuntfs {

class StopSequence {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = Clock::duration;
  using TimePoint = Clock::time_point;

  enum class Phase : uint8_t {
    kServing,
    kUnmounting,  // A plain unmount runs.
    kFlushing,    // It was busy: dirty pages are written back, then the mount is detached.
    kDraining,    // No longer in the tree; served until the last user is gone or the time is over.
    kStopping,    // The server answers what is in flight, its threads are awaited.
    kAborting,    // The kernel was told to end the connection at once.
    kJoining,     // The connection has ended; threads are awaited.
    kDone,
    kGaveUp,  // Nothing helped. The process has to leave without cleaning up.
  };

  // What the caller does next. kBeginStop includes kJoin; joining twice is joining once.
  enum class Action : uint8_t {
    kNone,
    kUnmount,
    kFlushAndDetach,
    kBeginStop,
    kAbort,
    kJoin,
    kFinish,
    kGiveUp
  };

  struct Limits {
    Duration graceful = std::chrono::seconds(5);  // From the first request to stop until kStopping.
    Duration forced = std::chrono::seconds(1);    // From the second one until kAborting.
    Duration stopping = std::chrono::seconds(10);
    Duration aborting = std::chrono::seconds(5);
    Duration joining = std::chrono::seconds(10);
  };

  explicit StopSequence(const Limits& limits) : limits_(limits) {}

  // A signal. The first begins the end, a later one shortens it.
  Action OnSignal(TimePoint now);
  // `shuntfs umount`. Asking again changes nothing.
  Action OnStopRequest(TimePoint now);
  Action OnUnmounted(UnmountOutcome::Kind kind, TimePoint now);
  Action OnDetached(TimePoint now);
  Action OnConnectionEnded(TimePoint now);
  Action OnJoined();
  // Call when deadline() has come.
  Action OnDeadline(TimePoint now);

  // For deadlines that begin from now on.
  void set_limits(const Limits& limits) { limits_ = limits; }

  Phase phase() const { return phase_; }
  std::optional<TimePoint> deadline() const { return deadline_; }
  bool stop_requested() const { return stop_requested_; }
  // The users' requests failed because waiting for them was given up.
  bool forced() const { return forced_; }

 private:
  Action Enter(Phase phase, Action action, TimePoint now, Duration limit);

  Limits limits_;
  Phase phase_ = Phase::kServing;
  std::optional<TimePoint> deadline_;
  bool stop_requested_ = false;
  bool impatient_ = false;  // A second signal came: the next deadline aborts.
  bool forced_ = false;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_STOP_SEQUENCE_H_
