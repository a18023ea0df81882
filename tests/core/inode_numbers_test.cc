#include "core/inode_numbers.h"

#include <gtest/gtest.h>

#include <set>

namespace shuntfs {
namespace {

constexpr uint64_t kLow = uint64_t{1} << 31;
constexpr uint64_t kHigh = uint64_t{1} << 62;

TEST(InodeNumbers, LeavesTheSourcesOwnAlone) {
  InodeNumbers numbers;
  for (const uint64_t ino : {uint64_t{1}, kLow - 1, kLow, 2 * kLow, kHigh, ~uint64_t{0}})
    EXPECT_EQ(numbers.Own(ino), ino);
}

TEST(InodeNumbers, FitThirtyTwoBitsAndDependOnNothingElse) {
  InodeNumbers numbers;
  InodeNumbers other_order;
  const uint64_t a = numbers.Foreign(1, 12);
  const uint64_t b = numbers.Foreign(2, 12);
  EXPECT_EQ(other_order.Foreign(2, 12), b);
  EXPECT_EQ(other_order.Foreign(1, 12), a);
  EXPECT_EQ(numbers.Foreign(1, 12), a);
  EXPECT_NE(a, b);
  for (const uint64_t number : {a, b}) {
    EXPECT_GE(number, kLow);
    EXPECT_LT(number, 2 * kLow);
  }
}

// 1,100 file systems with the same inode numbers.
TEST(InodeNumbers, AreAllDifferent) {
  InodeNumbers numbers;
  std::set<uint64_t> seen;
  for (uint64_t file_system = 1; file_system <= 1100; ++file_system) {
    for (uint64_t ino = 1; ino <= 100; ++ino) seen.insert(numbers.Foreign(file_system, ino));
  }
  EXPECT_EQ(seen.size(), 110'000u);
}

TEST(InodeNumbers, AreNotSharedWhenHashesCollide) {
  InodeNumbers numbers([](uint64_t, uint64_t, uint64_t) { return uint64_t{5}; });
  std::set<uint64_t> seen;
  for (uint64_t ino = 1; ino <= 100; ++ino) {
    const uint64_t number = numbers.Foreign(1, ino);
    seen.insert(number);
    EXPECT_EQ(numbers.Foreign(1, ino), number);
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(*seen.begin(), kLow | 5);
  EXPECT_EQ(*seen.rbegin(), kHigh + 5 + 98);
}

TEST(InodeNumbers, GiveWayToTheSourcesOwn) {
  InodeNumbers numbers;
  const uint64_t low = numbers.Foreign(1, 12);
  const uint64_t kept = numbers.Foreign(1, 13);
  EXPECT_EQ(numbers.Own(low), low);
  const uint64_t high = numbers.Foreign(1, 12);
  EXPECT_GE(high, kHigh);
  EXPECT_EQ(numbers.Own(high), high);
  const uint64_t next = numbers.Foreign(1, 12);
  EXPECT_NE(next, high);
  EXPECT_EQ(numbers.Foreign(1, 12), next);
  EXPECT_EQ(numbers.Foreign(1, 13), kept) << "nobody else has it";
  EXPECT_GE(numbers.Foreign(1, 14), kHigh)
      << "the source has numbers of 32 bits with bit 31 itself";
}

TEST(InodeNumbers, AFullTableGivesNoNumberThatItRemembers) {
  InodeNumbers numbers([](uint64_t, uint64_t ino, uint64_t) { return ino / 2; }, 4);
  std::set<uint64_t> seen;
  for (uint64_t ino = 0; ino < 4; ++ino) seen.insert(numbers.Foreign(1, ino));
  EXPECT_EQ(seen.size(), 4u);
  for (uint64_t ino = 4; ino < 40; ++ino) {
    const uint64_t number = numbers.Foreign(1, ino);
    EXPECT_GE(number, kHigh);
    EXPECT_FALSE(seen.contains(number)) << ino;
  }
}

TEST(StableHash, NeverChanges) {
  EXPECT_EQ(StableHash(1, 2, 3), 0xd17877799911d4cdu);
  EXPECT_NE(StableHash(1, 2, 3), StableHash(2, 1, 3));
  EXPECT_NE(StableHash(0, 0, 0), StableHash(0, 0, 1));
}

}  // namespace
}  // namespace shuntfs
