#include "core/latency_histogram.h"

#include <gtest/gtest.h>

namespace shuntfs {
namespace {

TEST(LatencyBuckets, EveryTimeIsInTheBucketThatItsBoundsSay) {
  for (uint64_t ns = 0; ns < (uint64_t{1} << 20); ns = ns < 5000 ? ns + 1 : ns + ns / 97) {
    const size_t index = LatencyBuckets::IndexOf(ns);
    ASSERT_LT(index, LatencyBuckets::kCount);
    EXPECT_LE(LatencyBuckets::BeginOf(index), ns);
    EXPECT_LT(ns, LatencyBuckets::BeginOf(index + 1)) << ns;
  }
}

TEST(LatencyBuckets, BoundsGrowByAQuarterAtMost) {
  for (size_t i = 1; i + 1 < LatencyBuckets::kCount; ++i) {
    const uint64_t begin = LatencyBuckets::BeginOf(i);
    const uint64_t end = LatencyBuckets::BeginOf(i + 1);
    ASSERT_LT(begin, end);
    EXPECT_LE(end - begin, begin / 4) << i;
    EXPECT_EQ(LatencyBuckets::IndexOf(begin), i);
    EXPECT_EQ(LatencyBuckets::IndexOf(end - 1), i);
  }
}

TEST(LatencyBuckets, TheLastTakesWhateverIsLonger) {
  const uint64_t last = LatencyBuckets::BeginOf(LatencyBuckets::kCount - 1);
  EXPECT_EQ(last, uint64_t{1} << 36);
  EXPECT_EQ(LatencyBuckets::IndexOf(last), LatencyBuckets::kCount - 1);
  EXPECT_EQ(LatencyBuckets::IndexOf(~uint64_t{0}), LatencyBuckets::kCount - 1);
}

TEST(LatencySum, PercentilesAreWithinAnEighthOfTheTruth) {
  LatencyHistogram histogram;
  for (uint64_t us = 1; us <= 1000; ++us) histogram.Record(us * 1000);
  LatencySum sum;
  sum.Add(histogram);
  EXPECT_EQ(sum.count, 1000u);
  EXPECT_EQ(sum.sum_ns, 500'500'000u);
  EXPECT_EQ(sum.max_ns, 1'000'000u);
  for (const double fraction : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    const double truth = fraction * 1e6;
    EXPECT_NEAR(static_cast<double>(sum.Percentile(fraction)), truth, truth / 8) << fraction;
  }
  EXPECT_EQ(sum.Percentile(1.0), 1'000'000u) << "never above the maximum";
}

TEST(LatencySum, AddsThreadsUpAndTakesBackWhatDidNotHappen) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.Record(1000);
  one.Record(7'000'000);
  one.Remove(7'000'000);
  other.Record(9'000);
  LatencySum sum;
  sum.Add(one);
  sum.Add(other);
  EXPECT_EQ(sum.count, 2u);
  EXPECT_EQ(sum.sum_ns, 10'000u);
  EXPECT_EQ(sum.buckets[LatencyBuckets::IndexOf(7'000'000)], 0u);
}

TEST(LatencySum, OneSlowRequestShowsInTheMaximumAlone) {
  LatencyHistogram histogram;
  for (int i = 0; i < 999; ++i) histogram.Record(10'000);
  histogram.Record(uint64_t{100} * 1'000'000'000);
  LatencySum sum;
  sum.Add(histogram);
  EXPECT_LT(sum.Percentile(0.99), 13'000u);
  EXPECT_EQ(sum.Percentile(1.0), uint64_t{100} * 1'000'000'000);
  EXPECT_EQ(LatencySum().Percentile(0.5), 0u);
}

}  // namespace
}  // namespace shuntfs
