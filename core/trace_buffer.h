// The requests that a thread answered lately, for a reader that shows them as they pass.
//
// Floor 2. One writer, one reader, neither ever waits: what the reader is too slow for is dropped
// and counted. A thread that is not traced has no buffer, and finds that out with one load.
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

class TraceBuffer {
 public:
  static constexpr uint64_t kRecords = 2048;

  TraceBuffer() : records_(std::make_unique_for_overwrite<Records>()) {}

  // Which operations are kept: the bit of each opcode.
  void Want(uint64_t opcodes) { wanted_.store(opcodes, std::memory_order_relaxed); }
  bool wants(uint32_t opcode) const {
    return opcode < abi::kOpcodeEnd && (wanted_.load(std::memory_order_relaxed) >> opcode & 1) != 0;
  }

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
  std::atomic<uint64_t> wanted_{0};
};
static_assert(abi::kOpcodeEnd <= 64);

// Where a thread looks whether it is traced.
class TraceTap {
 public:
  TraceBuffer* buffer() const { return buffer_.load(std::memory_order_acquire); }
  // By the reader. The buffer has to outlive the thread: it may be writing when it is taken away.
  void Set(TraceBuffer* buffer) const { buffer_.store(buffer, std::memory_order_release); }

 private:
  mutable std::atomic<TraceBuffer*> buffer_{nullptr};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_TRACE_BUFFER_H_
