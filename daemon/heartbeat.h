// What a service manager hears while a mount is served: that every thread still comes around
// (WATCHDOG=1, which a timer alone would not show), and how much there is to do (STATUS=).
//
// Floor 4. Control thread only. Knows its surroundings by hooks, so that tests need neither.
#ifndef SHUNTFS_DAEMON_HEARTBEAT_H_
#define SHUNTFS_DAEMON_HEARTBEAT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace shuntfs {

class Heartbeat {
 public:
  using Clock = std::chrono::steady_clock;

  struct Hooks {
    std::function<void()> ask;                         // Asks every thread for a sign of life.
    std::function<std::vector<std::string>()> silent;  // Who gave none since.
    std::function<uint64_t()> requests;                // Served so far.
    std::function<void(const std::string& lines)> tell;
  };

  // `description` begins the status: the mode. `watchdog`: the manager's deadline, or 0.
  Heartbeat(Hooks hooks, std::string description, std::chrono::microseconds watchdog);

  // The mount answers.
  void Ready(Clock::time_point now);
  // How often Beat is due.
  std::chrono::milliseconds period() const { return period_; }
  // Looks whether everybody answered the last question, tells, and asks anew.
  void Beat(Clock::time_point now);
  // The mount is about to end.
  void Stopping();

 private:
  std::string Status(Clock::time_point now);

  const Hooks hooks_;
  const std::string description_;
  const bool watched_;
  const std::chrono::milliseconds period_;
  bool complained_ = false;
  uint64_t last_requests_ = 0;
  Clock::time_point last_beat_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_HEARTBEAT_H_
