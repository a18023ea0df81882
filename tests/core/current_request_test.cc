#include "core/current_request.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace shuntfs {
namespace {

abi::InHeader HeaderOf(uint64_t unique) {
  abi::InHeader header{};
  header.unique = unique;
  header.nodeid = unique * 3;
  header.opcode = static_cast<uint32_t>(unique % 50);
  return header;
}

TEST(CurrentRequest, IsSeenFromItsBeginToItsEnd) {
  CurrentRequest current;
  EXPECT_FALSE(current.busy());
  EXPECT_FALSE(current.Look());
  current.Begin(HeaderOf(8), 77);
  ASSERT_TRUE(current.Look());
  EXPECT_TRUE(current.busy());
  EXPECT_EQ(current.Look()->nodeid, 24u);
  EXPECT_EQ(current.Look()->opcode, 8u);
  EXPECT_EQ(current.Look()->start_ns, 77);
  current.End();
  EXPECT_FALSE(current.Look());
  EXPECT_EQ(current.start_ns(), 77);
}

TEST(CurrentRequest, NoReaderSeesPartsOfTwo) {
  CurrentRequest current;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> seen{0};
  std::thread reader([&] {
    while (!done.load() || seen.load() == 0) {
      const auto look = current.Look();
      if (!look) continue;
      ASSERT_EQ(look->nodeid, look->unique * 3);
      ASSERT_EQ(look->opcode, look->unique % 50);
      ASSERT_EQ(look->start_ns, static_cast<int64_t>(look->unique) + 1);
      seen.fetch_add(1);
    }
  });
  for (uint64_t unique = 2; unique < 2'000'000; unique += 2)
    current.Begin(HeaderOf(unique), static_cast<int64_t>(unique) + 1);
  done.store(true);
  reader.join();
  EXPECT_GT(seen.load(), 0u);
}

}  // namespace
}  // namespace shuntfs
