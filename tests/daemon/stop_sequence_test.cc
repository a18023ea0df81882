#include "daemon/stop_sequence.h"

#include <gtest/gtest.h>

#include <chrono>

namespace shuntfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Action = StopSequence::Action;
using Kind = UnmountOutcome::Kind;
using Phase = StopSequence::Phase;

// Time is what the test says it is.
class StopSequenceTest : public testing::Test {
 protected:
  StopSequence::TimePoint Now() const { return now_; }
  void Pass(StopSequence::Duration time) { now_ += time; }

  // To the deadline, which has to be there.
  Action Expire() {
    EXPECT_TRUE(sequence_.deadline().has_value());
    now_ = sequence_.deadline().value_or(now_);
    return sequence_.OnDeadline(now_);
  }

  StopSequence::TimePoint now_{seconds(1000)};
  StopSequence sequence_{StopSequence::Limits{}};
};

TEST_F(StopSequenceTest, AnIdleMountEndsWithoutForce) {
  EXPECT_EQ(sequence_.deadline(), std::nullopt);
  EXPECT_EQ(sequence_.OnSignal(Now()), Action::kUnmount);
  EXPECT_EQ(sequence_.OnUnmounted(Kind::kDone, Now()), Action::kNone);
  EXPECT_EQ(sequence_.OnConnectionEnded(Now()), Action::kJoin);
  EXPECT_EQ(sequence_.OnJoined(), Action::kFinish);
  EXPECT_EQ(sequence_.phase(), Phase::kDone);
  EXPECT_FALSE(sequence_.forced());
  EXPECT_EQ(sequence_.deadline(), std::nullopt);
}

TEST_F(StopSequenceTest, ABusyMountIsDetachedAndServedForAWhile) {
  const auto begin = Now();
  EXPECT_EQ(sequence_.OnStopRequest(Now()), Action::kUnmount);
  EXPECT_EQ(sequence_.OnUnmounted(Kind::kBusy, Now()), Action::kFlushAndDetach);
  Pass(seconds(1));
  EXPECT_EQ(sequence_.OnDetached(Now()), Action::kNone);
  EXPECT_EQ(sequence_.phase(), Phase::kDraining);
  // The time runs from the request, not from each step.
  EXPECT_EQ(sequence_.deadline(), begin + seconds(5));
  EXPECT_EQ(sequence_.OnJoined(), Action::kNone);  // Nobody joins yet.
  EXPECT_EQ(Expire(), Action::kBeginStop);
  EXPECT_EQ(sequence_.OnJoined(), Action::kFinish);
  EXPECT_FALSE(sequence_.forced());
}

TEST_F(StopSequenceTest, TheSecondSignalGivesUpAfterASecond) {
  sequence_.OnSignal(Now());
  sequence_.OnUnmounted(Kind::kBusy, Now());
  sequence_.OnDetached(Now());
  Pass(milliseconds(500));
  EXPECT_EQ(sequence_.OnSignal(Now()), Action::kNone);
  EXPECT_EQ(sequence_.deadline(), Now() + seconds(1));
  Pass(milliseconds(300));
  sequence_.OnSignal(Now());  // A third one does not lengthen it.
  EXPECT_EQ(sequence_.deadline(), Now() + milliseconds(700));
  EXPECT_EQ(Expire(), Action::kAbort);
  EXPECT_TRUE(sequence_.forced());
  EXPECT_EQ(sequence_.OnConnectionEnded(Now()), Action::kJoin);
}

TEST_F(StopSequenceTest, ALateSecondSignalDoesNotLengthenTheDeadline) {
  const auto begin = Now();
  sequence_.OnSignal(Now());
  Pass(milliseconds(4900));
  sequence_.OnSignal(Now());
  EXPECT_EQ(sequence_.deadline(), begin + seconds(5));
}

TEST_F(StopSequenceTest, AskingTwiceIsNoSecondSignal) {
  EXPECT_EQ(sequence_.OnStopRequest(Now()), Action::kUnmount);
  const auto deadline = sequence_.deadline();
  EXPECT_EQ(sequence_.OnStopRequest(Now() + seconds(1)), Action::kNone);
  EXPECT_EQ(sequence_.deadline(), deadline);
}

TEST_F(StopSequenceTest, AnUnmountThatFailsStillEndsTheConnection) {
  sequence_.OnSignal(Now());
  EXPECT_EQ(sequence_.OnUnmounted(Kind::kFailed, Now()), Action::kBeginStop);
  EXPECT_EQ(sequence_.phase(), Phase::kStopping);
}

TEST_F(StopSequenceTest, AnUnmountThatHangsIsNotWaitedFor) {
  sequence_.OnSignal(Now());
  EXPECT_EQ(Expire(), Action::kBeginStop);
  EXPECT_EQ(sequence_.OnUnmounted(Kind::kBusy, Now()), Action::kNone);  // Too late to matter.
  EXPECT_EQ(sequence_.phase(), Phase::kStopping);
}

TEST_F(StopSequenceTest, EveryPhaseHasAnEnd) {
  sequence_.OnSignal(Now());
  EXPECT_EQ(Expire(), Action::kBeginStop);
  EXPECT_EQ(Expire(), Action::kAbort);
  EXPECT_EQ(Expire(), Action::kGiveUp);
  EXPECT_EQ(sequence_.phase(), Phase::kGaveUp);
  EXPECT_TRUE(sequence_.forced());
}

TEST_F(StopSequenceTest, ThreadsThatDoNotEndAreLeft) {
  EXPECT_EQ(sequence_.OnConnectionEnded(Now()), Action::kJoin);
  EXPECT_EQ(sequence_.OnConnectionEnded(Now()), Action::kNone);
  EXPECT_EQ(Expire(), Action::kGiveUp);
}

TEST_F(StopSequenceTest, AnEndFromOutsideIsNoForce) {
  EXPECT_EQ(sequence_.OnConnectionEnded(Now()), Action::kJoin);
  EXPECT_EQ(sequence_.OnSignal(Now()), Action::kNone);
  EXPECT_EQ(sequence_.OnJoined(), Action::kFinish);
  EXPECT_FALSE(sequence_.forced());
  EXPECT_FALSE(sequence_.stop_requested());
}

}  // namespace
}  // namespace shuntfs
