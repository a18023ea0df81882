#include "io/slow_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace shuntfs {
namespace {

// Holds jobs until a number of them run at once.
class Gathering {
 public:
  // From a job.
  void Wait() {
    std::unique_lock lock(mutex_);
    ++here_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitHere(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return here_ >= count; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int here_ = 0;
  bool open_ = false;
};

TEST(SlowPool, GrowsWhileAllAreBusy) {
  SlowPool pool(4, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  EXPECT_EQ(pool.counters().size(), 1u) << "no more threads before they are needed";
  for (int i = 0; i < 4; ++i)
    pool.Submit([&gathering](ThreadIdentity&, Counters&) { gathering.Wait(); });
  gathering.AwaitHere(4);
  EXPECT_EQ(pool.counters().size(), 4u);
  gathering.Open();
}

TEST(SlowPool, GrowsNoFurtherThanItMay) {
  SlowPool pool(2, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  std::atomic<int> ran{0};
  for (int i = 0; i < 10; ++i) {
    pool.Submit([&gathering, &ran](ThreadIdentity&, Counters&) {
      gathering.Wait();
      ++ran;
    });
  }
  gathering.AwaitHere(2);
  EXPECT_EQ(pool.counters().size(), 2u);
  EXPECT_EQ(ran, 0);
  gathering.Open();
  pool.Stop();
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(pool.counters().size(), 2u);
}

TEST(SlowPool, StopRunsWhatIsWaiting) {
  std::atomic<int> ran{0};
  SlowPool pool(3, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  for (int i = 0; i < 1000; ++i) pool.Submit([&ran](ThreadIdentity&, Counters&) { ++ran; });
  pool.Stop();
  EXPECT_EQ(ran, 1000);
  pool.Stop();  // again is nothing
}

TEST(SlowPool, EachThreadHasItsOwnCounters) {
  SlowPool pool(3, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  std::mutex mutex;
  std::set<const Counters*> seen;
  for (int i = 0; i < 3; ++i) {
    pool.Submit([&](ThreadIdentity& identity, Counters& counters) {
      EXPECT_FALSE(identity.privileged());
      counters.offloaded.Add();
      {
        const std::lock_guard lock(mutex);
        seen.insert(&counters);
      }
      gathering.Wait();
    });
  }
  gathering.AwaitHere(3);
  gathering.Open();
  pool.Stop();
  uint64_t offloaded = 0;
  for (const Counters* counters : pool.counters()) offloaded += counters->offloaded.value();
  EXPECT_EQ(offloaded, 3u);
  EXPECT_EQ(seen.size(), 3u);
}

TEST(SlowPool, TakesJobsFromManyThreads) {
  std::atomic<int> ran{0};
  SlowPool pool(4, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  std::vector<std::thread> submitters;
  for (int t = 0; t < 4; ++t) {
    submitters.emplace_back([&pool, &ran] {
      for (int i = 0; i < 250; ++i) pool.Submit([&ran](ThreadIdentity&, Counters&) { ++ran; });
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  pool.Stop();
  EXPECT_EQ(ran, 1000);
}

TEST(SlowPoolDeathTest, TakesNothingAfterStop) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SlowPool pool(1, /*privileged=*/false);
        ASSERT_TRUE(pool.Start().ok());
        pool.Stop();
        pool.Submit([](ThreadIdentity&, Counters&) {});
      },
      "stopping_");
}

}  // namespace
}  // namespace shuntfs
