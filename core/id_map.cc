#include "core/id_map.h"

#include <algorithm>
#include <utility>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

// One past the last id; 2^32 - 1 means "no id" to every system call.
constexpr uint64_t kIdsEnd = 0xffffffff;

using Start = uint32_t IdRange::*;

bool Meet(const IdRange& a, const IdRange& b, Start start) {
  return uint64_t{a.*start} < uint64_t{b.*start} + b.count &&
         uint64_t{b.*start} < uint64_t{a.*start} + a.count;
}

std::vector<IdRange> Sorted(std::span<const IdRange> ranges, Start start) {
  std::vector<IdRange> sorted(ranges.begin(), ranges.end());
  std::sort(sorted.begin(), sorted.end(),
            [start](const IdRange& a, const IdRange& b) { return a.*start < b.*start; });
  return sorted;
}

std::optional<uint32_t> Find(const std::vector<IdRange>& sorted, uint32_t id, Start from,
                             Start to) {
  const auto after = std::upper_bound(
      sorted.begin(), sorted.end(), id,
      [from](uint32_t value, const IdRange& range) { return value < range.*from; });
  if (after == sorted.begin()) return std::nullopt;
  const IdRange& range = *std::prev(after);
  const uint32_t offset = id - range.*from;
  if (offset >= range.count) return std::nullopt;
  return range.*to + offset;
}

std::optional<IdRangeFault::Kind> CheckAlone(const IdRange& range) {
  using Kind = IdRangeFault::Kind;
  if (range.count == 0) return Kind::kEmpty;
  if (uint64_t{range.host} + range.count > kIdsEnd) return Kind::kTooFar;
  if (uint64_t{range.caller} + range.count > kIdsEnd) return Kind::kTooFar;
  if (Meet(range, {kOverflowId, kOverflowId, 1}, &IdRange::caller)) return Kind::kTakesOverflow;
  return std::nullopt;
}

}  // namespace

IdRanges::IdRanges(std::span<const IdRange> ranges)
    : by_host_(Sorted(ranges, &IdRange::host)), by_caller_(Sorted(ranges, &IdRange::caller)) {}

std::optional<IdRangeFault> IdRanges::Check(std::span<const IdRange> ranges) {
  using Kind = IdRangeFault::Kind;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (i >= kMaxIdRanges) return IdRangeFault{Kind::kTooMany, i};
    if (const auto kind = CheckAlone(ranges[i])) return IdRangeFault{*kind, i};
    for (size_t before = 0; before < i; ++before) {
      if (Meet(ranges[i], ranges[before], &IdRange::host)) return IdRangeFault{Kind::kHostTwice, i};
      if (Meet(ranges[i], ranges[before], &IdRange::caller))
        return IdRangeFault{Kind::kCallerTwice, i};
    }
  }
  return std::nullopt;
}

std::vector<IdRange> IdRanges::Rest(std::span<const IdRange> ranges) {
  // Every stretch of ids that is taken on one side or the other, in order; kOverflowId is nobody's.
  std::vector<std::pair<uint64_t, uint64_t>> taken = {{kOverflowId, uint64_t{kOverflowId} + 1}};
  for (const IdRange& range : ranges) {
    taken.emplace_back(range.host, uint64_t{range.host} + range.count);
    taken.emplace_back(range.caller, uint64_t{range.caller} + range.count);
  }
  std::sort(taken.begin(), taken.end());
  taken.emplace_back(kIdsEnd, kIdsEnd);
  std::vector<IdRange> rest;
  uint64_t free = 0;
  for (const auto& [begin, end] : taken) {
    if (begin > free) {
      const auto id = static_cast<uint32_t>(free);
      rest.push_back({id, id, static_cast<uint32_t>(begin - free)});
    }
    free = std::max(free, end);
  }
  return rest;
}

std::optional<uint32_t> IdRanges::ToCaller(uint32_t host) const {
  return Find(by_host_, host, &IdRange::host, &IdRange::caller);
}

std::optional<uint32_t> IdRanges::ToHost(uint32_t caller) const {
  return Find(by_caller_, caller, &IdRange::caller, &IdRange::host);
}

}  // namespace shuntfs
