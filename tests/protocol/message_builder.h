// Builds FUSE requests as the kernel would send them, whole or deliberately broken.
//
// A value that grows: header first, then arguments in order. Test code only; not thread-safe.
#ifndef SHUNTFS_TESTS_PROTOCOL_MESSAGE_BUILDER_H_
#define SHUNTFS_TESTS_PROTOCOL_MESSAGE_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/protocol/abi.h"

namespace shuntfs::testing {

class MessageBuilder {
 public:
  explicit MessageBuilder(abi::Opcode opcode);

  // Appends the bytes of a struct of the wire.
  template <typename T>
  MessageBuilder& Add(const T& value) {
    return AddBytes(std::as_bytes(std::span(&value, 1)));
  }
  // Appends a string and the NUL behind it.
  MessageBuilder& AddString(std::string_view text);
  MessageBuilder& AddBytes(std::span<const std::byte> bytes);
  // Appends a FUSE_EXT_GROUPS extension and counts it in the header's total_extlen.
  MessageBuilder& AddGroups(std::span<const uint32_t> groups);

  abi::InHeader& header() { return header_; }

  // The message as it would be read from /dev/fuse; header.len is its size.
  std::vector<std::byte> Message() const;
  // Everything behind the header, with an argument of `op_in_size` bytes split off: the two areas
  // of a ring entry.
  abi::UringReqHeader RingHeader(size_t op_in_size) const;
  std::vector<std::byte> RingPayload(size_t op_in_size) const;

 private:
  abi::InHeader header_{};
  std::vector<std::byte> body_;
};

}  // namespace shuntfs::testing

#endif  // SHUNTFS_TESTS_PROTOCOL_MESSAGE_BUILDER_H_
