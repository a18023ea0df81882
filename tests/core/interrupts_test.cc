#include "core/interrupts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

TEST(Interrupts, ReachTheRequestTheyName) {
  Interrupts interrupts;
  const Interrupts::Watch first(interrupts, Unique(2));
  const Interrupts::Watch second(interrupts, Unique(4));
  EXPECT_FALSE(first.interrupted());
  interrupts.Raise(Unique(4));
  EXPECT_FALSE(first.interrupted());
  EXPECT_TRUE(second.interrupted());
}

TEST(Interrupts, AreKeptForWhatIsNotWatchedYet) {
  Interrupts interrupts;
  interrupts.Raise(Unique(2));
  {
    const Interrupts::Watch early(interrupts, Unique(2));
    EXPECT_TRUE(early.interrupted());
    const Interrupts::Watch other(interrupts, Unique(4));
    EXPECT_FALSE(other.interrupted());
  }
  const Interrupts::Watch next(interrupts, Unique(2));
  EXPECT_FALSE(next.interrupted()) << "a request of the same number";
}

TEST(Interrupts, ThatNameNothingTakeLittleMemory) {
  Interrupts interrupts;
  for (uint64_t unique = 1; unique <= kMaxEarlyInterrupts + 1; ++unique)
    interrupts.Raise(Unique(unique));
  EXPECT_FALSE(Interrupts::Watch(interrupts, Unique(1)).interrupted()) << "the oldest is dropped";
  EXPECT_TRUE(Interrupts::Watch(interrupts, Unique(2)).interrupted());
}

TEST(Interrupts, AreToldOf) {
  Interrupts interrupts;
  std::vector<Unique> told;
  interrupts.OnRaise([&told](Unique unique) { told.push_back(unique); });
  interrupts.Raise(Unique(6));
  EXPECT_EQ(told, std::vector<Unique>{Unique(6)});
}

// A read(2) of a pipe into which nobody writes.
class WaitTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  void TearDown() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  int ReadErrno() {
    char byte;
    return read(ends_[0], &byte, 1) < 0 ? errno : 0;
  }

  Interrupts interrupts_;
  int ends_[2] = {-1, -1};
};

TEST_F(WaitTest, EndsWithAnInterruptThatCameBefore) {
  interrupts_.Raise(Unique(2));
  Interrupts::Watch watch(interrupts_, Unique(2));
  const Interrupts::Wait wait(&watch);
  EXPECT_EQ(ReadErrno(), EINTR);
  EXPECT_EQ(ReadErrno(), EINTR) << "as long as the wait lasts";
}

TEST_F(WaitTest, EndsWithAnInterruptThatComes) {
  Interrupts::Watch watch(interrupts_, Unique(2));
  std::thread raises;
  {
    const Interrupts::Wait wait(&watch);
    raises = std::thread([this] { interrupts_.Raise(Unique(2)); });
    EXPECT_EQ(ReadErrno(), EINTR);
  }
  raises.join();
}

TEST_F(WaitTest, EndsWithTheMount) {
  Interrupts::Watch watch(interrupts_, Unique(2));
  std::thread stops;
  {
    const Interrupts::Wait wait(&watch);
    stops = std::thread([this] { interrupts_.EndWaits(); });
    EXPECT_EQ(ReadErrno(), EINTR);
  }
  stops.join();
  Interrupts::Watch later(interrupts_, Unique(4));
  const Interrupts::Wait wait(&later);
  EXPECT_EQ(ReadErrno(), EINTR);
}

TEST_F(WaitTest, LeavesLaterSystemCallsAlone) {
  interrupts_.Raise(Unique(2));
  {
    Interrupts::Watch watch(interrupts_, Unique(2));
    const Interrupts::Wait wait(&watch);
    EXPECT_EQ(ReadErrno(), EINTR);
  }
  const timespec five_intervals{0, 5 * kInterruptIntervalMs * 1'000'000};
  EXPECT_EQ(nanosleep(&five_intervals, nullptr), 0);
}

TEST(Interrupts, WakeARequestOfAnotherThread) {
  Interrupts interrupts;
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (uint64_t unique = 1; unique <= 4; ++unique) {
    threads.emplace_back([&interrupts, &ready, unique] {
      const Interrupts::Watch watch(interrupts, Unique(unique));
      ++ready;
      while (!watch.interrupted()) std::this_thread::yield();
    });
  }
  while (ready < 4) std::this_thread::yield();
  for (uint64_t unique = 1; unique <= 4; ++unique) interrupts.Raise(Unique(unique));
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace shuntfs
