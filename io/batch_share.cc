#include "io/batch_share.h"

#include <fcntl.h>

namespace shuntfs {
namespace {

// A batch that would keep a thread busy for longer is shared. A request costs about this much, and
// its bytes pass at about this rate; the numbers need only be right within a factor of two
// (docs/tuning.md).
constexpr uint64_t kShareAboveNs = 10'000;
constexpr uint64_t kRequestNs = 2'000;
constexpr uint64_t kBytesPerNs = 10;

// A buffered read of this much is left to the next worker, though it came alone.
constexpr uint64_t kReadAheadBytes = 256U << 10;

}  // namespace

uint64_t BytesOf(const Request& request) {
  if (request.opcode() == abi::Opcode::kRead) return request.As<abi::ReadIn>().size;
  return request.zero_copy ? request.zero_copy_bytes : request.payload.size();
}

bool IsReadAhead(const Request& request) {
  if (request.opcode() != abi::Opcode::kRead) return false;
  const auto in = request.As<abi::ReadIn>();
  return in.size >= kReadAheadBytes && (in.flags & O_DIRECT) == 0;
}

size_t SharedPartOf(const std::vector<RingEntry*>& batch) {
  if (batch.size() == 1) return IsReadAhead(batch.front()->request()) ? 1 : 0;
  uint64_t estimate_ns = 0;
  for (const RingEntry* entry : batch)
    estimate_ns += kRequestNs + BytesOf(entry->request()) / kBytesPerNs;
  return estimate_ns > kShareAboveNs ? batch.size() / 2 : 0;
}

}  // namespace shuntfs
