// How long the kernel may believe answers, for threads that serve while another changes it.
//
// Floor 2. Any thread.
#ifndef SHUNTFS_CORE_CACHE_TIMEOUTS_H_
#define SHUNTFS_CORE_CACHE_TIMEOUTS_H_

#include <atomic>
#include <cstdint>

namespace shuntfs {

struct CacheTimeout {
  uint64_t seconds = 1;
  uint32_t nanoseconds = 0;
  static CacheTimeout FromSeconds(double seconds);
  bool zero() const { return seconds == 0 && nanoseconds == 0; }
};

struct CacheTimeouts {
  CacheTimeout entry;
  CacheTimeout attr;
  CacheTimeout negative{0, 0};
};

// A timeout that is read and changed in one piece. Its readers need no order with anything else.
class LiveTimeout {
 public:
  explicit LiveTimeout(const CacheTimeout& timeout) { set(timeout); }
  CacheTimeout get() const {
    const uint64_t packed = packed_.load(std::memory_order_relaxed);
    return {packed >> kNanosecondBits, static_cast<uint32_t>(packed & kNanosecondMask)};
  }
  void set(const CacheTimeout& timeout) {
    packed_.store(timeout.seconds << kNanosecondBits | timeout.nanoseconds,
                  std::memory_order_relaxed);
  }

 private:
  // Less than 10^9 nanoseconds; leaves room for 500 years.
  static constexpr int kNanosecondBits = 30;
  static constexpr uint64_t kNanosecondMask = (uint64_t{1} << kNanosecondBits) - 1;

  std::atomic<uint64_t> packed_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_CACHE_TIMEOUTS_H_
