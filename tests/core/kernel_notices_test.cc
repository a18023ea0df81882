#include "core/kernel_notices.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "core/base/unique_fd.h"
#include "core/protocol/abi.h"

namespace shuntfs {
namespace {

struct Message {
  abi::OutHeader header;
  abi::NotifyInvalInodeOut out;
};

// A pipe in place of /dev/fuse.
class KernelNoticesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    from_ = UniqueFd(ends[0]);
    to_ = UniqueFd(ends[1]);
  }
  Message Read() {
    Message message{};
    EXPECT_EQ(read(from_.get(), &message, sizeof(message)), static_cast<ssize_t>(sizeof(message)));
    return message;
  }

  UniqueFd from_;
  UniqueFd to_;
  Counters counters_;
};

TEST_F(KernelNoticesTest, SaysWhatTheKernelReads) {
  KernelNotices notices(to_.get());
  notices.DropAttributes(NodeId(7), counters_);
  const Message dropped = Read();
  EXPECT_EQ(dropped.header.len, sizeof(Message));
  EXPECT_EQ(dropped.header.unique, 0u);
  EXPECT_EQ(dropped.header.error, abi::kNotifyInvalInode);
  EXPECT_EQ(dropped.out.ino, 7u);
  EXPECT_LT(dropped.out.off, 0);
  notices.AllowWriteBacks(1);
  EXPECT_TRUE(notices.WriteBack(NodeId(8), 4096, 100, counters_).ok());
  const Message written = Read();
  EXPECT_EQ(written.out.ino, 8u);
  EXPECT_EQ(written.out.off, 4096);
  EXPECT_EQ(written.out.len, 100);
  EXPECT_EQ(counters_.notices.value(), 2u);
  EXPECT_EQ(counters_.notices_failed.value(), 0u);
}

TEST_F(KernelNoticesTest, AFailureIsCounted) {
  KernelNotices notices(from_.get());  // not open for writing
  notices.AllowWriteBacks(1);
  EXPECT_EQ(notices.WriteBack(NodeId(8), 0, 0, counters_).error(), Errno(EBADF));
  EXPECT_EQ(counters_.notices_failed.value(), 1u);
}

TEST_F(KernelNoticesTest, NoMoreWriteBacksThanAllowed) {
  KernelNotices notices(to_.get());
  EXPECT_EQ(notices.WriteBack(NodeId(8), 0, 0, counters_).error(), Errno(EBUSY));
  EXPECT_EQ(counters_.notices_declined.value(), 1u);
  EXPECT_EQ(counters_.notices.value(), 0u);
}

TEST_F(KernelNoticesTest, AStopComesAtOnceWhereNoneIsUnderWay) {
  KernelNotices notices(to_.get());
  notices.AllowWriteBacks(2);
  bool stopped = false;
  notices.Close([&stopped] { stopped = true; });
  EXPECT_TRUE(stopped);
  EXPECT_EQ(notices.WriteBack(NodeId(8), 0, 0, counters_).error(), Errno(EBUSY));
}

// The pipe is full, so that the write waits as one does until the kernel has written back.
TEST_F(KernelNoticesTest, AStopWaitsForTheLastWriteBack) {
  KernelNotices notices(to_.get());
  notices.AllowWriteBacks(1);
  ASSERT_EQ(fcntl(to_.get(), F_SETFL, O_NONBLOCK), 0);
  while (write(to_.get(), "x", 1) == 1) {
  }
  ASSERT_EQ(fcntl(to_.get(), F_SETFL, 0), 0);
  std::thread waiting([&] { EXPECT_TRUE(notices.WriteBack(NodeId(2), 0, 0, counters_).ok()); });
  while (counters_.notices.value() == 0) std::this_thread::yield();
  std::atomic<bool> stopped{false};
  notices.Close([&stopped] { stopped.store(true); });
  EXPECT_FALSE(stopped.load());
  std::array<char, 1 << 16> all{};
  EXPECT_GT(read(from_.get(), all.data(), all.size()), 0);
  waiting.join();
  EXPECT_TRUE(stopped.load());
}

}  // namespace
}  // namespace shuntfs
