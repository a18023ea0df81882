#include "io/batch_share.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

namespace shuntfs {
namespace {

// A batch whose entries hold the requests given.
class BatchShareTest : public ::testing::Test {
 protected:
  void Add(abi::Opcode opcode) {
    entries_.emplace_back(static_cast<uint32_t>(entries_.size()), QueueId(0), 0, &header_,
                          std::span<std::byte>());
    entries_.back().request().header.opcode = static_cast<uint32_t>(opcode);
    batch_.push_back(&entries_.back());
  }
  void AddRead(uint32_t size, uint32_t flags) {
    Add(abi::Opcode::kRead);
    abi::ReadIn in{};
    in.size = size;
    in.flags = flags;
    std::memcpy(entries_.back().request().op_in.data(), &in, sizeof(in));
  }

  abi::UringReqHeader header_{};
  std::deque<RingEntry> entries_;
  std::vector<RingEntry*> batch_;
};

TEST_F(BatchShareTest, WhoComesAloneIsServedHere) {
  AddRead(1U << 20, O_DIRECT);
  EXPECT_EQ(SharedPartOf(batch_), 0u);
}

TEST_F(BatchShareTest, AReadAheadIsLeftToAnother) {
  AddRead(256U << 10, O_RDONLY);
  EXPECT_EQ(SharedPartOf(batch_), 1u);
}

TEST_F(BatchShareTest, ASmallBufferedReadIsNone) {
  AddRead((256U << 10) - 4096, O_RDONLY);
  EXPECT_EQ(SharedPartOf(batch_), 0u);
}

TEST_F(BatchShareTest, AShortBatchIsNotWorthAMessage) {
  for (int i = 0; i < 4; ++i) AddRead(4096, O_DIRECT);
  EXPECT_EQ(SharedPartOf(batch_), 0u);
}

TEST_F(BatchShareTest, HalfOfManyRequestsOrOfMuchDataIsShared) {
  for (int i = 0; i < 9; ++i) Add(abi::Opcode::kLookup);
  EXPECT_EQ(SharedPartOf(batch_), 4u);
  batch_.clear();
  for (int i = 0; i < 2; ++i) AddRead(128U << 10, O_DIRECT);
  EXPECT_EQ(SharedPartOf(batch_), 1u);
}

TEST_F(BatchShareTest, BytesAreThoseOfTheData) {
  AddRead(5000, O_RDONLY);
  EXPECT_EQ(BytesOf(batch_[0]->request()), 5000u);
  Add(abi::Opcode::kWrite);
  Request& write = entries_.back().request();
  std::byte payload[7];
  write.payload = payload;
  EXPECT_EQ(BytesOf(write), 7u);
  write.zero_copy = true;
  write.zero_copy_bytes = 9;
  EXPECT_EQ(BytesOf(write), 9u);
}

}  // namespace
}  // namespace shuntfs
