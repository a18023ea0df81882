// A number with one writer.
//
// Floor 2. Its thread adds, anyone may read.
#ifndef SHUNTFS_CORE_COUNTER_H_
#define SHUNTFS_CORE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace shuntfs {

class Counter {
 public:
  void Add(uint64_t n = 1) { Set(value_.load(std::memory_order_relaxed) + n); }
  // Takes back what was added too early.
  void Remove(uint64_t n = 1) { Set(value_.load(std::memory_order_relaxed) - n); }
  void Set(uint64_t n) { value_.store(n, std::memory_order_release); }
  uint64_t value() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_COUNTER_H_
