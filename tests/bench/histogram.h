// Latencies in logarithmic buckets, each split in 32: percentiles within 3 %, without allocation.
//
// Floor: tests. A plain value that may live in memory shared between processes; one writer each.
#ifndef SHUNTFS_TESTS_BENCH_HISTOGRAM_H_
#define SHUNTFS_TESTS_BENCH_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shuntfs::bench {

class Histogram {
 public:
  void Add(uint64_t value_ns) {
    ++counts_[BucketOf(value_ns)];
    ++count_;
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
  }

  uint64_t count() const { return count_; }

  // The lower bound of the bucket that holds the given share of the values.
  uint64_t PercentileNs(double share) const {
    const uint64_t wanted = static_cast<uint64_t>(static_cast<double>(count_) * share);
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return LowerBoundOf(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kSplitBits = 5;
  static constexpr uint64_t kSplit = uint64_t{1} << kSplitBits;

  static size_t BucketOf(uint64_t value) {
    if (value < kSplit) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSplitBits;
    return (size_t{shift} + 1) * kSplit + ((value >> shift) - kSplit);
  }

  static uint64_t LowerBoundOf(size_t bucket) {
    if (bucket < kSplit) return bucket;
    const size_t shift = bucket / kSplit - 1;
    return (kSplit + bucket % kSplit) << shift;
  }

  std::array<uint64_t, 60 * kSplit> counts_;
  uint64_t count_;
};

}  // namespace shuntfs::bench

#endif  // SHUNTFS_TESTS_BENCH_HISTOGRAM_H_
