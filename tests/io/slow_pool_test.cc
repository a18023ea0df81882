#include "io/slow_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
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

SlowJob JobOf(uint32_t uid, std::function<void(ThreadIdentity&, Counters&)> run) {
  SlowJob job;
  job.use.uid = uid;
  job.run = std::move(run);
  return job;
}

SlowJob JobOf(std::function<void(ThreadIdentity&, Counters&)> run) {
  return JobOf(0, std::move(run));
}

TEST(SlowPool, GrowsWhileAllAreBusy) {
  SlowPool pool(4, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  EXPECT_EQ(pool.load().threads, 1u) << "no more threads before they are needed";
  for (uint32_t uid = 0; uid < 4; ++uid)
    pool.Submit(JobOf(uid, [&gathering](ThreadIdentity&, Counters&) { gathering.Wait(); }));
  gathering.AwaitHere(4);
  EXPECT_EQ(pool.load().threads, 4u);
  gathering.Open();
}

TEST(SlowPool, GrowsNoFurtherThanItMay) {
  SlowPool pool(2, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  std::atomic<int> ran{0};
  for (uint32_t i = 0; i < 10; ++i) {
    pool.Submit(JobOf(i % 2, [&gathering, &ran](ThreadIdentity&, Counters&) {
      gathering.Wait();
      ++ran;
    }));
  }
  gathering.AwaitHere(2);
  EXPECT_EQ(pool.load().threads, 2u);
  EXPECT_EQ(ran, 0);
  gathering.Open();
  pool.Stop();
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(pool.counters().size(), 3u) << "the pool's own, and one of each thread";
}

TEST(SlowPool, StopRunsWhatIsWaiting) {
  std::atomic<int> ran{0};
  SlowPool pool(3, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  for (int i = 0; i < 1000; ++i) pool.Submit(JobOf([&ran](ThreadIdentity&, Counters&) { ++ran; }));
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
  for (uint32_t uid = 0; uid < 3; ++uid) {
    pool.Submit(JobOf(uid, [&](ThreadIdentity& identity, Counters& counters) {
      EXPECT_FALSE(identity.privileged());
      counters.offloaded.Add();
      {
        const std::lock_guard lock(mutex);
        seen.insert(&counters);
      }
      gathering.Wait();
    }));
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
      for (int i = 0; i < 250; ++i)
        pool.Submit(JobOf([&ran](ThreadIdentity&, Counters&) { ++ran; }));
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  pool.Stop();
  EXPECT_EQ(ran, 1000);
}

// One user's requests that wait for a server that never answers, in the threads of a pool of 8: the
// pool is 8 threads, so that user may wait in 4, and run in 6.
class Shares : public ::testing::Test {
 protected:
  void SetUp() override {
    pool_.SetEntriesPerQueue(16);
    ASSERT_TRUE(pool_.Start().ok());
  }
  void TearDown() override {
    hung_.Open();
    pool_.Stop();
  }
  // Of the kind that waits until TearDown.
  SlowJob Hung(uint32_t uid, int queue = ShareUse::kNoQueue,
               WaitsFor waits_for = WaitsFor::kServer) {
    SlowJob job = JobOf(uid, [this](ThreadIdentity&, Counters&) { hung_.Wait(); });
    job.use.queue = queue;
    job.use.waits_for = waits_for;
    job.give_up = [this](Errno error) {
      const std::lock_guard lock(mutex_);
      given_up_.push_back(error.value());
      changed_.notify_all();
    };
    return job;
  }
  void AwaitGivenUp(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return given_up_.size() >= count; });
  }
  // Submits a job that ends by itself, and waits for its end.
  void RunOne(uint32_t uid, WaitsFor waits_for = WaitsFor::kItsWork) {
    std::promise<void> ran;
    SlowJob job = JobOf(uid, [&ran](ThreadIdentity&, Counters&) { ran.set_value(); });
    job.use.waits_for = waits_for;
    pool_.Submit(std::move(job));
    ran.get_future().wait();
  }
  uint64_t refused() const {
    uint64_t sum = 0;
    for (const Counters* counters : pool_.counters()) sum += counters->refused_waits.value();
    return sum;
  }

  Interrupts interrupts_;
  Gathering hung_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> given_up_;
  SlowPool pool_{8, /*privileged=*/false};
};

TEST_F(Shares, OneUserLeavesThreadsToOthersAndToWhatEndsByItself) {
  for (int i = 0; i < 100; ++i) pool_.Submit(Hung(1000));
  hung_.AwaitHere(4);
  RunOne(1000);
  RunOne(2000);
  RunOne(2000, WaitsFor::kServer);
  EXPECT_EQ(pool_.load().waiting, 96u);
  EXPECT_EQ(refused(), 0u);
}

TEST_F(Shares, AllUsersTogetherLeaveThreadsToWhatEndsByItself) {
  for (uint32_t uid = 1; uid <= 20; ++uid) pool_.Submit(Hung(uid));
  hung_.AwaitHere(6);
  for (uint32_t uid = 1; uid <= 3; ++uid) RunOne(uid);
  EXPECT_EQ(pool_.load().waiting, 14u);
}

TEST_F(Shares, AJobThatWaitsForItsTurnIsInterruptedAtOnce) {
  for (int i = 0; i < 4; ++i) pool_.Submit(Hung(1000));
  hung_.AwaitHere(4);
  interrupts_.OnRaise([this](Unique unique) { pool_.Interrupted(unique); });
  for (uint64_t unique = 10; unique < 13; ++unique) {
    SlowJob job = Hung(1000);
    if (unique == 12) interrupts_.Raise(Unique(unique));  // it comes before its request
    job.watch = std::make_shared<Interrupts::Watch>(interrupts_, Unique(unique));
    pool_.Submit(std::move(job));
  }
  AwaitGivenUp(1);
  interrupts_.Raise(Unique(11));
  AwaitGivenUp(2);
  EXPECT_EQ(given_up_, (std::vector<int>{EINTR, EINTR}));
  EXPECT_EQ(pool_.load().waiting, 1u);
}

TEST_F(Shares, WhoWaitsForTheHolderOfALeaseGetsNoFurtherEntry) {
  for (int i = 0; i < 16; ++i) pool_.Submit(Hung(1000, 3, WaitsFor::kHolder));
  EXPECT_EQ(given_up_, std::vector<int>(8, EAGAIN)) << "half of the 16 entries of queue 3";
  EXPECT_EQ(refused(), 8u);
  pool_.Submit(Hung(2000, 3, WaitsFor::kHolder));
  EXPECT_EQ(given_up_.size(), 8u) << "another user has a share as well";
  for (int i = 0; i < 16; ++i) pool_.Submit(Hung(3000, 3, WaitsFor::kHolder));
  EXPECT_EQ(given_up_.size(), 8u + 13u) << "12 of 16 entries at most wait, whoever for";
}

// A server that answers slowly is waited for; one that does not answer at all is not.
TEST_F(Shares, WhoWaitsForAServerGetsNoFurtherEntryOnceItAnswersNothing) {
  for (int i = 0; i < 16; ++i) pool_.Submit(Hung(1000, 3));
  EXPECT_TRUE(given_up_.empty());
  AwaitGivenUp(8);
  pool_.Submit(Hung(1000, 3));
  EXPECT_EQ(given_up_, std::vector<int>(9, EAGAIN));
  EXPECT_EQ(refused(), 9u);
}

TEST_F(Shares, WhatCannotBeRefusedWaits) {
  for (int i = 0; i < 16; ++i) {
    SlowJob job = Hung(1000, 3, WaitsFor::kHolder);
    job.refusable = false;
    pool_.Submit(std::move(job));
  }
  EXPECT_TRUE(given_up_.empty());
}

TEST(SlowPool, UsersTakeTurns) {
  SlowPool pool(1, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  Gathering gathering;
  std::vector<uint32_t> order;  // written by the one thread
  pool.Submit(JobOf(9, [&gathering](ThreadIdentity&, Counters&) { gathering.Wait(); }));
  for (const uint32_t uid : {1U, 1U, 1U, 2U, 3U})
    pool.Submit(JobOf(uid, [&order, uid](ThreadIdentity&, Counters&) { order.push_back(uid); }));
  gathering.AwaitHere(1);
  gathering.Open();
  pool.Stop();
  EXPECT_EQ(order, (std::vector<uint32_t>{1, 2, 3, 1, 1}));
}

TEST(SlowPoolDeathTest, TakesNothingAfterStop) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SlowPool pool(1, /*privileged=*/false);
        ASSERT_TRUE(pool.Start().ok());
        pool.Stop();
        pool.Submit(JobOf([](ThreadIdentity&, Counters&) {}));
      },
      "stopping_");
}

}  // namespace
}  // namespace shuntfs
