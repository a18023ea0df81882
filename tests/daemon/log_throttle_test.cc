#include "daemon/log_throttle.h"

#include <gtest/gtest.h>

namespace shuntfs {
namespace {

using Clock = LogThrottle::Clock;
using Verdict = LogThrottle::Verdict;
constexpr std::chrono::seconds kInterval{kLogIntervalSec};
constexpr auto kAMoment = std::chrono::milliseconds(1);

class LogThrottleTest : public ::testing::Test {
 protected:
  // Says as much as a place may.
  void Fill(const char* file, int line) {
    for (int i = 1; i < kLogLinesPerPlace; ++i)
      EXPECT_EQ(throttle_.Judge(file, line, now_), Verdict::kPass) << i;
    EXPECT_EQ(throttle_.Judge(file, line, now_), Verdict::kLastToPass);
  }

  LogThrottle throttle_;
  Clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(LogThrottleTest, HoldsBackWhatComesTooOftenAndTellsHowMuchOnce) {
  Fill("a.cc", 1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(throttle_.Judge("a.cc", 1, now_), Verdict::kHold);
  EXPECT_TRUE(throttle_.TakeDue(now_ + kInterval - kAMoment).empty());
  now_ += kInterval;
  const std::vector<LogThrottle::Held> due = throttle_.TakeDue(now_);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_STREQ(due[0].file, "a.cc");
  EXPECT_EQ(due[0].line, 1);
  EXPECT_EQ(due[0].lines, 1000u);
  EXPECT_TRUE(throttle_.TakeDue(now_).empty());
  EXPECT_EQ(throttle_.held_back(), 1000u);
  Fill("a.cc", 1);
}

TEST_F(LogThrottleTest, PlacesAreApart) {
  Fill("a.cc", 1);
  EXPECT_EQ(throttle_.Judge("a.cc", 2, now_), Verdict::kPass);
  EXPECT_EQ(throttle_.Judge("b.cc", 1, now_), Verdict::kPass);
  EXPECT_EQ(throttle_.Judge("a.cc", 1, now_), Verdict::kHold);
}

TEST_F(LogThrottleTest, WhatComesSlowlyAlwaysPasses) {
  for (int i = 0; i < 10 * kLogLinesPerPlace; ++i) {
    now_ += kInterval / (kLogLinesPerPlace - 1);
    EXPECT_NE(throttle_.Judge("a.cc", 1, now_), Verdict::kHold) << i;
  }
  EXPECT_TRUE(throttle_.TakeDue(Clock::time_point::max()).empty());
  EXPECT_EQ(throttle_.held_back(), 0u);
}

TEST_F(LogThrottleTest, AtTheEndNothingStaysUntold) {
  Fill("a.cc", 1);
  Fill("a.cc", 2);
  throttle_.Judge("a.cc", 1, now_);
  throttle_.Judge("a.cc", 2, now_);
  EXPECT_EQ(throttle_.TakeDue(Clock::time_point::max()).size(), 2u);
  EXPECT_EQ(throttle_.Judge("a.cc", 1, now_), Verdict::kPass);
}

}  // namespace
}  // namespace shuntfs
