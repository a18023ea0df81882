#include "core/cache_timeouts.h"

#include <gtest/gtest.h>

#include <thread>

namespace shuntfs {
namespace {

TEST(LiveTimeout, KeepsWhatItIsGiven) {
  for (const CacheTimeout& timeout :
       {CacheTimeout{0, 0}, CacheTimeout{0, 999'999'999}, CacheTimeout{31536000, 1}}) {
    const LiveTimeout live(timeout);
    EXPECT_EQ(live.get().seconds, timeout.seconds);
    EXPECT_EQ(live.get().nanoseconds, timeout.nanoseconds);
  }
}

// Read while it changes, it is one value or the other, never half of each. The thread sanitizer
// watches, too.
TEST(LiveTimeout, IsReadInOnePiece) {
  LiveTimeout live({1, 1});
  std::thread writer([&live] {
    for (uint32_t i = 0; i < 20000; ++i) live.set({i % 7, i % 7});
  });
  for (int i = 0; i < 20000; ++i) {
    const CacheTimeout timeout = live.get();
    ASSERT_EQ(timeout.seconds, timeout.nanoseconds);
  }
  writer.join();
}

}  // namespace
}  // namespace shuntfs
