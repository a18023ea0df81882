#include "io/caller_stay.h"

#include <sched.h>

#include "io/start_thread.h"

namespace shuntfs {
namespace {

bool SetPolicy(int policy) {
  const sched_param no_priority{};
  return sched_setscheduler(0, policy, &no_priority) == 0;
}

}  // namespace

bool MayLeaveIdlePolicy() {
  // Somebody who runs the daemon under another policy wants it so.
  if (sched_getscheduler(0) != SCHED_OTHER) return false;
  bool came_back = false;
  Result<std::thread> trial =
      StartThread([&came_back] { came_back = EnterIdlePolicy() && LeaveIdlePolicy(); });
  if (!trial.ok()) return false;
  trial->join();
  return came_back;
}

bool EnterIdlePolicy() { return SetPolicy(SCHED_IDLE); }
bool LeaveIdlePolicy() { return SetPolicy(SCHED_OTHER); }

}  // namespace shuntfs
