#include "core/protocol/request.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "tests/protocol/message_builder.h"

namespace shuntfs {
namespace {

using testing::MessageBuilder;

constexpr WireFormat kOldSetxattr{.setxattr_ext = false};
constexpr WireFormat kNewSetxattr{.setxattr_ext = true};

int Code(const Outcome& outcome) { return outcome.ok() ? 0 : outcome.error().value(); }

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<uint32_t> AllOpcodes() {
  std::vector<uint32_t> opcodes;
  for (uint32_t opcode = 0; opcode < abi::kOpcodeEnd; ++opcode) {
    if (!InfoOf(opcode).name.empty()) opcodes.push_back(opcode);
  }
  return opcodes;
}

// A request of `opcode` whose first argument counts up from 1, and `payload` behind it.
MessageBuilder Numbered(uint32_t opcode, std::string_view payload) {
  MessageBuilder builder(static_cast<abi::Opcode>(opcode));
  std::vector<std::byte> argument(InfoOf(opcode).op_in_size);
  for (size_t i = 0; i < argument.size(); ++i) argument[i] = static_cast<std::byte>(i + 1);
  builder.AddBytes(argument).AddBytes(std::as_bytes(std::span(payload)));
  return builder;
}

TEST(InfoOfTest, NumbersThatAreNoOpcodeHaveNoName) {
  for (const uint32_t opcode : {0U, 7U, 19U, abi::kOpcodeEnd, 4096U, 0x80000000U, 0xffffffffU}) {
    EXPECT_TRUE(InfoOf(opcode).name.empty()) << opcode;
  }
}

TEST(InfoOfTest, NamesAreThereAndDiffer) {
  std::set<std::string_view> names;
  for (const uint32_t opcode : AllOpcodes())
    EXPECT_TRUE(names.insert(InfoOf(opcode).name).second) << opcode;
  EXPECT_EQ(names.size(), 51U);
}

TEST(InfoOfTest, OnlyForgetsAndInterruptsGoUnanswered) {
  std::set<std::string_view> silent;
  for (const uint32_t opcode : AllOpcodes()) {
    if (!InfoOf(opcode).has_reply) silent.insert(InfoOf(opcode).name);
  }
  EXPECT_EQ(silent, (std::set<std::string_view>{"FORGET", "BATCH_FORGET", "INTERRUPT"}));
}

TEST(DecodeMessageTest, SplitsEveryOpcodeIntoArgumentAndPayload) {
  for (const uint32_t opcode : AllOpcodes()) {
    SCOPED_TRACE(InfoOf(opcode).name);
    std::vector<std::byte> message = Numbered(opcode, "the rest").Message();
    Request request;
    ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), 0);
    EXPECT_EQ(request.header.opcode, opcode);
    EXPECT_EQ(request.header.uid, 1000U);
    EXPECT_EQ(request.nodeid(), kRootNodeId);
    EXPECT_EQ(request.unique(), Unique(2));
    for (size_t i = 0; i < request.op_in.size(); ++i) {
      const size_t expected = i < InfoOf(opcode).op_in_size ? i + 1 : 0;
      ASSERT_EQ(request.op_in[i], static_cast<std::byte>(expected)) << "byte " << i;
    }
    EXPECT_EQ(Text(request.payload), "the rest");
    EXPECT_TRUE(request.extensions.empty());
  }
}

// An argument left over from the request before must not show through.
TEST(DecodeMessageTest, AReusedRequestKeepsNothingOfTheOneBefore) {
  Request request;
  std::vector<std::byte> first =
      Numbered(static_cast<uint32_t>(abi::Opcode::kCopyFileRange), "").Message();
  ASSERT_EQ(Code(DecodeMessage(first, kNewSetxattr, &request)), 0);
  std::vector<std::byte> second =
      Numbered(static_cast<uint32_t>(abi::Opcode::kLookup), "name").Message();
  ASSERT_EQ(Code(DecodeMessage(second, kNewSetxattr, &request)), 0);
  EXPECT_EQ(request.op_in, (std::array<std::byte, abi::kUringOpInSize>{}));
}

TEST(DecodeMessageTest, RefusesEveryTruncation) {
  for (const uint32_t opcode : AllOpcodes()) {
    SCOPED_TRACE(InfoOf(opcode).name);
    std::vector<std::byte> whole = Numbered(opcode, "").Message();
    for (size_t size = 0; size < whole.size(); ++size) {
      // Once with the length it had, once with a length that fits what is left.
      for (const bool honest : {false, true}) {
        std::vector<std::byte> cut(whole.begin(),
                                   whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto length = static_cast<uint32_t>(honest ? size : whole.size());
        if (size >= sizeof(length)) std::memcpy(cut.data(), &length, sizeof(length));
        Request request;
        ASSERT_EQ(Code(DecodeMessage(cut, kNewSetxattr, &request)), EINVAL) << size << " bytes";
      }
    }
  }
}

TEST(DecodeMessageTest, RefusesALengthThatIsNotTheMessages) {
  std::vector<std::byte> message =
      Numbered(static_cast<uint32_t>(abi::Opcode::kLookup), "name").Message();
  for (const uint32_t length : {0U, 1U, static_cast<uint32_t>(message.size()) - 1,
                                static_cast<uint32_t>(message.size()) + 1, 0xffffffffU}) {
    std::memcpy(message.data(), &length, sizeof(length));
    Request request;
    EXPECT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), EINVAL) << length;
  }
}

// So that the refusal itself can be answered.
TEST(DecodeMessageTest, FillsInTheHeaderOfARefusedMessage) {
  std::vector<std::byte> message = MessageBuilder(abi::Opcode::kRead).Message();
  Request request;
  ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), EINVAL);
  EXPECT_EQ(request.unique(), Unique(2));
  EXPECT_EQ(request.opcode(), abi::Opcode::kRead);
}

TEST(DecodeMessageTest, UnknownOpcodesDecodeSoThatTheyCanBeAnswered) {
  std::vector<std::byte> message =
      MessageBuilder(static_cast<abi::Opcode>(9999)).AddString("any").Message();
  Request request;
  ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), 0);
  EXPECT_EQ(request.payload.size(), 4U);
}

TEST(DecodeMessageTest, SetxattrHasEightOrSixteenBytes) {
  const auto message_of = [](size_t bytes) {
    const abi::SetxattrIn in{.size = 3, .flags = 1, .setxattr_flags = 7, .padding = 0};
    return MessageBuilder(abi::Opcode::kSetxattr)
        .AddBytes(std::as_bytes(std::span(&in, 1)).first(bytes))
        .AddString("user.a")
        .Message();
  };
  Request request;
  std::vector<std::byte> old_message = message_of(abi::kCompatSetxattrInSize);
  ASSERT_EQ(Code(DecodeMessage(old_message, kOldSetxattr, &request)), 0);
  EXPECT_EQ(request.As<abi::SetxattrIn>().size, 3U);
  EXPECT_EQ(request.As<abi::SetxattrIn>().setxattr_flags, 0U);
  EXPECT_EQ(Text(request.payload), std::string_view("user.a", 7));

  std::vector<std::byte> new_message = message_of(sizeof(abi::SetxattrIn));
  ASSERT_EQ(Code(DecodeMessage(new_message, kNewSetxattr, &request)), 0);
  EXPECT_EQ(request.As<abi::SetxattrIn>().setxattr_flags, 7U);
  EXPECT_EQ(Text(request.payload), std::string_view("user.a", 7));
}

TEST(DecodeRingEntryTest, TakesArgumentAndPayloadFromTheirAreas) {
  MessageBuilder builder(abi::Opcode::kRename2);
  builder.Add(abi::Rename2In{.newdir = 9, .flags = 2, .padding = 0})
      .AddString("from")
      .AddString("to");
  const abi::UringReqHeader header = builder.RingHeader(sizeof(abi::Rename2In));
  std::vector<std::byte> area = builder.RingPayload(sizeof(abi::Rename2In));
  const auto filled = static_cast<uint32_t>(area.size());
  area.resize(4096, std::byte{0xee});  // left over from the request before

  Request request;
  ASSERT_EQ(Code(DecodeRingEntry(header, area, filled, &request)), 0);
  EXPECT_EQ(request.As<abi::Rename2In>().newdir, 9U);
  EXPECT_EQ(request.As<abi::Rename2In>().flags, 2U);
  EXPECT_EQ(Text(request.payload), std::string_view("from\0to", 8));
}

TEST(DecodeRingEntryTest, RefusesMorePayloadThanTheAreaHolds) {
  const abi::UringReqHeader header = MessageBuilder(abi::Opcode::kLookup).RingHeader(0);
  std::vector<std::byte> area(64);
  Request request;
  EXPECT_EQ(Code(DecodeRingEntry(header, area, 64, &request)), 0);
  EXPECT_EQ(Code(DecodeRingEntry(header, area, 65, &request)), EINVAL);
  EXPECT_EQ(Code(DecodeRingEntry(header, area, 0xffffffffU, &request)), EINVAL);
  EXPECT_EQ(Code(DecodeRingEntry(header, {}, 1, &request)), EINVAL);
  EXPECT_EQ(Code(DecodeRingEntry(header, {}, 0, &request)), 0);
}

TEST(ExtensionsTest, AreCutOffThePayloadsEnd) {
  const std::vector<uint32_t> groups = {4242};
  std::vector<std::byte> message = MessageBuilder(abi::Opcode::kMkdir)
                                       .Add(abi::MkdirIn{.mode = 0755, .umask = 022})
                                       .AddString("directory")
                                       .AddGroups(groups)
                                       .Message();
  Request request;
  ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), 0);
  EXPECT_EQ(Text(request.payload), std::string_view("directory", 10));
  EXPECT_EQ(request.supplementary_group(), 4242U);
}

TEST(ExtensionsTest, LongerThanThePayloadAreRefused) {
  const std::vector<uint32_t> groups = {4242};
  MessageBuilder builder(abi::Opcode::kUnlink);
  builder.AddGroups(groups);
  builder.header().total_extlen = static_cast<uint16_t>(builder.header().total_extlen + 1);
  std::vector<std::byte> message = builder.Message();
  Request request;
  EXPECT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), EINVAL);

  const abi::UringReqHeader header = builder.RingHeader(0);
  std::vector<std::byte> payload = builder.RingPayload(0);
  EXPECT_EQ(Code(DecodeRingEntry(header, payload, static_cast<uint32_t>(payload.size()), &request)),
            EINVAL);
}

TEST(ExtensionsTest, OnlyASingleGroupCounts) {
  for (const std::vector<uint32_t>& groups :
       std::vector<std::vector<uint32_t>>{{}, {1, 2}, {1, 2, 3}}) {
    std::vector<std::byte> message = MessageBuilder(abi::Opcode::kSymlink)
                                         .AddString("link")
                                         .AddString("target")
                                         .AddGroups(groups)
                                         .Message();
    Request request;
    ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), 0);
    EXPECT_EQ(request.supplementary_group(), std::nullopt) << groups.size() << " groups";
  }
}

// The group stands behind another extension; the sizes on the way are wrong in all the ways they
// can be.
TEST(ExtensionsTest, AGroupIsFoundOnlyBehindSoundExtensions) {
  const std::vector<uint32_t> groups = {7};
  for (const uint32_t size : {0U, 4U, 7U, 8U, 16U, 17U, 24U, 0xffffffffU}) {
    MessageBuilder builder(abi::Opcode::kMknod);
    builder.Add(abi::MknodIn{}).AddString("name");
    builder.Add(abi::ExtHeader{.size = size, .type = 1}).Add(uint64_t{0});
    builder.header().total_extlen = 2;
    builder.AddGroups(groups);
    std::vector<std::byte> message = builder.Message();
    Request request;
    ASSERT_EQ(Code(DecodeMessage(message, kNewSetxattr, &request)), 0);
    if (size == 16) {
      EXPECT_EQ(request.supplementary_group(), 7U);
    } else {
      EXPECT_EQ(request.supplementary_group(), std::nullopt) << size;
    }
  }
}

TEST(PayloadReaderTest, ReadsNamesInOrder) {
  std::string payload("first\0second\0rest", 17);
  PayloadReader reader(std::as_writable_bytes(std::span(payload)));
  EXPECT_EQ(*reader.Name(), "first");
  EXPECT_EQ(*reader.String(), "second");
  EXPECT_EQ(Text(reader.rest()), "rest");
}

struct NameCase {
  std::string_view payload;
  int error;
};

TEST(PayloadReaderTest, RefusesWhatIsNoName) {
  using namespace std::string_view_literals;  // NOLINT(build/namespaces): NULs within
  const std::string longest = std::string(kNameMax, 'n') + '\0';
  const std::string too_long = std::string(kNameMax + 1, 'n') + '\0';
  const NameCase cases[] = {
      {""sv, EINVAL},      {"\0"sv, EINVAL},         {"unterminated"sv, EINVAL},
      {".\0"sv, EINVAL},   {"..\0"sv, EINVAL},       {"/\0"sv, EINVAL},
      {"a/b\0"sv, EINVAL}, {"../up\0"sv, EINVAL},    {"...\0"sv, 0},
      {".hidden\0"sv, 0},  {"new\nline\0"sv, 0},     {"\xff\xfe\x01\0"sv, 0},
      {longest, 0},        {too_long, ENAMETOOLONG},
  };
  for (const NameCase& test : cases) {
    std::string copy(test.payload);
    PayloadReader reader(std::as_writable_bytes(std::span(copy)));
    const Result<std::string_view> name = reader.Name();
    EXPECT_EQ(name.ok() ? 0 : name.error().value(), test.error) << '"' << test.payload << '"';
    if (name.ok()) {
      EXPECT_EQ(*name, test.payload.substr(0, test.payload.size() - 1));
    }
  }
}

TEST(PayloadReaderTest, AStringMayBeEmptyButNotUnterminated) {
  std::string payload("\0x", 2);
  PayloadReader reader(std::as_writable_bytes(std::span(payload)));
  EXPECT_EQ(*reader.String(), "");
  EXPECT_FALSE(reader.String().ok());
  EXPECT_EQ(reader.rest().size(), 1U) << "what could not be read stays";
}

}  // namespace
}  // namespace shuntfs
