#include "daemon/start_watch.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <future>
#include <string>

namespace shuntfs {
namespace {

TEST(StartWatch, AStartInTimeIsLeftAlone) {
  const UniqueFd no_signal(eventfd(0, EFD_CLOEXEC));
  std::atomic<int> calls = 0;
  {
    const StartWatch watch(no_signal.get(), StartWatch::Limits(),
                           [&calls](const std::string&) { ++calls; });
  }
  EXPECT_EQ(calls, 0);
}

TEST(StartWatch, AStartThatHangsIsGivenUp) {
  const UniqueFd no_signal(eventfd(0, EFD_CLOEXEC));
  std::promise<std::string> given_up;
  const StartWatch watch(no_signal.get(), {1000, 0},
                         [&given_up](const std::string& reason) { given_up.set_value(reason); });
  EXPECT_EQ(given_up.get_future().get(), "the start did not finish within 1 s");
}

TEST(StartWatch, ASignalEndsAStartThatHangs) {
  const UniqueFd signal(eventfd(1, EFD_CLOEXEC));  // Readable, as with a signal.
  std::promise<std::string> given_up;
  const StartWatch watch(signal.get(), {600 * 1000, 10},
                         [&given_up](const std::string& reason) { given_up.set_value(reason); });
  EXPECT_NE(given_up.get_future().get().find("signal"), std::string::npos);
}

TEST(StartWatch, ASignalLetsAStartThatFinishesFinish) {
  const UniqueFd signal(eventfd(1, EFD_CLOEXEC));
  std::atomic<int> calls = 0;
  {
    const StartWatch watch(signal.get(), {600 * 1000, 600 * 1000},
                           [&calls](const std::string&) { ++calls; });
  }
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace shuntfs
