#include "core/interrupts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

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

TEST(Interrupts, ForWhatDoesNotRunAreDropped) {
  Interrupts interrupts;
  interrupts.Raise(Unique(2));
  { const Interrupts::Watch over(interrupts, Unique(2)); }
  interrupts.Raise(Unique(2));
  const Interrupts::Watch again(interrupts, Unique(2));
  EXPECT_FALSE(again.interrupted());
}

TEST(Interrupts, ForWhatIsStillToRunAreKept) {
  Interrupts interrupts;
  interrupts.Expect(Unique(2));
  interrupts.Expect(Unique(4));
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
