#include "core/protocol/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

constexpr uint64_t kEverything = ~uint64_t{0};

// INIT as a kernel of minor version `minor` that offers `flags` would send it.
std::vector<std::byte> InitOf(uint32_t minor, uint64_t flags, size_t bytes = sizeof(abi::InitIn)) {
  abi::InitIn in{};
  in.major = abi::kKernelVersion;
  in.minor = minor;
  in.max_readahead = 128U << 10;
  in.flags = static_cast<uint32_t>(flags);
  in.flags2 = static_cast<uint32_t>(flags >> 32);
  std::vector<std::byte> message(bytes);
  std::memcpy(message.data(), &in, std::min(bytes, sizeof(in)));
  return message;
}

InitResult Negotiate(uint32_t minor, uint64_t flags, const InitWishes& wishes = {}) {
  return NegotiateInit(InitOf(minor, flags), wishes);
}

uint64_t ReplyFlags(const InitAgreement& agreed) {
  return agreed.reply.flags | uint64_t{agreed.reply.flags2} << 32;
}

TEST(NegotiateInitTest, RefusesEveryTruncationOfTheOldLayout) {
  for (size_t bytes = 0; bytes < abi::kCompatInitInSize; ++bytes) {
    EXPECT_NE(NegotiateInit(InitOf(45, kEverything, bytes), {}).error, "") << bytes;
  }
}

TEST(NegotiateInitTest, TakesTheOldAndTheNewLayout) {
  for (size_t bytes = abi::kCompatInitInSize; bytes <= sizeof(abi::InitIn) + 64; ++bytes) {
    const InitResult result = NegotiateInit(InitOf(45, kEverything, bytes), {});
    EXPECT_EQ(result.error, "") << bytes;
    EXPECT_EQ(result.agreement.reply_bytes, sizeof(abi::InitOut)) << bytes;
  }
}

TEST(NegotiateInitTest, RefusesVersionsThatCannotBeServedAndSaysWhich) {
  EXPECT_NE(Negotiate(abi::kMinKernelMinorVersion - 1, 0).error.find("7.30"), std::string::npos);
  EXPECT_EQ(Negotiate(abi::kMinKernelMinorVersion, 0).error, "");
  std::vector<std::byte> other_major = InitOf(45, 0);
  for (const uint32_t major : {0U, 6U, 8U, 0xffffffffU}) {
    std::memcpy(other_major.data(), &major, sizeof(major));
    EXPECT_NE(NegotiateInit(other_major, {}).error, "") << major;
  }
}

TEST(NegotiateInitTest, AsksForPassthroughOnlyWithoutTheWritebackCache) {
  InitWishes wishes;
  wishes.passthrough_depth = 1;
  const InitAgreement agreed = Negotiate(45, kEverything, wishes).agreement;
  EXPECT_TRUE(agreed.passthrough);
  EXPECT_NE(ReplyFlags(agreed) & abi::kInitPassthrough, 0u);
  EXPECT_EQ(agreed.reply.max_stack_depth, 1u);
  const InitAgreement old = Negotiate(39, kEverything & ~abi::kInitPassthrough, wishes).agreement;
  EXPECT_FALSE(old.passthrough);
  EXPECT_EQ(old.reply.max_stack_depth, 0u);
  wishes.writeback_cache = true;
  EXPECT_FALSE(Negotiate(45, kEverything, wishes).agreement.passthrough);
  EXPECT_FALSE(Negotiate(45, kEverything).agreement.passthrough) << "nobody asked for it";
}

TEST(NegotiateInitTest, AnswersTheLowerMinorVersion) {
  for (const uint32_t minor : {31U, 45U, abi::kKernelMinorVersion, 99U}) {
    const InitAgreement agreed = Negotiate(minor, kEverything).agreement;
    EXPECT_EQ(agreed.kernel_minor, minor);
    EXPECT_EQ(agreed.reply.major, abi::kKernelVersion);
    EXPECT_EQ(agreed.reply.minor, std::min(minor, abi::kKernelMinorVersion));
  }
}

// The kernel rejects the mount when the reply holds a flag that it did not offer.
TEST(NegotiateInitTest, TakesOnlyWhatIsOffered) {
  InitWishes wishes;
  wishes.over_io_uring = true;
  wishes.writeback_cache = true;
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t offered = uint64_t{1} << bit | abi::kInitExt;
    const InitAgreement agreed = Negotiate(45, offered, wishes).agreement;
    EXPECT_EQ(ReplyFlags(agreed) & ~offered, 0U) << "bit " << bit;
    EXPECT_EQ(agreed.flags, ReplyFlags(agreed)) << "bit " << bit;
  }
}

// Without FUSE_INIT_EXT the upper half of the flags is not the kernel's word.
TEST(NegotiateInitTest, TheUpperFlagsNeedTheExtension) {
  InitWishes wishes;
  wishes.over_io_uring = true;
  const InitAgreement agreed = Negotiate(45, kEverything & ~abi::kInitExt, wishes).agreement;
  EXPECT_EQ(agreed.reply.flags2, 0U);
  EXPECT_FALSE(agreed.over_io_uring);
}

TEST(NegotiateInitTest, TheRingIsOnlyTakenWhenWished) {
  InitWishes wishes;
  EXPECT_FALSE(Negotiate(45, kEverything, wishes).agreement.over_io_uring);
  wishes.over_io_uring = true;
  const InitAgreement agreed = Negotiate(45, kEverything, wishes).agreement;
  EXPECT_TRUE(agreed.over_io_uring);
  EXPECT_NE(agreed.reply.flags2 & (abi::kInitOverIoUring >> 32), 0U);
}

TEST(NegotiateInitTest, WritebackIsOnlyTakenWhenWished) {
  InitWishes wishes;
  EXPECT_EQ(Negotiate(45, kEverything, wishes).agreement.flags & abi::kInitWritebackCache, 0U);
  wishes.writeback_cache = true;
  EXPECT_NE(Negotiate(45, kEverything, wishes).agreement.flags & abi::kInitWritebackCache, 0U);
}

// Locks are the kernel's for this mount, and nobody looks inodes up by number from outside.
TEST(NegotiateInitTest, AclsAreTheKernelsUnlessItIsNotToCheck) {
  EXPECT_NE(ReplyFlags(Negotiate(45, kEverything).agreement) & abi::kInitPosixAcl, 0U);
  InitWishes wishes;
  wishes.posix_acl = false;
  EXPECT_EQ(ReplyFlags(Negotiate(45, kEverything, wishes).agreement) & abi::kInitPosixAcl, 0U);
}

TEST(NegotiateInitTest, LeavesOutWhatTheDaemonDoesNotServe) {
  const uint64_t flags = Negotiate(45, kEverything).agreement.flags;
  EXPECT_EQ(flags & (abi::kInitPosixLocks | abi::kInitFlockLocks | abi::kInitPassthrough |
                     abi::kInitSubmounts),
            0U);
}

TEST(NegotiateInitTest, TheLongSetxattrFollowsItsFlag) {
  EXPECT_TRUE(Negotiate(45, kEverything).agreement.format.setxattr_ext);
  EXPECT_FALSE(Negotiate(45, kEverything & ~abi::kInitSetxattrExt).agreement.format.setxattr_ext);
}

// What the kernel makes of the reply (fs/fuse/inode.c, process_init_reply; fs/fuse/dev_uring.c,
// fuse_uring_create): the size of its slices, and of what it puts into the area of an entry.
uint32_t KernelsPayload(const abi::InitOut& reply, uint32_t limit) {
  const uint32_t max_pages = std::min<uint32_t>(reply.max_pages, limit);
  return std::max({8192U, reply.max_write, max_pages * 4096U});
}

TEST(NegotiateInitTest, TheKernelsPayloadIsOursWhateverItsLimitOfPagesIs) {
  for (const uint32_t max_write : {0U, 4096U, 65536U, 1U << 20, 16U << 20, 0xffffffffU}) {
    for (const uint32_t limit : {0U, 1U, 2U, 17U, 32U, 256U, 4096U, 65535U, 0xffffffffU}) {
      SCOPED_TRACE(std::to_string(max_write) + " bytes, " + std::to_string(limit) + " pages");
      InitWishes wishes;
      wishes.max_write_bytes = max_write;
      wishes.max_pages_limit = limit;
      const InitAgreement agreed = Negotiate(45, kEverything, wishes).agreement;
      EXPECT_GE(agreed.reply.max_pages, 1U);
      EXPECT_LE(agreed.reply.max_pages, std::max(limit, 1U));
      const RequestSizes sizes = SizesOf(max_write, limit);
      EXPECT_EQ(agreed.sizes.data_bytes, sizes.data_bytes);
      EXPECT_EQ(sizes.data_bytes, agreed.reply.max_pages * 4096U);
      EXPECT_LE(sizes.data_bytes, std::max(max_write, 4096U));
      // Should the limit be another when the reply comes, that changes nothing.
      for (const uint32_t then : {1U, limit, 65535U})
        EXPECT_EQ(KernelsPayload(agreed.reply, then), sizes.payload_bytes);
      EXPECT_GE(sizes.payload_bytes, kMinPayloadBytes);
    }
  }
}

// Otherwise writers of one mount would be held back before the background queue is full.
TEST(NegotiateInitTest, CongestionBeginsBelowTheBackgroundLimit) {
  InitWishes wishes;
  for (const uint16_t background : std::initializer_list<uint16_t>{1, 2, 64, 65535}) {
    wishes.max_background = background;
    const InitAgreement agreed = Negotiate(45, kEverything, wishes).agreement;
    EXPECT_EQ(agreed.reply.max_background, background);
    EXPECT_LE(agreed.reply.congestion_threshold, background);
  }
}

TEST(NegotiateInitTest, PassesTheBackgroundLimitsOn) {
  InitWishes wishes;
  EXPECT_EQ(Negotiate(45, kEverything, wishes).agreement.reply.max_background, 64);
  EXPECT_EQ(Negotiate(45, kEverything, wishes).agreement.reply.congestion_threshold, 48);
  wishes.max_background = 65535;
  EXPECT_EQ(Negotiate(45, kEverything, wishes).agreement.reply.congestion_threshold, 49151);
  wishes.congestion_threshold = 7;
  EXPECT_EQ(Negotiate(45, kEverything, wishes).agreement.reply.congestion_threshold, 7);
}

TEST(NegotiateInitTest, AsksForARequestTimeoutOnlyWhenThereIsOneAndTheKernelHasIt) {
  InitWishes wishes;
  EXPECT_EQ(ReplyFlags(Negotiate(45, kEverything, wishes).agreement) & abi::kInitRequestTimeout,
            0u);
  wishes.request_timeout_s = 30;
  const InitAgreement agreed = Negotiate(45, kEverything, wishes).agreement;
  EXPECT_NE(ReplyFlags(agreed) & abi::kInitRequestTimeout, 0u);
  EXPECT_EQ(agreed.reply.request_timeout, 30);
  const InitAgreement older =
      Negotiate(45, kEverything & ~abi::kInitRequestTimeout, wishes).agreement;
  EXPECT_EQ(ReplyFlags(older) & abi::kInitRequestTimeout, 0u);
  EXPECT_EQ(older.reply.request_timeout, 0);
}

}  // namespace
}  // namespace shuntfs
