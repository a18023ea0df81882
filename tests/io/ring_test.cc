// One ring, and two that send each other messages, on the real io_uring. What one ring submits is
// reaped by the same thread.
#include "io/ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "io/memory_region.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

struct Completion {
  UserData data;
  int res;
};

// Sends what was prepared and waits until `count` completions are there.
std::vector<Completion> Reap(Ring& ring, size_t count) {
  std::vector<Completion> all;
  while (all.size() < count) {
    ring.SubmitAndWait();
    ring.ForEachCompletion([&all](UserData data, int res) { all.push_back({data, res}); });
  }
  return all;
}

class RingTest : public ::testing::Test {
 protected:
  static constexpr size_t kPayload = 8192;

  void SetUp() override {
    Result<MemoryRegion> region = MemoryRegion::Map(4 * kPayload);
    ASSERT_TRUE(region.ok());
    region_ = std::make_unique<MemoryRegion>(std::move(*region));
    const Outcome registered = shared_.Register(region_->bytes(), 0);
    if (!registered.ok())
      GTEST_SKIP() << "io_uring is not to be had: " << strerror(registered.error().value());
    const Outcome opened = ring_.Open(RingSetup{8, -1});
    ASSERT_TRUE(opened.ok()) << strerror(opened.error().value());
    const Outcome used = ring_.UseRegion(shared_);
    if (!used.ok() && used.error() == Errno(EINVAL))
      GTEST_SKIP() << "this kernel cannot clone buffer tables";
    ASSERT_TRUE(used.ok()) << strerror(used.error().value());
  }

  // An entry with payload area number `index` of the region.
  RingEntry Entry(uint32_t index) {
    return {index, QueueId(0), 0, &headers_[index],
            region_->bytes().subspan(index * kPayload, kPayload)};
  }

  static Transfer Describe(Transfer::Kind kind, int fd, uint64_t offset = 0, uint32_t bytes = 0,
                           int rw_flags = 0) {
    Transfer transfer;
    transfer.kind = kind;
    transfer.policy = IoPolicy::kFixed;
    transfer.fd = fd;
    transfer.offset = offset;
    transfer.bytes = bytes;
    transfer.rw_flags = rw_flags;
    return transfer;
  }

  // Runs the entry's transfer once; the completion's result.
  int RunOnce(RingEntry& entry) {
    ring_.PrepareTransfer(entry);
    const std::vector<Completion> done = Reap(ring_, 1);
    EXPECT_EQ(done.size(), 1u);
    EXPECT_EQ(done.front().data.kind, CompletionKind::kTransfer);
    EXPECT_EQ(done.front().data.entry, entry.index());
    return done.front().res;
  }

  static void Fill(RingEntry& entry, std::string_view data) {
    std::memcpy(entry.payload().data(), data.data(), data.size());
  }
  static std::string Payload(const RingEntry& entry, size_t from, size_t bytes) {
    return {reinterpret_cast<const char*>(entry.payload().data()) + from, bytes};
  }

  TempTree tree_;
  abi::UringReqHeader headers_[4] = {};
  std::unique_ptr<MemoryRegion> region_;
  SharedRegion shared_;
  Ring ring_;
};

TEST_F(RingTest, WritesAndReadsThroughTheRegisteredRegion) {
  tree_.File("f");
  const UniqueFd file = tree_.Open("f", O_RDWR);
  RingEntry writer = Entry(1);
  Fill(writer, "hello fixed");
  writer.transfer = Describe(Transfer::Kind::kWrite, file.get(), 100, 11);
  EXPECT_EQ(RunOnce(writer), 11);
  EXPECT_EQ(tree_.Content("f"), std::string(100, '\0') + "hello fixed");
  RingEntry reader = Entry(3);
  reader.transfer = Describe(Transfer::Kind::kRead, file.get(), 106, kPayload);
  EXPECT_EQ(RunOnce(reader), 5) << "up to the end of the file";
  EXPECT_EQ(Payload(reader, 0, 6), std::string("fixed\0", 6));
  reader.transfer.offset = 5000;
  EXPECT_EQ(RunOnce(reader), 0);
}

TEST_F(RingTest, ContinuesWhereATransferStopped) {
  tree_.File("f", std::string(4096, 'a') + std::string(4096, 'b'));
  const UniqueFd file = tree_.Open("f", O_RDWR);
  RingEntry reader = Entry(0);
  Fill(reader, std::string(kPayload, '.'));
  reader.transfer = Describe(Transfer::Kind::kRead, file.get(), 0, kPayload);
  reader.done_bytes = 4096;
  EXPECT_EQ(RunOnce(reader), 4096);
  EXPECT_EQ(Payload(reader, 0, 4096), std::string(4096, '.'));
  EXPECT_EQ(Payload(reader, 4096, 4096), std::string(4096, 'b'));
  RingEntry writer = Entry(1);
  Fill(writer, std::string(100, 'x') + std::string(50, 'y'));
  writer.transfer = Describe(Transfer::Kind::kWrite, file.get(), 1000, 150);
  writer.done_bytes = 100;
  EXPECT_EQ(RunOnce(writer), 50);
  EXPECT_EQ(tree_.Content("f").substr(1099, 52), "a" + std::string(50, 'y') + "a");
}

TEST_F(RingTest, AppendsWhereverTheEndIs) {
  tree_.File("f", "0123");
  const UniqueFd file = tree_.Open("f", O_WRONLY);
  RingEntry entry = Entry(0);
  Fill(entry, "ab");
  entry.transfer = Describe(Transfer::Kind::kWrite, file.get(), 1, 2, RWF_APPEND);
  EXPECT_EQ(RunOnce(entry), 2);
  EXPECT_EQ(tree_.Content("f"), "0123ab");
}

TEST_F(RingTest, LeavesWhatMayBlockToAKernelWorker) {
  tree_.File("f", "content");
  const UniqueFd file = tree_.Open("f", O_RDWR);
  RingEntry entry = Entry(2);
  entry.transfer = Describe(Transfer::Kind::kRead, file.get(), 0, 100);
  entry.transfer.may_block = true;
  EXPECT_EQ(RunOnce(entry), 7);
  EXPECT_EQ(Payload(entry, 0, 7), "content");
  for (const auto kind : {Transfer::Kind::kFsync, Transfer::Kind::kFdatasync}) {
    entry.transfer = Describe(kind, file.get());
    entry.transfer.may_block = true;
    EXPECT_EQ(RunOnce(entry), 0);
    entry.transfer.fd = -1;
    EXPECT_EQ(RunOnce(entry), -EBADF);
  }
}

TEST_F(RingTest, TellsErrorsByEntry) {
  tree_.File("f", "content");
  const UniqueFd reader = tree_.Open("f", O_RDONLY);
  RingEntry entry = Entry(1);
  entry.transfer = Describe(Transfer::Kind::kWrite, reader.get(), 0, 10);
  EXPECT_EQ(RunOnce(entry), -EBADF);
  EXPECT_EQ(tree_.Content("f"), "content");
}

TEST_F(RingTest, MemoryOutsideTheRegionIsNeverTouched) {
  tree_.File("f", "content");
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  std::vector<std::byte> elsewhere(kPayload);
  RingEntry entry(0, QueueId(0), 0, headers_, elsewhere);
  entry.transfer = Describe(Transfer::Kind::kRead, file.get(), 0, 7);
  EXPECT_EQ(RunOnce(entry), -EFAULT);
  Ring without_table;
  ASSERT_TRUE(without_table.Open(RingSetup{8, -1}).ok());
  RingEntry inside = Entry(0);
  inside.transfer = entry.transfer;
  without_table.PrepareTransfer(inside);
  EXPECT_EQ(Reap(without_table, 1).front().res, -EFAULT);
}

TEST_F(RingTest, ATableThatWasLeftIsUsedNoMore) {
  tree_.File("f", "content");
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  RingEntry entry = Entry(0);
  entry.transfer = Describe(Transfer::Kind::kRead, file.get(), 0, 7);
  EXPECT_EQ(RunOnce(entry), 7);
  ring_.LeaveRegion();
  EXPECT_EQ(RunOnce(entry), -EFAULT);
  ring_.Close();
  ring_.Close();  // again is nothing
}

// A ring whose FUSE commands go to /dev/null, which completes each with 0.
class LinkedReadTest : public RingTest {
 protected:
  void SetUp() override {
    RingTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ring_.Close();
    const Outcome opened = ring_.Open(RingSetup{8, null_.get()});
    ASSERT_TRUE(opened.ok()) << strerror(opened.error().value());
    ASSERT_TRUE(ring_.UseRegion(shared_).ok());
    tree_.File("f", std::string(4096, 'a') + std::string(100, 'b'));
    file_ = tree_.Open("f", O_RDWR);
    char byte;
    ASSERT_EQ(pread(file_.get(), &byte, 1, 0), 1);
  }

  // An entry with a READ of `bytes` at `offset`, whose answer is there.
  void Prepare(RingEntry& entry, uint64_t offset, uint32_t bytes) {
    entry.Submitted(RingCommand::kCommitAndFetch);
    entry.transfer = Describe(Transfer::Kind::kRead, file_.get(), offset, bytes);
    ring_.PrepareReadThenCommit(entry);
  }

  const UniqueFd null_{open("/dev/null", O_RDWR | O_CLOEXEC)};
  UniqueFd file_;
};

TEST_F(LinkedReadTest, OnlyTheCommandCompletesAfterAWholeRead) {
  RingEntry entry = Entry(1);
  Prepare(entry, 10, 4096);
  const std::vector<Completion> done = Reap(ring_, 1);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done.front().data.kind, CompletionKind::kCommand);
  EXPECT_EQ(done.front().res, 0);
  EXPECT_EQ(Payload(entry, 0, 4096), std::string(4086, 'a') + std::string(10, 'b'));
}

TEST_F(LinkedReadTest, OnlyTheReadCompletesWhenBytesAreMissing) {
  RingEntry entry = Entry(1);
  Prepare(entry, 4096, 101);
  RingEntry after = Entry(2);
  Prepare(after, 0, 1);
  const std::vector<Completion> done = Reap(ring_, 2);
  ASSERT_EQ(done.size(), 2u) << "nothing tells of the command that was dropped";
  EXPECT_EQ(done[0].data.kind, CompletionKind::kTransfer);
  EXPECT_EQ(done[0].data.entry, 1u);
  EXPECT_EQ(done[0].res, 100);
  EXPECT_EQ(done[1].data.kind, CompletionKind::kCommand);
  EXPECT_EQ(done[1].data.entry, 2u);
}

TEST_F(LinkedReadTest, AnErrorDropsTheCommand) {
  const UniqueFd writer = tree_.Open("f", O_WRONLY);
  RingEntry entry = Entry(0);
  entry.Submitted(RingCommand::kCommitAndFetch);
  entry.transfer = Describe(Transfer::Kind::kRead, writer.get(), 0, 10);
  ring_.PrepareReadThenCommit(entry);
  const std::vector<Completion> done = Reap(ring_, 1);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done.front().data.kind, CompletionKind::kTransfer);
  EXPECT_EQ(done.front().res, -EBADF);
}

TEST_F(LinkedReadTest, WhatIsNotInMemoryIsNotWaitedFor) {
  ASSERT_EQ(fsync(file_.get()), 0);
  ASSERT_EQ(posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
  RingEntry entry = Entry(0);
  Prepare(entry, 0, 4096);
  const std::vector<Completion> done = Reap(ring_, 1);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done.front().data.kind, CompletionKind::kTransfer);
  EXPECT_EQ(done.front().res, -EAGAIN);
}

// A chain ends where a submission ends: with one place left in the queue it has to wait for the
// next.
TEST_F(LinkedReadTest, IsNeverTornByAFullQueue) {
  const UniqueFd event(eventfd(1, EFD_CLOEXEC));
  RingEntry entry = Entry(1);
  for (uint32_t fill = 1; fill <= 32; ++fill) {
    for (uint32_t i = 0; i < fill; ++i)
      ring_.PreparePoll(event.get(), UserData{CompletionKind::kEvent, i});
    Prepare(entry, 4096, 101);
    uint32_t reads = 0, commands = 0;
    for (const Completion& completion : Reap(ring_, fill + 1)) {
      reads += completion.data.kind == CompletionKind::kTransfer ? 1 : 0;
      commands += completion.data.kind == CompletionKind::kCommand ? 1 : 0;
    }
    EXPECT_EQ(reads, 1u) << fill;
    EXPECT_EQ(commands, 0u) << fill;
    entry.Returned();
  }
}

TEST_F(RingTest, TakesMoreThanTheQueueHolds) {
  constexpr uint32_t kMany = 200;
  const UniqueFd event(eventfd(1, EFD_CLOEXEC));
  for (uint32_t i = 0; i < kMany; ++i)
    ring_.PreparePoll(event.get(), UserData{CompletionKind::kEvent, i});
  const std::vector<Completion> done = Reap(ring_, kMany);
  std::vector<bool> seen(kMany);
  for (const Completion& completion : done) {
    EXPECT_EQ(completion.data.kind, CompletionKind::kEvent);
    EXPECT_GT(completion.res, 0);
    ASSERT_LT(completion.data.entry, kMany);
    EXPECT_FALSE(seen[completion.data.entry]) << "completed twice";
    seen[completion.data.entry] = true;
  }
  EXPECT_EQ(done.size(), kMany);
}

TEST_F(RingTest, APollWaitsForItsEvent) {
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  ring_.PreparePoll(event.get(), UserData{CompletionKind::kEvent, 9});
  ring_.Submit();
  int early = 0;
  ring_.ForEachCompletion([&early](UserData, int) { ++early; });
  EXPECT_EQ(early, 0);
  eventfd_write(event.get(), 1);
  const std::vector<Completion> done = Reap(ring_, 1);
  EXPECT_EQ(done.front().data.entry, 9u);
  EXPECT_GT(done.front().res, 0);
}

// The other ring's thread answers every message with one of its own.
TEST_F(RingTest, TwoRingsSendEachOtherMessages) {
  constexpr uint32_t kMessages = 100;
  std::promise<int> other_fd;
  std::vector<uint32_t> other_saw;
  const int this_fd = ring_.fd();
  std::thread other([&other_fd, &other_saw, this_fd] {
    Ring ring;
    const Outcome opened = ring.Open(RingSetup{8, -1});
    other_fd.set_value(opened.ok() ? ring.fd() : -1);
    if (!opened.ok()) return;
    while (other_saw.size() < kMessages) {
      ring.SubmitAndWait();
      ring.ForEachCompletion([&](UserData data, int res) {
        EXPECT_EQ(data.kind, CompletionKind::kServe);
        EXPECT_EQ(res, 0);
        other_saw.push_back(data.entry);
        ring.PrepareMessage(this_fd, UserData{CompletionKind::kCommit, data.entry},
                            UserData{CompletionKind::kCommitUnsent, data.entry});
      });
    }
    ring.Submit();
  });
  const int target = other_fd.get_future().get();
  std::vector<uint32_t> came_back;
  if (target >= 0) {
    for (uint32_t i = 0; i < kMessages; ++i) {
      ring_.PrepareMessage(target, UserData{CompletionKind::kServe, i},
                           UserData{CompletionKind::kServeUnsent, i});
    }
    for (const Completion& completion : Reap(ring_, kMessages)) {
      EXPECT_EQ(completion.data.kind, CompletionKind::kCommit)
          << "a message that was sent completes nowhere else";
      came_back.push_back(completion.data.entry);
    }
  }
  other.join();
  ASSERT_GE(target, 0);
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < kMessages; ++i) expected.push_back(i);
  EXPECT_EQ(other_saw, expected);
  EXPECT_EQ(came_back, expected);
}

TEST_F(RingTest, AMessageThatCannotBeSentComesBack) {
  const UniqueFd no_ring(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int target : {no_ring.get(), 100'000}) {
    ring_.PrepareMessage(target, UserData{CompletionKind::kServe, 4},
                         UserData{CompletionKind::kServeUnsent, 4});
    const std::vector<Completion> done = Reap(ring_, 1);
    EXPECT_EQ(done.front().data.kind, CompletionKind::kServeUnsent);
    EXPECT_EQ(done.front().data.entry, 4u);
    EXPECT_LT(done.front().res, 0);
  }
}

TEST_F(RingTest, ACommandOnAnUnmountedDeviceIsRefused) {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) GTEST_SKIP() << "/dev/fuse: " << strerror(errno);
  Ring ring;
  ASSERT_TRUE(ring.Open(RingSetup{8, device.get()}).ok());
  RingEntry entry = Entry(2);
  entry.Submitted(RingCommand::kRegister);
  ring.PrepareCommand(entry);
  const std::vector<Completion> done = Reap(ring, 1);
  EXPECT_EQ(done.front().data.kind, CompletionKind::kCommand);
  EXPECT_EQ(done.front().data.entry, 2u);
  EXPECT_EQ(JudgeCommand(entry.command(), done.front().res), CommandVerdict::kBroken)
      << done.front().res;
}

TEST(SharedRegion, RefusesMemoryThatCannotBeWritten) {
  constexpr size_t kBytes = 8192;
  void* const nothing = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(nothing, MAP_FAILED);
  {
    SharedRegion region;
    const Outcome outcome = region.Register({static_cast<std::byte*>(nothing), kBytes}, 0);
    EXPECT_FALSE(outcome.ok());
  }
  munmap(nothing, kBytes);
}

}  // namespace
}  // namespace shuntfs
