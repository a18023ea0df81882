// One FUSE request as the handlers see it, and its decoding from either transport.
//
// Floor 1: pure, no system calls, fuzzed (tests/protocol/request_fuzz.cc). Every length is bounded
// here once; behind it nobody looks at a raw message. Layouts: include/uapi/linux/fuse.h; which
// argument lies where on the ring: docs/kernel_interface.md.
#ifndef SHUNTFS_CORE_PROTOCOL_REQUEST_H_
#define SHUNTFS_CORE_PROTOCOL_REQUEST_H_

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/errno.h"
#include "core/base/ids.h"
#include "core/protocol/abi.h"

namespace shuntfs {

// What the decoder must know about an operation.
struct OpcodeInfo {
  std::string_view name;  // as the kernel header spells it, without FUSE_; empty: no such opcode
  uint16_t op_in_size;    // bytes of the fixed first argument
  bool has_reply;         // FORGET, BATCH_FORGET and INTERRUPT have none
  // The most that a request has behind its first argument, and a reply in all. Not counted is what
  // grows with the size that INIT agrees on (RequestSizes): data of READ and WRITE, the entries of
  // READDIR and READDIRPLUS, and a BATCH_FORGET, which fills the buffer that it is read into.
  uint32_t max_payload_in;
  uint32_t max_payload_out;
};

// The table entry of `opcode`; an entry with an empty name for numbers that are no opcode.
const OpcodeInfo& InfoOf(uint32_t opcode);

// What INIT agreed on, as far as it changes how requests look.
struct WireFormat {
  bool setxattr_ext = false;
};

// A decoded request. `payload` points into the transport's buffer and lives until the reply is
// written there.
struct Request {
  abi::InHeader header{};
  std::array<std::byte, abi::kUringOpInSize> op_in{};
  std::span<std::byte> payload;           // every argument after the first
  std::span<const std::byte> extensions;  // request extensions, cut off the payload's end
  // The data of a READ or WRITE lies in the caller's pages, which only the ring that took the
  // request can reach, and not in `payload` or the reply.
  bool zero_copy = false;
  uint32_t zero_copy_bytes = 0;  // of a WRITE: how many there are

  abi::Opcode opcode() const { return static_cast<abi::Opcode>(header.opcode); }
  NodeId nodeid() const { return NodeId(header.nodeid); }
  Unique unique() const { return Unique(header.unique); }

  // The fixed first argument; sizes were checked by the decoder.
  template <typename T>
  T As() const {
    static_assert(sizeof(T) <= abi::kUringOpInSize);
    T value;
    std::memcpy(&value, op_in.data(), sizeof(T));
    return value;
  }

  // The supplementary group that FUSE_CREATE_SUPP_GROUP names, if any.
  std::optional<uint32_t> supplementary_group() const;
};

// A message read from /dev/fuse: header, first argument, the rest, without gaps.
// EINVAL: too short, a length that does not match, or an unknown extension length. The header is
// filled in whenever the message holds one, so that an error can be answered.
Result<Unit> DecodeMessage(std::span<std::byte> message, const WireFormat& format, Request* out);

// A request from a ring entry. `header` is our copy; `payload` is the whole payload area of the
// entry, and `payload_bytes` what the kernel says it filled.
Result<Unit> DecodeRingEntry(const abi::UringReqHeader& header, std::span<std::byte> payload,
                             uint32_t payload_bytes, Request* out);

// Takes NUL-terminated strings off the front of a payload.
class PayloadReader {
 public:
  explicit PayloadReader(std::span<std::byte> rest) : rest_(rest) {}

  // One path component, NUL-terminated in place (so .data() is a C string). EINVAL: unterminated,
  // empty, "." or "..", or with a slash; ENAMETOOLONG over 255 bytes.
  Result<std::string_view> Name();
  // Any NUL-terminated string (symlink target, xattr name). EINVAL: unterminated.
  Result<std::string_view> String();
  std::span<std::byte> rest() const { return rest_; }

 private:
  std::span<std::byte> rest_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_PROTOCOL_REQUEST_H_
