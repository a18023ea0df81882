#include "core/id_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

using Kind = IdRangeFault::Kind;
constexpr uint32_t kLastId = 0xfffffffe;

TEST(IdMap, WithoutRangesEveryIdKeepsItsNumber) {
  const UserMap map;
  EXPECT_TRUE(map.identity());
  for (const uint32_t id : {0u, 1u, 1000u, kOverflowId, kLastId}) {
    EXPECT_EQ(map.ToCaller(HostUid(id)), CallerUid(id));
    EXPECT_EQ(map.ToHost(CallerUid(id)), HostUid(id));
  }
}

TEST(IdMap, MapsRangesBothWays) {
  const std::vector<IdRange> ranges = {{1000, 2000, 10}, {0, 0, 1}, {5, 1000, 5}};
  ASSERT_FALSE(IdRanges::Check(ranges));
  const GroupMap map(ranges);
  struct Row {
    uint32_t host;
    uint32_t caller;
  };
  for (const Row& row : {Row{0, 0}, {1000, 2000}, {1009, 2009}, {5, 1000}, {9, 1004}}) {
    EXPECT_EQ(map.ToCaller(HostGid(row.host)), CallerGid(row.caller)) << row.host;
    EXPECT_EQ(map.ToHost(CallerGid(row.caller)), HostGid(row.host)) << row.caller;
  }
  for (const uint32_t host : {1u, 4u, 10u, 999u, 1010u, 2000u, kLastId})
    EXPECT_FALSE(map.ToCaller(HostGid(host))) << host;
  for (const uint32_t caller : {1u, 5u, 999u, 1005u, 1999u, 2010u, kOverflowId, kLastId})
    EXPECT_FALSE(map.ToHost(CallerGid(caller))) << caller;
}

TEST(IdMap, FaultsAreFound) {
  struct Row {
    std::vector<IdRange> ranges;
    Kind kind;
    size_t range;
  };
  const Row rows[] = {
      {{{0, 0, 0}}, Kind::kEmpty, 0},
      {{{1, 1, 1}, {kLastId, 5, 2}}, Kind::kTooFar, 1},
      {{{5, kLastId, 2}}, Kind::kTooFar, 0},
      {{{5, kLastId, 0xffffffff}}, Kind::kTooFar, 0},
      {{{5, kOverflowId, 1}}, Kind::kTakesOverflow, 0},
      {{{5, 65530, 10}}, Kind::kTakesOverflow, 0},
      {{{0, 0, 10}, {9, 20, 1}}, Kind::kHostTwice, 1},
      {{{9, 20, 1}, {0, 0, 10}}, Kind::kHostTwice, 1},
      {{{0, 0, 10}, {10, 9, 1}}, Kind::kCallerTwice, 1},
      {std::vector<IdRange>(kMaxIdRanges + 1, IdRange{1, 1, 1}), Kind::kHostTwice, 1},
  };
  for (const Row& row : rows) {
    const auto fault = IdRanges::Check(row.ranges);
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->kind, row.kind);
    EXPECT_EQ(fault->range, row.range);
  }
  std::vector<IdRange> many;
  for (uint32_t i = 0; i <= kMaxIdRanges; ++i) many.push_back({i, i, 1});
  const auto fault = IdRanges::Check(many);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, Kind::kTooMany);
  many.pop_back();
  EXPECT_FALSE(IdRanges::Check(many));
}

TEST(IdMap, NeighboursAndTheLastIdAreNoFault) {
  EXPECT_FALSE(IdRanges::Check(std::vector<IdRange>{{0, 10, 10}, {10, 0, 10}}));
  EXPECT_FALSE(IdRanges::Check(std::vector<IdRange>{{kLastId, kLastId, 1}}));
  EXPECT_FALSE(IdRanges::Check(std::vector<IdRange>{{kOverflowId, 1, 1}}));
}

TEST(IdMap, TheRestKeepsItsNumbersAndStaysOneToOne) {
  std::vector<IdRange> ranges = {{1000, 2000, 1}};
  for (const IdRange& rest : IdRanges::Rest(ranges)) ranges.push_back(rest);
  ASSERT_FALSE(IdRanges::Check(ranges));
  const UserMap map(ranges);
  for (const uint32_t id : {0u, 999u, 1001u, 1999u, 2001u, 65533u, 65535u, kLastId})
    EXPECT_EQ(map.ToCaller(HostUid(id)), CallerUid(id)) << id;
  EXPECT_EQ(map.ToCaller(HostUid(1000)), CallerUid(2000));
  // Were these shown as themselves, two owners would have one number.
  EXPECT_FALSE(map.ToCaller(HostUid(2000)));
  EXPECT_FALSE(map.ToHost(CallerUid(1000)));
  EXPECT_FALSE(map.ToHost(CallerUid(kOverflowId)));
}

// Random ranges that fit, near each other so that edges meet.
std::vector<IdRange> RandomRanges(std::mt19937& random) {
  std::vector<IdRange> ranges;
  const uint32_t base = random() % 2 == 0 ? 0 : kLastId - 400;
  for (int attempt = 0; attempt < 40; ++attempt) {
    const auto pick = [&random](uint32_t n) { return static_cast<uint32_t>(random() % n); };
    ranges.push_back({base + pick(350), base + pick(350), 1 + pick(30)});
    if (IdRanges::Check(ranges)) ranges.pop_back();
  }
  return ranges;
}

TEST(IdMap, RandomMapsAreOneToOneAndUndoThemselves) {
  constexpr uint32_t kSeed = 20260714;
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    std::vector<IdRange> ranges = RandomRanges(random);
    if (round % 2 == 1) {
      for (const IdRange& rest : IdRanges::Rest(ranges)) ranges.push_back(rest);
    }
    if (ranges.empty()) continue;
    const UserMap map(ranges);
    std::set<uint32_t> seen;
    uint64_t mapped = 0;
    for (uint64_t step = 0; step < 1000; ++step) {
      const auto id = static_cast<uint32_t>(step < 500 ? step : kLastId - (step - 500));
      // An independent statement of the map: the first range that holds the id.
      const auto range = std::find_if(ranges.begin(), ranges.end(), [id](const IdRange& r) {
        return id >= r.host && id - r.host < r.count;
      });
      const std::optional<CallerUid> caller = map.ToCaller(HostUid(id));
      ASSERT_EQ(caller.has_value(), range != ranges.end()) << id;
      if (caller) {
        ++mapped;
        ASSERT_EQ(caller->value(), range->caller + (id - range->host));
        ASSERT_EQ(map.ToHost(*caller), HostUid(id));
        ASSERT_TRUE(seen.insert(caller->value()).second) << "two owners with one number";
      }
      if (const std::optional<HostUid> host = map.ToHost(CallerUid(id))) {
        ASSERT_EQ(map.ToCaller(*host), CallerUid(id));
      }
    }
    EXPECT_GT(mapped, 0u);
  }
}

}  // namespace
}  // namespace shuntfs
