#include "daemon/heartbeat.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/log.h"

namespace shuntfs {
namespace {

// Often enough for a status that somebody looks at; seldom enough not to keep a machine awake.
constexpr std::chrono::milliseconds kLongestPeriod{10'000};

// A beat that comes late, or one that finds a thread busy, is still in time.
constexpr int kBeatsPerDeadline = 4;

std::chrono::milliseconds PeriodFor(std::chrono::microseconds watchdog) {
  if (watchdog.count() == 0) return kLongestPeriod;
  const auto period =
      std::chrono::duration_cast<std::chrono::milliseconds>(watchdog / kBeatsPerDeadline);
  return std::clamp(period, std::chrono::milliseconds(1), kLongestPeriod);
}

}  // namespace

Heartbeat::Heartbeat(Hooks hooks, std::string description, std::chrono::microseconds watchdog)
    : hooks_(std::move(hooks)),
      description_(std::move(description)),
      watched_(watchdog.count() != 0),
      period_(PeriodFor(watchdog)) {}

void Heartbeat::Ready(Clock::time_point now) {
  last_beat_ = now;
  last_requests_ = hooks_.requests();
  hooks_.tell("READY=1\nSTATUS=" + description_);
  if (watched_) hooks_.ask();
}

void Heartbeat::Beat(Clock::time_point now) {
  const std::vector<std::string> silent = watched_ ? hooks_.silent() : std::vector<std::string>();
  if (!silent.empty()) {
    const std::string who = absl::StrJoin(silent, ", ");
    if (!complained_) LOG(WARNING) << "no sign of life from " << who << "; the watchdog waits";
    complained_ = true;
    hooks_.tell(absl::StrFormat("STATUS=%s; no sign of life from %s", description_, who));
    last_beat_ = now;
    return;  // They are still to answer the last question.
  }
  if (complained_) LOG(INFO) << "every thread gives signs of life again";
  complained_ = false;
  hooks_.tell((watched_ ? "WATCHDOG=1\nSTATUS=" : "STATUS=") + Status(now));
  if (watched_) hooks_.ask();
}

void Heartbeat::Stopping() { hooks_.tell("STOPPING=1\nSTATUS=unmounting"); }

std::string Heartbeat::Status(Clock::time_point now) {
  const uint64_t requests = hooks_.requests();
  const double seconds = std::chrono::duration<double>(now - last_beat_).count();
  const double rate = seconds > 0 ? static_cast<double>(requests - last_requests_) / seconds : 0;
  last_requests_ = requests;
  last_beat_ = now;
  return absl::StrFormat("%s; %d requests so far, %.1f per second", description_, requests, rate);
}

}  // namespace shuntfs
