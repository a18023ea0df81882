#include "daemon/stop_sequence.h"

#include <algorithm>

namespace shuntfs {

using Action = StopSequence::Action;

Action StopSequence::Enter(Phase phase, Action action, TimePoint now, Duration limit) {
  phase_ = phase;
  deadline_ = now + limit;
  return action;
}

Action StopSequence::OnStopRequest(TimePoint now) {
  if (phase_ != Phase::kServing) return Action::kNone;
  stop_requested_ = true;
  return Enter(Phase::kUnmounting, Action::kUnmount, now, limits_.graceful);
}

Action StopSequence::OnSignal(TimePoint now) {
  switch (phase_) {
    case Phase::kServing:
      return OnStopRequest(now);
    case Phase::kUnmounting:
    case Phase::kFlushing:
    case Phase::kDraining:
    case Phase::kStopping:
      if (!impatient_) {
        impatient_ = true;
        deadline_ = std::min(*deadline_, now + limits_.forced);
      }
      return Action::kNone;
    default:
      return Action::kNone;
  }
}

Action StopSequence::OnUnmounted(UnmountOutcome::Kind kind, TimePoint now) {
  if (phase_ != Phase::kUnmounting) return Action::kNone;
  switch (kind) {
    case UnmountOutcome::Kind::kDone:
      phase_ = Phase::kDraining;  // The deadline stays: it runs from the request.
      return Action::kNone;
    case UnmountOutcome::Kind::kBusy:
      phase_ = Phase::kFlushing;
      return Action::kFlushAndDetach;
    case UnmountOutcome::Kind::kFailed:
      break;
  }
  if (impatient_) {
    phase_ = Phase::kStopping;
    return Action::kBeginStop;
  }
  return Enter(Phase::kStopping, Action::kBeginStop, now, limits_.stopping);
}

Action StopSequence::OnDetached(TimePoint /*now*/) {
  if (phase_ == Phase::kFlushing) phase_ = Phase::kDraining;
  return Action::kNone;
}

Action StopSequence::OnConnectionEnded(TimePoint now) {
  switch (phase_) {
    case Phase::kJoining:
    case Phase::kDone:
    case Phase::kGaveUp:
      return Action::kNone;
    default:
      return Enter(Phase::kJoining, Action::kJoin, now, limits_.joining);
  }
}

Action StopSequence::OnJoined() {
  if (phase_ != Phase::kStopping && phase_ != Phase::kAborting && phase_ != Phase::kJoining) {
    return Action::kNone;
  }
  phase_ = Phase::kDone;
  deadline_.reset();
  return Action::kFinish;
}

Action StopSequence::OnDeadline(TimePoint now) {
  switch (phase_) {
    case Phase::kServing:
    case Phase::kDone:
    case Phase::kGaveUp:
      return Action::kNone;
    case Phase::kUnmounting:
    case Phase::kFlushing:
    case Phase::kDraining:
      if (!impatient_) return Enter(Phase::kStopping, Action::kBeginStop, now, limits_.stopping);
      [[fallthrough]];
    case Phase::kStopping:
      forced_ = true;
      return Enter(Phase::kAborting, Action::kAbort, now, limits_.aborting);
    case Phase::kAborting:
    case Phase::kJoining:
      forced_ = true;
      phase_ = Phase::kGaveUp;
      deadline_.reset();
      return Action::kGiveUp;
  }
  return Action::kNone;
}

}  // namespace shuntfs
