// The requests that a thread answered lately, for a reader that shows them as they pass.
//
// Floor 2. One writer, one reader, neither ever waits: what the reader is too slow for is dropped
// and counted. All threads of a mount look at one TraceSwitch, so a thread that starts while a
// trace runs is traced from its first request on. Without a trace that is one load per request.
#ifndef SHUNTFS_CORE_TRACE_BUFFER_H_
#define SHUNTFS_CORE_TRACE_BUFFER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/base/limits.h"
#include "core/counter.h"
#include "core/protocol/abi.h"

namespace shuntfs {

// Not initialized: of a buffer, only what is used costs memory.
struct TraceRecord {
  int64_t end_ns;  // of the monotonic clock
  uint64_t latency_ns;
  uint64_t nodeid;
  uint32_t opcode;
  int32_t error;  // 0 or an errno
  uint32_t name_bytes;
  std::array<char, kNameMax> name_text;

  std::string_view name() const { return {name_text.data(), name_bytes}; }
};

// Which operations of a mount are traced: the bit of each opcode; 0 while nobody traces. Any thread
// reads, the control thread writes.
class TraceSwitch {
 public:
  void Want(uint64_t opcodes) { wanted_.store(opcodes, std::memory_order_release); }
  uint64_t wanted() const { return wanted_.load(std::memory_order_acquire); }
  bool wants(uint32_t opcode) const {
    return opcode < abi::kOpcodeEnd && (wanted() >> opcode & 1) != 0;
  }

 private:
  std::atomic<uint64_t> wanted_{0};
};

class TraceBuffer {
 public:
  static constexpr uint64_t kRecords = 2048;

  TraceBuffer() : records_(std::make_unique_for_overwrite<Records>()) {}

  // The writer's. `name` has at most kNameMax bytes.
  void Push(const TraceRecord& fields, std::string_view name) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == kRecords) {
      dropped_.Add();
      return;
    }
    TraceRecord& record = (*records_)[head % kRecords];
    record.end_ns = fields.end_ns;
    record.latency_ns = fields.latency_ns;
    record.nodeid = fields.nodeid;
    record.opcode = fields.opcode;
    record.error = fields.error;
    record.name_bytes = static_cast<uint32_t>(name.size());
    std::memcpy(record.name_text.data(), name.data(), name.size());
    head_.store(head + 1, std::memory_order_release);
  }

  // The reader's: the oldest record, or null. It stays where it is until Pop.
  const TraceRecord* Front() const {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (head_.load(std::memory_order_acquire) == tail) return nullptr;
    return &(*records_)[tail % kRecords];
  }
  void Pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  uint64_t dropped() const { return dropped_.value(); }

 private:
  using Records = std::array<TraceRecord, kRecords>;

  const std::unique_ptr<Records> records_;
  alignas(64) std::atomic<uint64_t> head_{0};
  Counter dropped_;
  alignas(64) std::atomic<uint64_t> tail_{0};
};
static_assert(abi::kOpcodeEnd <= 64);

// A thread's end of the trace: looks at the switch, and owns the thread's buffer, which is made at
// the first request that is traced.
class TraceTap {
 public:
  TraceTap() = default;
  ~TraceTap() { delete buffer_.load(std::memory_order_relaxed); }
  TraceTap(const TraceTap&) = delete;
  TraceTap& operator=(const TraceTap&) = delete;

  // Before the thread serves its first request; `trace` outlives the thread. A thread that follows
  // no switch is never traced.
  void Follow(const TraceSwitch* trace) { switch_ = trace; }

  // The thread's own. Whether requests of any operation are traced now.
  bool on() const { return switch_ != nullptr && switch_->wanted() != 0; }
  // The thread's own. Where to keep a request of this operation; null: it is not traced.
  TraceBuffer* BufferFor(uint32_t opcode) {
    if (switch_ == nullptr || !switch_->wants(opcode)) return nullptr;
    TraceBuffer* buffer = buffer_.load(std::memory_order_relaxed);
    if (buffer == nullptr) {
      buffer = new TraceBuffer();
      buffer_.store(buffer, std::memory_order_release);
    }
    return buffer;
  }
  // The reader's: what the thread has kept, or null if nothing yet.
  TraceBuffer* kept() const { return buffer_.load(std::memory_order_acquire); }

 private:
  const TraceSwitch* switch_ = nullptr;
  std::atomic<TraceBuffer*> buffer_{nullptr};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_TRACE_BUFFER_H_
