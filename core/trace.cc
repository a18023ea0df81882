#include "core/trace.h"

#include <algorithm>
#include <cstring>

namespace shuntfs {
namespace {

bool HasName(abi::Opcode opcode) {
  switch (opcode) {
    case abi::Opcode::kLookup:
    case abi::Opcode::kMknod:
    case abi::Opcode::kMkdir:
    case abi::Opcode::kUnlink:
    case abi::Opcode::kRmdir:
    case abi::Opcode::kRename:
    case abi::Opcode::kRename2:
    case abi::Opcode::kLink:
    case abi::Opcode::kSymlink:
    case abi::Opcode::kCreate:
    case abi::Opcode::kSetxattr:
    case abi::Opcode::kGetxattr:
    case abi::Opcode::kRemovexattr:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view NameIn(const Request& request) {
  if (!HasName(request.opcode())) return {};
  const std::string_view payload(reinterpret_cast<const char*>(request.payload.data()),
                                 std::min(request.payload.size(), kNameMax));
  return payload.substr(0, payload.find('\0'));
}

void TracedName::Keep(const Request& request) {
  const std::string_view name = NameIn(request);
  unique_ = request.header.unique;
  bytes_ = static_cast<uint32_t>(name.size());
  std::copy(name.begin(), name.end(), text_.begin());
}

std::string_view TracedName::Of(const Request& request) const {
  if (unique_ != request.header.unique) return {};
  return {text_.data(), bytes_};
}

void TraceReply(Counters& counters, const Request& request, const Action& action,
                const TracedName& name, int64_t end_ns, uint64_t latency_ns) {
  TraceBuffer* buffer = counters.trace.BufferFor(request.header.opcode);
  if (buffer == nullptr) return;
  TraceRecord record;
  record.end_ns = end_ns;
  record.latency_ns = latency_ns;
  record.nodeid = request.header.nodeid;
  record.opcode = request.header.opcode;
  record.error = action.error.value();
  buffer->Push(record, name.Of(request));
}

}  // namespace shuntfs
