// The fuzz target on pseudo-random input: no compiler but the project's own needed, the same inputs
// in every run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "core/protocol/request.h"
#include "tests/protocol/message_builder.h"
#include "tests/protocol/request_fuzz.h"

namespace shuntfs {
namespace {

constexpr int kRounds = 50'000;

std::vector<uint8_t> RandomBytes(std::mt19937& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&random] { return static_cast<uint8_t>(random()); });
  return bytes;
}

// Nothing but noise: almost every input is refused at the first length.
TEST(RequestRandomTest, NoiseKeepsThePromises) {
  std::mt19937 random(20240501);
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<uint8_t> input = RandomBytes(random, random() % 600);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

// Noise behind a header that is right, so that the decoder gets further.
TEST(RequestRandomTest, NoiseBehindAGoodHeaderKeepsThePromises) {
  std::mt19937 random(20240502);
  int decoded = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<uint8_t> input = RandomBytes(random, 1 + sizeof(abi::InHeader) + random() % 400);
    input[0] &= 2;
    abi::InHeader header;
    std::memcpy(&header, input.data() + 1, sizeof(header));
    header.len = static_cast<uint32_t>(input.size() - 1);
    header.opcode = static_cast<uint32_t>(random() % (abi::kOpcodeEnd + 2));
    header.total_extlen = static_cast<uint16_t>(random() % 8);
    std::memcpy(input.data() + 1, &header, sizeof(header));
    LLVMFuzzerTestOneInput(input.data(), input.size());

    Request request;
    if (DecodeMessage(std::as_writable_bytes(std::span(input).subspan(1)), WireFormat{}, &request)
            .ok())
      ++decoded;
  }
  EXPECT_GT(decoded, kRounds / 2) << "the inputs no longer reach the code behind the length checks";
}

// Real requests with a few bytes changed.
TEST(RequestRandomTest, DamagedRequestsKeepThePromises) {
  std::mt19937 random(20240503);
  const std::vector<uint32_t> groups = {100};
  for (int round = 0; round < kRounds; ++round) {
    testing::MessageBuilder builder(abi::Opcode::kRename2);
    builder.Add(abi::Rename2In{.newdir = 1, .flags = 0, .padding = 0})
        .AddString("from")
        .AddString("to")
        .AddGroups(groups);
    const std::vector<std::byte> message = builder.Message();
    std::vector<uint8_t> input(1 + message.size());
    input[0] = 0;
    std::memcpy(input.data() + 1, message.data(), message.size());
    for (auto damage = random() % 4; damage > 0; --damage) {
      input[1 + random() % message.size()] = static_cast<uint8_t>(random());
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

TEST(RequestRandomTest, DamagedRingEntriesKeepThePromises) {
  std::mt19937 random(20240504);
  constexpr size_t kOpIn = sizeof(abi::Rename2In);
  for (int round = 0; round < kRounds; ++round) {
    testing::MessageBuilder builder(abi::Opcode::kRename2);
    builder.Add(abi::Rename2In{.newdir = 1, .flags = 0, .padding = 0})
        .AddString("from")
        .AddString("to");
    const abi::UringReqHeader header = builder.RingHeader(kOpIn);
    const std::vector<std::byte> payload = builder.RingPayload(kOpIn);
    std::vector<uint8_t> input(1 + sizeof(header) + payload.size());
    input[0] = 1;
    std::memcpy(input.data() + 1, &header, sizeof(header));
    std::memcpy(input.data() + 1 + sizeof(header), payload.data(), payload.size());
    for (auto damage = random() % 4; damage > 0; --damage) {
      input[1 + random() % (input.size() - 1)] = static_cast<uint8_t>(random());
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

}  // namespace
}  // namespace shuntfs
