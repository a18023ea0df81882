#include "tests/protocol/message_builder.h"

#include <algorithm>
#include <cstring>

namespace shuntfs::testing {

MessageBuilder::MessageBuilder(abi::Opcode opcode) {
  header_.opcode = static_cast<uint32_t>(opcode);
  header_.unique = 2;
  header_.nodeid = 1;
  header_.uid = 1000;
  header_.gid = 1000;
  header_.pid = 4711;
}

MessageBuilder& MessageBuilder::AddBytes(std::span<const std::byte> bytes) {
  body_.insert(body_.end(), bytes.begin(), bytes.end());
  return *this;
}

MessageBuilder& MessageBuilder::AddString(std::string_view text) {
  AddBytes(std::as_bytes(std::span(text)));
  body_.push_back(std::byte{0});
  return *this;
}

MessageBuilder& MessageBuilder::AddGroups(std::span<const uint32_t> groups) {
  const size_t bytes = sizeof(abi::ExtHeader) + sizeof(abi::SuppGroups) + groups.size_bytes();
  const size_t padded = (bytes + 7) / 8 * 8;
  Add(abi::ExtHeader{.size = static_cast<uint32_t>(padded), .type = abi::kExtGroups});
  Add(abi::SuppGroups{.nr_groups = static_cast<uint32_t>(groups.size())});
  AddBytes(std::as_bytes(groups));
  body_.resize(body_.size() + padded - bytes);
  header_.total_extlen = static_cast<uint16_t>(header_.total_extlen + padded / 8);
  return *this;
}

std::vector<std::byte> MessageBuilder::Message() const {
  abi::InHeader header = header_;
  header.len = static_cast<uint32_t>(sizeof(header) + body_.size());
  std::vector<std::byte> message(header.len);
  std::memcpy(message.data(), &header, sizeof(header));
  std::copy(body_.begin(), body_.end(), message.begin() + sizeof(header));
  return message;
}

abi::UringReqHeader MessageBuilder::RingHeader(size_t op_in_size) const {
  abi::UringReqHeader header{};
  abi::InHeader in = header_;
  in.len = static_cast<uint32_t>(sizeof(in) + body_.size());
  std::memcpy(header.in_out, &in, sizeof(in));
  std::memcpy(header.op_in, body_.data(), std::min(op_in_size, body_.size()));
  header.ring_ent_in_out.commit_id = in.unique;
  header.ring_ent_in_out.payload_sz = static_cast<uint32_t>(RingPayload(op_in_size).size());
  return header;
}

std::vector<std::byte> MessageBuilder::RingPayload(size_t op_in_size) const {
  const auto first = static_cast<std::ptrdiff_t>(std::min(op_in_size, body_.size()));
  return {body_.begin() + first, body_.end()};
}

}  // namespace shuntfs::testing
