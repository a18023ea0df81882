// What happens to a log line between the LOG() that makes it and the target: names of strangers are
// made fit, repetitions are held back, losses are counted.
//
// Floor 4. Thread-safe.
#ifndef SHUNTFS_DAEMON_LOG_WRITER_H_
#define SHUNTFS_DAEMON_LOG_WRITER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "daemon/log_target.h"
#include "daemon/log_throttle.h"

namespace shuntfs {

class LogWriter {
 public:
  using Clock = LogThrottle::Clock;
  struct Counts {
    uint64_t held_back = 0;  // Too many of the same place.
    uint64_t lost = 0;       // The target did not take them.
  };

  explicit LogWriter(std::unique_ptr<LogTarget> target) : target_(std::move(target)) {}

  // `file` lives as long as the program. A line of LOG_CRIT or worse is never held back.
  void Write(int priority, const char* file, int line, std::string_view text,
             Clock::time_point now);
  // Tells of what was held back until now, whether the time for it has come or not.
  void TellHeldBack();
  void SetTarget(std::unique_ptr<LogTarget> target);
  absl::Status Reopen();
  Counts counts() const;

 private:
  void TellDue(Clock::time_point now);
  void Send(const LogLine& line);

  mutable std::mutex mutex_;
  std::unique_ptr<LogTarget> target_;
  LogThrottle throttle_;
  uint64_t lost_ = 0;
  uint64_t lost_untold_ = 0;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_WRITER_H_
