#include "io/pulse.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "io/slow_pool.h"

namespace shuntfs {
namespace {

TEST(Pulse, IsSilentFromTheQuestionToTheAnswer) {
  Pulse pulse;
  EXPECT_FALSE(pulse.silent());
  pulse.Ask();
  EXPECT_TRUE(pulse.silent());
  pulse.Beat();
  EXPECT_FALSE(pulse.silent());
  pulse.Beat();
  EXPECT_FALSE(pulse.silent());
}

void AwaitSign(const SlowPool& pool) {
  while (pool.silent()) std::this_thread::yield();
}

TEST(Pulse, ThePoolIsSilentOnlyWhileNoThreadOfItComesAround) {
  // They outlive the pool, whose threads wait for them.
  std::promise<void> begun[2];
  std::promise<void> open[2];
  SlowPool pool(2, /*privileged=*/false);
  ASSERT_TRUE(pool.Start().ok());
  pool.AskPulse();
  AwaitSign(pool);

  for (int i = 0; i < 2; ++i) {
    SlowJob job;
    job.use.uid = static_cast<uint32_t>(i);
    job.run = [&begun, &open, i](ThreadIdentity&, Counters&) {
      begun[i].set_value();
      open[i].get_future().wait();
    };
    pool.Submit(std::move(job));
  }
  for (std::promise<void>& each : begun) each.get_future().wait();
  pool.AskPulse();
  EXPECT_TRUE(pool.silent()) << "both threads are held up, and nobody can have answered";
  open[0].set_value();
  AwaitSign(pool);
  open[1].set_value();
}

}  // namespace
}  // namespace shuntfs
