#include "daemon/heartbeat.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shuntfs {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class HeartbeatTest : public testing::Test {
 protected:
  Heartbeat Make(microseconds watchdog) {
    Heartbeat::Hooks hooks;
    hooks.ask = [this] { ++asked_; };
    hooks.silent = [this] { return silent_; };
    hooks.requests = [this] { return requests_; };
    hooks.tell = [this](const std::string& lines) { told_.push_back(lines); };
    return {hooks, "data path device", watchdog};
  }
  bool Fed() const { return told_.back().find("WATCHDOG=1") != std::string::npos; }

  Heartbeat::Clock::time_point now_ = Heartbeat::Clock::now();
  int asked_ = 0;
  std::vector<std::string> silent_;
  uint64_t requests_ = 0;
  std::vector<std::string> told_;
};

TEST_F(HeartbeatTest, FeedsTheWatchdogWhileAllAnswer) {
  Heartbeat heartbeat = Make(seconds(2));
  EXPECT_EQ(heartbeat.period(), milliseconds(500));
  heartbeat.Ready(now_);
  EXPECT_NE(told_.back().find("READY=1"), std::string::npos);
  EXPECT_EQ(asked_, 1) << "the first beat judges an answer, not a silence that nobody broke";
  heartbeat.Beat(now_ + seconds(1));
  EXPECT_TRUE(Fed());
  EXPECT_EQ(asked_, 2);
}

TEST_F(HeartbeatTest, LetsTheWatchdogStarveWhileOneIsSilent) {
  Heartbeat heartbeat = Make(seconds(2));
  heartbeat.Ready(now_);
  silent_ = {"shuntfs-q3"};
  heartbeat.Beat(now_ + seconds(1));
  heartbeat.Beat(now_ + seconds(2));
  EXPECT_FALSE(Fed());
  EXPECT_NE(told_.back().find("shuntfs-q3"), std::string::npos) << told_.back();
  EXPECT_EQ(asked_, 1) << "a question that is not answered is not asked again";
  silent_.clear();
  heartbeat.Beat(now_ + seconds(3));
  EXPECT_TRUE(Fed());
  EXPECT_EQ(asked_, 2);
}

TEST_F(HeartbeatTest, WithoutWatchdogNobodyIsDisturbed) {
  Heartbeat heartbeat = Make(microseconds(0));
  EXPECT_GE(heartbeat.period(), seconds(5));
  heartbeat.Ready(now_);
  silent_ = {"anybody"};
  heartbeat.Beat(now_ + seconds(10));
  EXPECT_EQ(asked_, 0);
  EXPECT_FALSE(Fed());
  EXPECT_NE(told_.back().find("STATUS=data path device"), std::string::npos);
}

TEST_F(HeartbeatTest, TheStatusHasTheLoadSinceTheLastBeat) {
  Heartbeat heartbeat = Make(microseconds(0));
  requests_ = 100;
  heartbeat.Ready(now_);
  requests_ = 160;
  heartbeat.Beat(now_ + seconds(10));
  EXPECT_NE(told_.back().find("160 requests so far, 6.0 per second"), std::string::npos)
      << told_.back();
}

TEST_F(HeartbeatTest, SaysThatItEnds) {
  Heartbeat heartbeat = Make(seconds(2));
  heartbeat.Stopping();
  EXPECT_EQ(told_.back().substr(0, 11), "STOPPING=1\n");
}

}  // namespace
}  // namespace shuntfs
