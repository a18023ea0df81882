// How long requests took, as counts in buckets of a fixed layout.
//
// Floor 2. One writer, any reader, no lock and no allocation. Four buckets per power of two: a
// percentile read from them is right within an eighth. Times below 256 ns share the first bucket,
// those above a minute the last.
#ifndef SHUNTFS_CORE_LATENCY_HISTOGRAM_H_
#define SHUNTFS_CORE_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/counter.h"

namespace shuntfs {

// The layout alone. Bucket 0 is [0, 256 ns); behind it each power of two is cut in four.
struct LatencyBuckets {
  static constexpr int kFirstBit = 8;
  static constexpr int kLastBit = 36;  // 69 s
  static constexpr int kSplitBits = 2;
  static constexpr size_t kCount = size_t{kLastBit - kFirstBit} * (1U << kSplitBits) + 2;

  static constexpr size_t IndexOf(uint64_t ns) {
    if (ns < (uint64_t{1} << kFirstBit)) return 0;
    const int bit = static_cast<int>(std::bit_width(ns)) - 1;
    if (bit >= kLastBit) return kCount - 1;
    const uint64_t within = (ns >> (bit - kSplitBits)) & ((1U << kSplitBits) - 1);
    return 1 + (static_cast<size_t>(bit - kFirstBit) << kSplitBits) + static_cast<size_t>(within);
  }
  // The bucket holds what is at least its own begin and less than the next one's.
  static constexpr uint64_t BeginOf(size_t index) {
    if (index == 0) return 0;
    const size_t step = index - 1;
    const int bit = kFirstBit + static_cast<int>(step >> kSplitBits);
    const uint64_t within = step & ((1U << kSplitBits) - 1);
    return ((uint64_t{1} << kSplitBits) + within) << (bit - kSplitBits);
  }
};

class LatencyHistogram {
 public:
  void Record(uint64_t ns) {
    buckets_[LatencyBuckets::IndexOf(ns)].Add();
    sum_ns_.Add(ns);
    if (ns > max_ns_.value()) max_ns_.Set(ns);
  }
  // Takes back what was recorded too early. The maximum stays.
  void Remove(uint64_t ns) {
    buckets_[LatencyBuckets::IndexOf(ns)].Remove();
    sum_ns_.Remove(ns);
  }

  uint64_t bucket(size_t index) const { return buckets_[index].value(); }
  uint64_t sum_ns() const { return sum_ns_.value(); }
  uint64_t max_ns() const { return max_ns_.value(); }

 private:
  std::array<Counter, LatencyBuckets::kCount> buckets_;
  Counter sum_ns_;
  Counter max_ns_;
};

// The histograms of several threads, added up.
struct LatencySum {
  std::array<uint64_t, LatencyBuckets::kCount> buckets{};
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  uint64_t max_ns = 0;

  void Add(const LatencyHistogram& histogram) {
    for (size_t i = 0; i < buckets.size(); ++i) {
      const uint64_t n = histogram.bucket(i);
      buckets[i] += n;
      count += n;
    }
    sum_ns += histogram.sum_ns();
    max_ns = std::max(max_ns, histogram.max_ns());
  }

  // The time that `fraction` of the requests did not exceed; 0 without requests. Within a bucket
  // the requests are taken to be spread evenly.
  uint64_t Percentile(double fraction) const {
    if (count == 0) return 0;
    const double wanted = std::max(1.0, fraction * static_cast<double>(count));
    double before = 0;
    for (size_t i = 0; i < buckets.size(); ++i) {
      const auto here = static_cast<double>(buckets[i]);
      if (here > 0 && before + here >= wanted) {
        if (i + 1 == buckets.size()) return max_ns;
        const auto begin = static_cast<double>(LatencyBuckets::BeginOf(i));
        const auto end = static_cast<double>(LatencyBuckets::BeginOf(i + 1));
        const double at = begin + (end - begin) * (wanted - before) / here;
        return std::min(static_cast<uint64_t>(at), max_ns);
      }
      before += here;
    }
    return max_ns;
  }
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_LATENCY_HISTOGRAM_H_
