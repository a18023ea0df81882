// What the kernel answers to commands of FUSE over io_uring, right ones and wrong ones: what
// docs/kernel_interface.md says of them, and what io/completion.cc is made for.
//
// Cases of the commands of Linux 7.3 are skipped where INIT does not offer those.
//
// Floor: tests.
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/guest/ring_fixture.h"

namespace shuntfs {
namespace {

class Commands : public RingFixture {
 protected:
  void SetUp() override {
    RingFixture::SetUp();
    header_ = Memory(4096);
    payload_ = Memory(4 * kPayloadBytes);
    ASSERT_TRUE(header_ != nullptr && payload_ != nullptr);
  }

  int Register(size_t header_bytes = kHeaderBytes, size_t payload_bytes = kPayloadBytes,
               uint16_t qid = 0) {
    iov_ = {iovec{header_, header_bytes},
            iovec{payload_bytes != 0 ? payload_ : nullptr, payload_bytes}};
    return Run(abi::kUringCmdRegister, [this, qid](io_uring_sqe* sqe) {
      sqe->addr = reinterpret_cast<uint64_t>(iov_.data());
      sqe->len = 2;
      Area(sqe)->qid = qid;
    });
  }

  int AddQueue(uint16_t qid = 0, uint64_t flags = 0) {
    return Run(abi::kUringCmdAddQueue, [qid, flags](io_uring_sqe* sqe) {
      Area(sqe)->qid = qid;
      Area(sqe)->flags = flags;
    });
  }

  int AddPool(size_t bytes, uint32_t reserved = 0, bool registered = false) {
    return Run(abi::kUringCmdAddBufpool, [this, bytes, reserved, registered](io_uring_sqe* sqe) {
      Area(sqe)->bufpool_uaddr = reinterpret_cast<uint64_t>(payload_);
      Area(sqe)->bufpool_len = static_cast<uint32_t>(bytes);
      Area(sqe)->bufpool_reserved = reserved;
      if (registered) sqe->rw_flags = kOnBuffer;
    });
  }

  int Commit(uint64_t id, uint16_t qid = 0) {
    return Run(abi::kUringCmdCommitAndFetch, [id, qid](io_uring_sqe* sqe) {
      Area(sqe)->commit_id = id;
      Area(sqe)->qid = qid;
    });
  }

  // After a wrong REGISTER Linux 7.3 takes no other; 6.18 only that one was refused.
  void ExpectSpoilt() { EXPECT_EQ(Register(), HasPools() ? -EOPNOTSUPP : kPending); }

  std::byte* header_ = nullptr;
  std::byte* payload_ = nullptr;
  std::array<iovec, 2> iov_{};
};

constexpr uint16_t kNoSuchCpu = 0xfff0;

TEST_F(Commands, WithoutAMount) { EXPECT_EQ(Register(), -EPERM); }

// io_uring takes "again" for "on a kernel worker", and gives it back only when that says it, too.
TEST_F(Commands, BeforeInitIsAnswered) {
  Mount();
  const int at_once = Register();
  EXPECT_EQ(at_once == kPending ? AwaitResult() : at_once, -EAGAIN);
}

TEST_F(Commands, WithoutTheFlagInTheReplyToInit) {
  Mount();
  AnswerInit(0);
  EXPECT_EQ(Register(), HasPools() ? -EOPNOTSUPP : kPending);
}

TEST_F(Commands, OnARingOfShortEntries) {
  Start();
  ASSERT_TRUE(OpenRing(0));
  EXPECT_EQ(AddQueue(), -EINVAL);
  EXPECT_EQ(Commit(1), -EINVAL);
}

TEST_F(Commands, AnUnknownOneDoesNoHarm) {
  Start();
  EXPECT_EQ(Run(99), -EINVAL);
  EXPECT_EQ(Register(), kPending);
}

TEST_F(Commands, RegisterNeedsTheWholeHeader) {
  Start();
  EXPECT_EQ(Register(kHeaderBytes), kPending);
  EXPECT_EQ(Register(kHeaderBytes - 1), -EINVAL);
  ExpectSpoilt();
}

TEST_F(Commands, RegisterNeedsRoomForTheLargestRequest) {
  Start();
  EXPECT_EQ(Register(kHeaderBytes, kPayloadBytes - 1), -EINVAL);
  ExpectSpoilt();
}

TEST_F(Commands, RegisterNeedsACpuThatIsPossible) {
  Start();
  EXPECT_EQ(Register(kHeaderBytes, kPayloadBytes, kNoSuchCpu), -EINVAL);
  ExpectSpoilt();
}

TEST_F(Commands, CommitOfNothing) {
  Start();
  EXPECT_EQ(Commit(1), -ENOTCONN) << "no entry yet, so no queue";
  EXPECT_EQ(Register(), kPending);
  EXPECT_EQ(Commit(1, kNoSuchCpu), -EINVAL);
  EXPECT_EQ(Commit(1), -ENOENT);
  EXPECT_EQ(Register(), kPending) << "it did no harm";
}

TEST_F(Commands, UnmountGivesTheEntriesBack) {
  Start();
  EXPECT_EQ(Register(), kPending);
  ASSERT_EQ(umount2(directory_.c_str(), MNT_DETACH), 0);
  EXPECT_EQ(AwaitResult(), -ENOTCONN);
  std::array<std::byte, 1 << 17> message;
  EXPECT_EQ(read(fd_, message.data(), message.size()), -1);
  EXPECT_EQ(errno, ENODEV);
  EXPECT_EQ(Commit(1), -ENOTCONN);
}

TEST_F(Commands, AbortGivesTheEntriesBack) {
  Start();
  EXPECT_EQ(Register(), kPending);
  std::ofstream(ControlFile("abort")) << "1";
  EXPECT_EQ(AwaitResult(), -ENOTCONN);
  EXPECT_EQ(Commit(1), -ENOTCONN);
}

// ---- Linux 7.3 ----

TEST_F(Commands, PoolsAndQueuesAreUnknownWhereInitDoesNotOfferThem) {
  Start();
  if (HasPools()) GTEST_SKIP() << "they are offered";
  EXPECT_EQ(AddQueue(), -EINVAL);
  EXPECT_EQ(AddPool(kPayloadBytes), -EINVAL);
  EXPECT_EQ(Register(), kPending) << "they did no harm";
}

class Pools : public Commands {
 protected:
  void SetUp() override {
    Commands::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Start();
    if (!HasPools()) GTEST_SKIP() << "Linux 7.3 has them";
  }
};

TEST_F(Pools, WrongQueuesDoNoHarm) {
  EXPECT_EQ(AddQueue(kNoSuchCpu), -EINVAL);
  EXPECT_EQ(AddQueue(0, 1U << 5), -EINVAL) << "an unknown flag";
  EXPECT_EQ(AddQueue(), 0);
  EXPECT_EQ(AddQueue(), -EEXIST);
  EXPECT_EQ(Register(), kPending);
}

TEST_F(Pools, RegisterMakesAPlainQueueItself) {
  EXPECT_EQ(Register(), kPending);
  EXPECT_EQ(AddQueue(), -EEXIST);
  EXPECT_EQ(AddPool(kPayloadBytes), -EINVAL) << "its entries have payloads of their own";
}

TEST_F(Pools, WrongPoolsDoNoHarm) {
  EXPECT_EQ(AddPool(kPayloadBytes), -EINVAL) << "there is no queue";
  EXPECT_EQ(AddQueue(), 0);
  EXPECT_EQ(AddPool(kPayloadBytes - 1), -EINVAL) << "room for less than one request";
  EXPECT_EQ(AddPool(kPayloadBytes, 1), -EINVAL) << "what is reserved must be 0";
  EXPECT_EQ(AddPool(2 * kPayloadBytes), 0);
  EXPECT_EQ(AddPool(kPayloadBytes), -EINVAL) << "there is one";
  EXPECT_EQ(Register(kHeaderBytes, 0), kPending);
}

TEST_F(Pools, TheRegisteredBufferIsNotLookedAtYet) {
  EXPECT_EQ(AddQueue(), 0);
  EXPECT_EQ(AddPool(kPayloadBytes, 0, /*registered=*/true), 0) << "nothing is registered";
}

TEST_F(Pools, EntriesOfAPoolHaveNoPayload) {
  EXPECT_EQ(AddQueue(), 0);
  EXPECT_EQ(AddPool(kPayloadBytes), 0);
  EXPECT_EQ(Register(), -EINVAL);
  EXPECT_EQ(Register(kHeaderBytes, 0), -EOPNOTSUPP) << "right, but the connection is spoilt";
}

TEST_F(Pools, EntriesOfARegisteredPoolNameItsBuffer) {
  EXPECT_EQ(AddQueue(), 0);
  EXPECT_EQ(AddPool(kPayloadBytes, 0, /*registered=*/true), 0);
  EXPECT_EQ(Register(kHeaderBytes, 0), -EINVAL);
  ExpectSpoilt();
}

TEST_F(Pools, NothingIsTakenOfASpoiltConnection) {
  EXPECT_EQ(Register(), kPending);
  EXPECT_EQ(Register(kHeaderBytes - 1), -EINVAL);
  EXPECT_EQ(Commit(1), -EOPNOTSUPP);
  EXPECT_EQ(AddQueue(1), -EOPNOTSUPP);
}

TEST_F(Pools, ZeroCopyQueuesTakeCapSysAdmin) {
  int refused = kPending;
  int plain = kPending;
  int granted = kPending;
  // Capabilities are a thread's own; libc has no call for them.
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct all[2]{};
    syscall(SYS_capget, &header, all);
    __user_cap_data_struct fewer[2] = {all[0], all[1]};
    fewer[0].effective &= ~(1U << CAP_SYS_ADMIN);
    syscall(SYS_capset, &header, fewer);
    refused = AddQueue(0, abi::kUringZeroCopy);
    plain = AddQueue(0);
    syscall(SYS_capset, &header, all);
    granted = AddQueue(1, abi::kUringZeroCopy);
  }).join();
  EXPECT_EQ(refused, -EPERM);
  EXPECT_EQ(plain, 0) << "and it did no harm";
  EXPECT_EQ(granted, sysconf(_SC_NPROCESSORS_CONF) > 1 ? 0 : -EINVAL);
}

}  // namespace
}  // namespace shuntfs
