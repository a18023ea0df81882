#include "io/sync_transfer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

class RunTransferTest : public ::testing::Test {
 protected:
  int64_t Read(int fd, uint64_t offset, uint32_t bytes) {
    Transfer transfer;
    transfer.kind = Transfer::Kind::kRead;
    transfer.fd = fd;
    transfer.offset = offset;
    transfer.bytes = bytes;
    return RunTransfer(transfer, payload_, identity_, counters_);
  }
  int64_t Write(int fd, uint64_t offset, std::string_view data, int rw_flags = 0) {
    Transfer transfer;
    transfer.kind = Transfer::Kind::kWrite;
    transfer.fd = fd;
    transfer.offset = offset;
    transfer.bytes = static_cast<uint32_t>(data.size());
    transfer.rw_flags = rw_flags;
    std::memcpy(payload_.data(), data.data(), data.size());
    return RunTransfer(transfer, payload_, identity_, counters_);
  }
  std::string Payload(size_t bytes) const {
    return {reinterpret_cast<const char*>(payload_.data()), bytes};
  }

  TempTree tree_;
  ThreadIdentity identity_ = *ThreadIdentity::Adopt(/*privileged=*/false);
  Counters counters_;
  std::array<std::byte, 4096> payload_{};
};

TEST_F(RunTransferTest, ReadsUpToTheEndOfTheFile) {
  tree_.File("f", "0123456789");
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  EXPECT_EQ(Read(file.get(), 3, 4), 4);
  EXPECT_EQ(Payload(5), std::string("3456\0", 5));
  EXPECT_EQ(Read(file.get(), 8, 4096), 2);
  EXPECT_EQ(Read(file.get(), 10, 4096), 0);
  EXPECT_EQ(Read(file.get(), uint64_t{1} << 50, 1), 0);
  EXPECT_EQ(counters_.plain_read_bytes.value(), 6u);
  EXPECT_EQ(counters_.plain_write_bytes.value(), 0u);
}

TEST_F(RunTransferTest, WritesWhereItIsTold) {
  tree_.File("f", "0123456789");
  const UniqueFd file = tree_.Open("f", O_WRONLY);
  EXPECT_EQ(Write(file.get(), 2, "ab"), 2);
  EXPECT_EQ(Write(file.get(), 12, "c"), 1);
  EXPECT_EQ(tree_.Content("f"), std::string("01ab456789\0\0c", 13));
  EXPECT_EQ(counters_.plain_write_bytes.value(), 3u);
}

TEST_F(RunTransferTest, AppendsWhereverTheEndIsByNow) {
  tree_.File("f", "0123");
  const UniqueFd file = tree_.Open("f", O_WRONLY);
  EXPECT_EQ(Write(file.get(), 1, "ab", RWF_APPEND), 2);
  tree_.File("f", "x");
  EXPECT_EQ(Write(file.get(), 6, "cd", RWF_APPEND), 2);
  EXPECT_EQ(tree_.Content("f"), "xcd");
}

TEST_F(RunTransferTest, TellsErrors) {
  tree_.File("f", "x");
  const UniqueFd reader = tree_.Open("f", O_RDONLY);
  const UniqueFd writer = tree_.Open("f", O_WRONLY);
  EXPECT_EQ(Write(reader.get(), 0, "x"), -EBADF);
  EXPECT_EQ(Read(writer.get(), 0, 1), -EBADF);
  EXPECT_EQ(Read(-1, 0, 1), -EBADF);
  EXPECT_EQ(Read(reader.get(), std::numeric_limits<uint64_t>::max() - 10, 1), -EINVAL);
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(Write(full.get(), 0, "x"), -ENOSPC);
  EXPECT_EQ(counters_.plain_write_bytes.value(), 0u);
}

TEST_F(RunTransferTest, OfNothingMovesNothing) {
  EXPECT_EQ(Read(-1, 0, 0), 0);
  EXPECT_EQ(Write(-1, 0, ""), 0);
}

TEST_F(RunTransferTest, SyncsBothWays) {
  tree_.File("f", "x");
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  for (const auto kind : {Transfer::Kind::kFsync, Transfer::Kind::kFdatasync}) {
    Transfer transfer;
    transfer.kind = kind;
    transfer.fd = file.get();
    EXPECT_EQ(RunTransfer(transfer, {}, identity_, counters_), 0);
    transfer.fd = -1;
    EXPECT_EQ(RunTransfer(transfer, {}, identity_, counters_), -EBADF);
  }
}

TEST(WritePacer, HoldsBackAfterAWriteThatWaited) {
  WritePacer pacer;
  EXPECT_TRUE(pacer.MayWriteInline(0));
  const int64_t start = 5'000'000'000;
  pacer.Took(start, start + WritePacer::kSlowNs);
  EXPECT_TRUE(pacer.MayWriteInline(start + WritePacer::kSlowNs)) << "as long as that is not slow";
  const int64_t end = start + WritePacer::kSlowNs + 1;
  pacer.Took(start, end);
  EXPECT_FALSE(pacer.MayWriteInline(end));
  EXPECT_FALSE(pacer.MayWriteInline(end + WritePacer::kHoldNs - 1));
  EXPECT_TRUE(pacer.MayWriteInline(end + WritePacer::kHoldNs));
  pacer.Took(end, end + 1);
  EXPECT_FALSE(pacer.MayWriteInline(end + 1)) << "a quick write ends no hold";
}

TEST(MonotonicNs, NeverGoesBack) {
  const int64_t first = MonotonicNs();
  EXPECT_GT(first, 0);
  EXPECT_GE(MonotonicNs(), first);
}

}  // namespace
}  // namespace shuntfs
