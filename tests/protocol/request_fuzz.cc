#include "tests/protocol/request_fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/protocol/init.h"
#include "core/protocol/request.h"

namespace shuntfs {
namespace {

void Require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "the decoder broke a promise: %s\n", what);
  std::abort();
}

template <typename Byte>
bool Within(std::span<Byte> inner, std::span<const std::byte> outer) {
  if (inner.empty()) return true;
  const std::less_equal<const std::byte*> not_behind;
  return not_behind(outer.data(), inner.data()) &&
         not_behind(inner.data() + inner.size(), outer.data() + outer.size());
}

// Reads every byte, so that a sanitizer sees a span that reaches too far.
unsigned Touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
  return sum;
}

void CheckNames(std::span<std::byte> payload) {
  PayloadReader names(payload);
  for (Result<std::string_view> name = names.Name(); name.ok(); name = names.Name()) {
    Require(!name->empty() && name->size() <= kNameMax, "a name has 1 to 255 bytes");
    Require(name->find('/') == std::string_view::npos, "a name is one component");
    Require(*name != "." && *name != "..", "a name is no link to elsewhere");
    Require(std::strlen(name->data()) == name->size(), "a name is a C string");
    Require(Within(names.rest(), payload), "what is left lies in the payload");
  }
  PayloadReader strings(payload);
  size_t left = payload.size();
  while (strings.String().ok()) {
    Require(strings.rest().size() < left, "a string was taken off the payload");
    left = strings.rest().size();
  }
}

void CheckRequest(const Request& request, std::span<const std::byte> input) {
  Require(Within(request.payload, input), "the payload lies in the input");
  Require(Within(request.extensions, input), "the extensions lie in the input");
  Require(request.extensions.size() == size_t{request.header.total_extlen} * 8,
          "extensions have the length announced");
  volatile unsigned sum = Touch(request.payload) + Touch(request.extensions);
  static_cast<void>(sum);
  static_cast<void>(request.supplementary_group());
  CheckNames(request.payload);
}

}  // namespace
}  // namespace shuntfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shuntfs;  // NOLINT(build/namespaces): one function, outside every namespace by
                            // its nature
  if (size == 0) return 0;
  const bool ring = (data[0] & 1) != 0;
  const WireFormat format{.setxattr_ext = (data[0] & 2) != 0};
  // A copy of exactly this size: the byte behind it is out of bounds for the sanitizers.
  std::vector<std::byte> input(size - 1);
  if (!input.empty()) std::memcpy(input.data(), data + 1, input.size());
  static_cast<void>(NegotiateInit(input, InitWishes{}));

  Request request;
  if (!ring) {
    if (DecodeMessage(input, format, &request).ok()) {
      Require(request.header.len == input.size(), "a message has the length announced");
      CheckRequest(request, input);
    }
    return 0;
  }
  if (input.size() < sizeof(abi::UringReqHeader)) return 0;
  abi::UringReqHeader header;
  std::memcpy(&header, input.data(), sizeof(header));
  std::vector<std::byte> payload(input.begin() + sizeof(header), input.end());
  if (DecodeRingEntry(header, payload, header.ring_ent_in_out.payload_sz, &request).ok()) {
    if (request.zero_copy) {
      const bool has_pages =
          request.opcode() == abi::Opcode::kRead || request.opcode() == abi::Opcode::kWrite;
      Require(has_pages && request.payload.empty(), "zero-copied data is in no payload");
    } else {
      Require(header.ring_ent_in_out.payload_sz <= payload.size(), "the payload fits its area");
    }
    CheckRequest(request, payload);
  }
  return 0;
}
