#include "io/caller_stay.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace shuntfs {
namespace {

constexpr int64_t kNow = 5'000'000'000;

uint32_t CommitsWanted(StayRule& rule) {
  uint32_t commits = 0;
  while (commits <= StayRule::kCommitsPerMove && rule.Wanted()) ++commits;
  return commits;
}

TEST(StayRuleTest, ACallerThatStaysByItselfIsLeftAlone) {
  StayRule rule;
  EXPECT_FALSE(rule.Wanted());
}

TEST(StayRuleTest, ACallerThatMovedIsKeptForAWhile) {
  StayRule rule;
  for (int i = 0; i < 3; ++i) {
    rule.CallerMoved(/*other_serving=*/false);
    EXPECT_EQ(CommitsWanted(rule), StayRule::kCommitsPerMove);
  }
}

TEST(StayRuleTest, SeveralCallersAreLeftAlone) {
  StayRule rule;
  rule.CallerMoved(false);
  rule.CallerMoved(/*other_serving=*/true);
  for (uint32_t i = 0; i < StayRule::kMovesInACrowd; ++i) {
    EXPECT_FALSE(rule.Wanted());
    rule.CallerMoved(false);
  }
  EXPECT_FALSE(rule.Wanted());
  rule.CallerMoved(false);
  EXPECT_TRUE(rule.Wanted());
}

TEST(StayRuleTest, AWorkerThatWasKeptWaitingStopsForASecond) {
  StayRule rule;
  EXPECT_FALSE(rule.Paused(kNow));
  rule.Took(kNow, kNow + StayRule::kKeptWaitingNs - 1);
  EXPECT_FALSE(rule.Paused(kNow));
  rule.Took(kNow - StayRule::kKeptWaitingNs, kNow);
  EXPECT_TRUE(rule.Paused(kNow + StayRule::kPauseNs - 1));
  EXPECT_FALSE(rule.Paused(kNow + StayRule::kPauseNs));
}

TEST(IdlePolicyTest, IsLeftAsItWasEntered) {
  if (!MayLeaveIdlePolicy()) GTEST_SKIP() << "needs CAP_SYS_NICE";
  std::thread([] {
    ASSERT_EQ(setpriority(PRIO_PROCESS, 0, 3), 0);
    ASSERT_TRUE(EnterIdlePolicy());
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
    ASSERT_TRUE(LeaveIdlePolicy());
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 3);
  }).join();
}

TEST(IdlePolicyTest, AProcessUnderAnotherPolicyKeepsIt) {
  std::thread([] {
    const sched_param none{};
    ASSERT_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    EXPECT_FALSE(MayLeaveIdlePolicy());
  }).join();
}

}  // namespace
}  // namespace shuntfs
