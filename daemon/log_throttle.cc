#include "daemon/log_throttle.h"

namespace shuntfs {
namespace {

constexpr std::chrono::seconds kInterval{kLogIntervalSec};

}  // namespace

LogThrottle::Verdict LogThrottle::Judge(const char* file, int line, Clock::time_point now) {
  Place& place = places_.try_emplace({file, line}, Place{file, now}).first->second;
  if (now - place.began >= kInterval && place.held == 0) place = Place{file, now};
  if (place.passed == kLogLinesPerPlace) {
    ++place.held;
    ++held_back_;
    return Verdict::kHold;
  }
  return ++place.passed == kLogLinesPerPlace ? Verdict::kLastToPass : Verdict::kPass;
}

std::vector<LogThrottle::Held> LogThrottle::TakeDue(Clock::time_point now) {
  std::vector<Held> due;
  std::erase_if(places_, [&due, now](const auto& entry) {
    const auto& [at, place] = entry;
    if (place.held == 0 || now - place.began < kInterval) return false;
    due.push_back({place.file, at.second, place.held});
    return true;
  });
  return due;
}

}  // namespace shuntfs
