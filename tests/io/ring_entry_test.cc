#include "io/ring_entry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace shuntfs {
namespace {

class RingEntryTest : public ::testing::Test {
 protected:
  // Does what the kernel does before it completes a command with a request.
  void Deliver(abi::Opcode opcode, std::string_view payload, uint64_t commit_id = 77) {
    abi::InHeader in{};
    in.len = static_cast<uint32_t>(sizeof(in) + payload.size());
    in.opcode = static_cast<uint32_t>(opcode);
    in.unique = 42;
    in.nodeid = 1;
    std::memcpy(header_.in_out, &in, sizeof(in));
    header_.ring_ent_in_out.commit_id = commit_id;
    header_.ring_ent_in_out.payload_sz = static_cast<uint32_t>(payload.size());
    std::memcpy(payload_.data(), payload.data(), std::min(payload.size(), payload_.size()));
  }

  abi::OutHeader Answered() const {
    abi::OutHeader out;
    std::memcpy(&out, header_.in_out, sizeof(out));
    return out;
  }

  void Serve() {
    entry_.Submitted(RingCommand::kRegister);
    Deliver(abi::Opcode::kLookup, std::string_view("name\0", 5));
    ASSERT_TRUE(entry_.Arrived().ok());
  }

  abi::UringReqHeader header_{};
  std::array<std::byte, 8192> payload_{};
  RingEntry entry_{5, QueueId(3), 2, &header_, payload_};
};

using RingEntryDeathTest = RingEntryTest;

// An entry of a zero-copy queue whose pool has two slices.
class PooledEntryTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kSlice = 8192;

  Result<Unit> Deliver(abi::Opcode opcode, uint32_t offset, uint32_t payload_bytes = 0,
                       uint64_t flags = 0) {
    abi::InHeader in{};
    in.opcode = static_cast<uint32_t>(opcode);
    in.unique = 42;
    std::memcpy(header_.in_out, &in, sizeof(in));
    header_.ring_ent_in_out = {flags, 77, payload_bytes, offset, 0};
    entry_.Submitted(RingCommand::kRegister);
    return entry_.Arrived();
  }

  abi::UringReqHeader header_{};
  std::array<std::byte, 2 * kSlice> memory_{};
  QueuePool pool_{QueueId(3), memory_, kSlice};
  RingEntry entry_{5, 2, &header_, &pool_, /*zero_copy=*/true};
};

TEST_F(PooledEntryTest, HasNoPayloadOfItsOwn) {
  EXPECT_TRUE(entry_.pooled());
  EXPECT_EQ(entry_.qid(), QueueId(3));
  EXPECT_EQ(entry_.zero_copy_slot(), 6) << "behind the region";
  EXPECT_EQ(entry_.iov()[1].iov_base, nullptr);
  EXPECT_EQ(entry_.iov()[1].iov_len, 0u);
  const RingEntry plain(5, 2, &header_, &pool_, /*zero_copy=*/false);
  EXPECT_EQ(plain.zero_copy_slot(), 0);
}

TEST_F(PooledEntryTest, FindsThePayloadWhereTheKernelPutIt) {
  std::memcpy(memory_.data() + kSlice, "name", 5);
  ASSERT_TRUE(Deliver(abi::Opcode::kLookup, kSlice, 5).ok());
  EXPECT_EQ(entry_.payload().data(), memory_.data() + kSlice);
  EXPECT_EQ(entry_.payload().size(), kSlice);
  EXPECT_EQ(entry_.request().payload.data(), memory_.data() + kSlice);
  EXPECT_EQ(entry_.request().payload.size(), 5u);
  EXPECT_FALSE(entry_.pool_dry());
}

TEST_F(PooledEntryTest, RefusesWhatLiesOutsideThePool) {
  for (const uint32_t offset : {1u, kSlice - 1, kSlice + 4096, 2 * kSlice, 0xffffe000u, ~0u}) {
    SCOPED_TRACE(offset);
    RingEntry entry(5, 2, &header_, &pool_, true);
    header_.ring_ent_in_out.offset = offset;
    entry.Submitted(RingCommand::kRegister);
    EXPECT_FALSE(entry.Arrived().ok());
    EXPECT_TRUE(entry.payload().empty());
    entry.Answer(Action::Error(Errno(EINVAL)));  // it can be answered all the same
    entry.Committed();
  }
  EXPECT_FALSE(Deliver(abi::Opcode::kLookup, 0, kSlice + 1).ok()) << "longer than a slice";
}

TEST_F(PooledEntryTest, AZeroCopiedReadHasNoPayload) {
  ASSERT_TRUE(Deliver(abi::Opcode::kRead, 0, 0, abi::kUringEntZeroCopy).ok());
  EXPECT_TRUE(entry_.request().zero_copy);
  EXPECT_TRUE(entry_.payload().empty()) << "slice 0 is another request's";
}

TEST_F(PooledEntryTest, AZeroCopiedWriteHasASliceForItsReplyAndNoDataInIt) {
  ASSERT_TRUE(Deliver(abi::Opcode::kWrite, kSlice, 1 << 20, abi::kUringEntZeroCopy).ok());
  EXPECT_TRUE(entry_.request().zero_copy);
  EXPECT_EQ(entry_.request().zero_copy_bytes, 1u << 20);
  EXPECT_TRUE(entry_.request().payload.empty());
  EXPECT_EQ(entry_.payload().data(), memory_.data() + kSlice);
}

TEST_F(PooledEntryTest, RefusesZeroCopyOfWhatHasNoPages) {
  EXPECT_FALSE(Deliver(abi::Opcode::kLookup, 0, 5, abi::kUringEntZeroCopy).ok());
}

TEST_F(PooledEntryTest, RefusesZeroCopyOnAQueueWithout) {
  RingEntry plain(5, 2, &header_, &pool_, /*zero_copy=*/false);
  abi::InHeader in{};
  in.opcode = static_cast<uint32_t>(abi::Opcode::kRead);
  std::memcpy(header_.in_out, &in, sizeof(in));
  header_.ring_ent_in_out = {abi::kUringEntZeroCopy, 77, 0, 0, 0};
  plain.Submitted(RingCommand::kRegister);
  EXPECT_FALSE(plain.Arrived().ok());
}

TEST_F(PooledEntryTest, SaysWhenThePoolIsDry) {
  ASSERT_TRUE(Deliver(abi::Opcode::kLookup, 0).ok());
  abi::UringReqHeader header = header_;
  RingEntry other(6, 2, &header, &pool_, true);
  other.Submitted(RingCommand::kRegister);
  ASSERT_TRUE(other.Arrived().ok());
  EXPECT_TRUE(other.pool_dry()) << "the second of two slices";
  entry_.Answer(Action::Reply());
  entry_.Committed();
  other.Answer(Action::Reply());
  other.Committed();
  ASSERT_TRUE(other.Arrived().ok());
  EXPECT_FALSE(other.pool_dry()) << "both came back in between";
}

TEST_F(RingEntryTest, KnowsItsPlace) {
  EXPECT_EQ(entry_.index(), 5u);
  EXPECT_EQ(entry_.qid(), QueueId(3));
  EXPECT_EQ(entry_.home(), 2u);
  EXPECT_EQ(entry_.iov()[0].iov_base, &header_);
  EXPECT_EQ(entry_.iov()[0].iov_len, sizeof(abi::UringReqHeader));
  EXPECT_EQ(entry_.iov()[1].iov_base, payload_.data());
  EXPECT_EQ(entry_.iov()[1].iov_len, payload_.size());
}

TEST_F(RingEntryTest, TakesARequestOutOnce) {
  Serve();
  EXPECT_EQ(entry_.commit_id(), CommitId(77));
  EXPECT_EQ(entry_.request().opcode(), abi::Opcode::kLookup);
  EXPECT_EQ(entry_.request().unique(), Unique(42));
  EXPECT_EQ(entry_.request().payload.size(), 5u);
  // What is changed in the shared header afterwards is not looked at again.
  std::memset(&header_, 0xff, sizeof(header_));
  EXPECT_EQ(entry_.commit_id(), CommitId(77));
  EXPECT_EQ(entry_.request().opcode(), abi::Opcode::kLookup);
}

TEST_F(RingEntryTest, AnswersARequestAndTakesTheNext) {
  Serve();
  entry_.Answer(Action::Reply(128));
  EXPECT_EQ(Answered().unique, 42u);
  EXPECT_EQ(Answered().error, 0);
  EXPECT_EQ(Answered().len, sizeof(abi::OutHeader) + 128);
  EXPECT_EQ(header_.ring_ent_in_out.payload_sz, 128u);
  entry_.Committed();
  EXPECT_EQ(entry_.command(), RingCommand::kCommitAndFetch);
  EXPECT_EQ(entry_.commit_id(), CommitId(77)) << "the commit names the request that it answers";
  Deliver(abi::Opcode::kStatfs, "", 78);
  ASSERT_TRUE(entry_.Arrived().ok());
  EXPECT_EQ(entry_.commit_id(), CommitId(78));
  entry_.Answer(Action::Reply());
}

TEST_F(RingEntryTest, AnErrorCarriesNothing) {
  Serve();
  Action action = Action::Error(Errno(ENOENT));
  action.reply_bytes = 100;
  entry_.Answer(action);
  EXPECT_EQ(Answered().error, -ENOENT);
  EXPECT_EQ(Answered().len, sizeof(abi::OutHeader));
  EXPECT_EQ(header_.ring_ent_in_out.payload_sz, 0u);
}

TEST_F(RingEntryTest, ARequestThatMakesNoSenseIsAnsweredToo) {
  entry_.Submitted(RingCommand::kRegister);
  Deliver(abi::Opcode::kWrite, "");
  header_.ring_ent_in_out.payload_sz = static_cast<uint32_t>(payload_.size()) + 1;
  const auto arrived = entry_.Arrived();
  ASSERT_FALSE(arrived.ok());
  EXPECT_EQ(arrived.error(), Errno(EINVAL));
  entry_.Answer(Action::Error(arrived.error()));
  EXPECT_EQ(Answered().unique, 42u);
  EXPECT_EQ(Answered().error, -EINVAL);
  entry_.Committed();
}

TEST_F(RingEntryTest, AnAnswerBehindItsReadCanBeTakenBack) {
  Serve();
  entry_.Answer(Action::Reply(100));
  entry_.CommittedBehindRead();
  EXPECT_TRUE(entry_.linked());
  entry_.Withdrawn();
  EXPECT_FALSE(entry_.linked());
  entry_.Answer(Action::Reply(7));
  entry_.Committed();
  EXPECT_EQ(Answered().len, sizeof(abi::OutHeader) + 7);
  EXPECT_FALSE(entry_.linked());
}

TEST_F(RingEntryTest, TheNextRequestSaysThatTheReadWasWhole) {
  Serve();
  entry_.Answer(Action::Reply(100));
  entry_.CommittedBehindRead();
  Deliver(abi::Opcode::kLookup, std::string_view("name\0", 5));
  ASSERT_TRUE(entry_.Arrived().ok());
  EXPECT_FALSE(entry_.linked());
}

TEST_F(RingEntryDeathTest, OnlyAnAnswerBehindAReadIsTakenBack) {
  Serve();
  entry_.Answer(Action::Reply());
  entry_.Committed();
  EXPECT_DEATH(entry_.Withdrawn(), "linked_");
}

TEST_F(RingEntryTest, ACommandThatCameBackCanBeSentAgain) {
  entry_.Submitted(RingCommand::kRegister);
  entry_.Returned();
  entry_.Submitted(RingCommand::kRegister);
  EXPECT_EQ(entry_.command(), RingCommand::kRegister);
}

TEST_F(RingEntryDeathTest, ARequestIsAnsweredOnce) {
  Serve();
  entry_.Answer(Action::Reply());
  EXPECT_DEATH(entry_.Answer(Action::Reply()), "answered_");
}

TEST_F(RingEntryDeathTest, NothingIsAnsweredBeforeARequestArrived) {
  EXPECT_DEATH(entry_.Answer(Action::Reply()), "Check failed");
  entry_.Submitted(RingCommand::kRegister);
  EXPECT_DEATH(entry_.Answer(Action::Reply()), "Check failed");
}

TEST_F(RingEntryDeathTest, NothingIsCommittedWithoutAnAnswer) {
  Serve();
  EXPECT_DEATH(entry_.Committed(), "answered_");
  entry_.Answer(Action::Reply());
  entry_.Committed();
  EXPECT_DEATH(entry_.Committed(), "answered_");
}

TEST_F(RingEntryDeathTest, OneCommandAtATime) {
  entry_.Submitted(RingCommand::kRegister);
  EXPECT_DEATH(entry_.Submitted(RingCommand::kRegister), "Check failed");
}

TEST_F(RingEntryDeathTest, OnlyWhatIsWithTheKernelComesBack) {
  EXPECT_DEATH(entry_.Returned(), "Check failed");
  EXPECT_DEATH(static_cast<void>(entry_.Arrived()), "Check failed");
}

}  // namespace
}  // namespace shuntfs
