// Which number an owner of SRC has for the callers of the mount, and back.
//
// Floor 2: pure values, any thread. A map is a one-to-one relation between ranges of host ids (as
// SRC has them) and ranges of caller ids (as the mount shows them). What is in no range has no
// number on the other side.
#ifndef SHUNTFS_CORE_ID_MAP_H_
#define SHUNTFS_CORE_ID_MAP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/ids.h"

namespace shuntfs {

// The host ids from `host` on are the caller ids from `caller` on.
struct IdRange {
  uint32_t host = 0;
  uint32_t caller = 0;
  uint32_t count = 1;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// Why ranges make no map; `range` is the first that does not fit.
struct IdRangeFault {
  enum class Kind : uint8_t {
    kEmpty,          // no ids in it
    kTooFar,         // beyond the last id, 2^32 - 2
    kTooMany,        // more than kMaxIdRanges
    kTakesOverflow,  // a caller would be kOverflowId, which stands for every owner without a number
    kHostTwice,      // a host id is in an earlier range as well
    kCallerTwice,    // so is a caller id
  };
  Kind kind;
  size_t range;
};

// Ranges in both orders.
class IdRanges {
 public:
  IdRanges() = default;
  explicit IdRanges(std::span<const IdRange> ranges);

  static std::optional<IdRangeFault> Check(std::span<const IdRange> ranges);

  // The ranges that let every id keep its number that none of `ranges` has on either side. To be
  // added to them; the result is one-to-one, too.
  static std::vector<IdRange> Rest(std::span<const IdRange> ranges);

  bool empty() const { return by_host_.empty(); }
  std::optional<uint32_t> ToCaller(uint32_t host) const;
  std::optional<uint32_t> ToHost(uint32_t caller) const;

 private:
  std::vector<IdRange> by_host_;
  std::vector<IdRange> by_caller_;
};

// The typed map. Without ranges every id is its own number.
template <typename Host, typename Caller>
class IdMap {
 public:
  IdMap() = default;
  // `ranges` passed IdRanges::Check.
  explicit IdMap(std::span<const IdRange> ranges) : ranges_(ranges) {}

  bool identity() const { return ranges_.empty(); }
  std::optional<Caller> ToCaller(Host host) const {
    return Convert<Caller>(identity() ? host.value() : ranges_.ToCaller(host.value()));
  }
  std::optional<Host> ToHost(Caller caller) const {
    return Convert<Host>(identity() ? caller.value() : ranges_.ToHost(caller.value()));
  }

 private:
  template <typename To>
  static std::optional<To> Convert(std::optional<uint32_t> id) {
    return id ? std::optional<To>(To(*id)) : std::nullopt;
  }

  IdRanges ranges_;
};

using UserMap = IdMap<HostUid, CallerUid>;
using GroupMap = IdMap<HostGid, CallerGid>;

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_ID_MAP_H_
