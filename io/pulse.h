// Whether a thread still comes around: somebody asks, and the thread answers when it passes the
// place in its loop where it looks for work.
//
// Floor 3. One thread asks and looks; Beat may be called by any number.
#ifndef SHUNTFS_IO_PULSE_H_
#define SHUNTFS_IO_PULSE_H_

#include <atomic>
#include <cstdint>

namespace shuntfs {

class Pulse {
 public:
  void Ask() { asked_.fetch_add(1, std::memory_order_relaxed); }
  void Beat() {
    answered_.store(asked_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  // Asked, and not answered since.
  bool silent() const {
    return answered_.load(std::memory_order_relaxed) != asked_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> asked_{0};
  std::atomic<uint32_t> answered_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_PULSE_H_
