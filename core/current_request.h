// The request that a ring entry or a thread has in work, for others to look at.
//
// Floor 2. One writer at a time (who owns the entry or is the thread), any reader, no lock. The
// kernel gives no number to two requests of a connection, so the number is also what tells a reader
// that all else belongs together: it is written last and read first and last.
#ifndef SHUNTFS_CORE_CURRENT_REQUEST_H_
#define SHUNTFS_CORE_CURRENT_REQUEST_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/protocol/abi.h"

namespace shuntfs {

class CurrentRequest {
 public:
  struct Seen {
    uint64_t unique = 0;
    uint64_t nodeid = 0;
    uint32_t opcode = 0;
    int64_t start_ns = 0;  // of the monotonic clock
  };

  void Begin(const abi::InHeader& header, int64_t start_ns) {
    unique_.store(0, std::memory_order_relaxed);
    // Each of these stores stays behind the one before.
    nodeid_.store(header.nodeid, std::memory_order_release);
    opcode_.store(header.opcode, std::memory_order_release);
    start_ns_.store(start_ns, std::memory_order_release);
    unique_.store(header.unique, std::memory_order_release);
  }
  void End() { unique_.store(0, std::memory_order_release); }

  // Of the writer.
  int64_t start_ns() const { return start_ns_.load(std::memory_order_relaxed); }

  bool busy() const { return unique_.load(std::memory_order_relaxed) != 0; }
  // Nothing when there is no request, or another one just took its place.
  std::optional<Seen> Look() const {
    Seen seen;
    seen.unique = unique_.load(std::memory_order_acquire);
    if (seen.unique == 0) return std::nullopt;
    seen.nodeid = nodeid_.load(std::memory_order_acquire);
    seen.opcode = opcode_.load(std::memory_order_acquire);
    seen.start_ns = start_ns_.load(std::memory_order_acquire);
    if (unique_.load(std::memory_order_relaxed) != seen.unique) return std::nullopt;
    return seen;
  }

 private:
  std::atomic<uint64_t> unique_{0};
  std::atomic<uint64_t> nodeid_{0};
  std::atomic<uint32_t> opcode_{0};
  std::atomic<int64_t> start_ns_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_CURRENT_REQUEST_H_
