// Which log lines are too many: a line of code may say so much in a while, and no more. Errors that
// come with every request would fill a disk and drown all else.
//
// Floor 4. Thread-compatible; pure but for its memory, time comes from the caller.
#ifndef SHUNTFS_DAEMON_LOG_THROTTLE_H_
#define SHUNTFS_DAEMON_LOG_THROTTLE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/limits.h"

namespace shuntfs {

class LogThrottle {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Verdict : uint8_t {
    kPass,
    kLastToPass,  // Further lines of the interval are held back.
    kHold,
  };
  // What was held back of a place in the code, when its interval is over.
  struct Held {
    const char* file;
    int line;
    uint64_t lines;
  };

  // `file` lives as long as the program.
  Verdict Judge(const char* file, int line, Clock::time_point now);

  // What is to be told by now, each once.
  std::vector<Held> TakeDue(Clock::time_point now);

  // All lines that were held back.
  uint64_t held_back() const { return held_back_; }

 private:
  struct Place {
    const char* file;
    Clock::time_point began;
    int passed = 0;
    uint64_t held = 0;
  };

  // As many as there are LOG() lines in the program.
  std::map<std::pair<std::string_view, int>, Place> places_;
  uint64_t held_back_ = 0;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_THROTTLE_H_
