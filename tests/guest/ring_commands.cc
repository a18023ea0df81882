// What the kernel answers to commands of FUSE over io_uring, right ones and wrong ones: what
// docs/kernel_interface.md says of them, and what io/completion.cc is made for.
//
// Each case mounts a connection of its own, since a wrong command may spoil it for good. Needs root
// and enable_uring; runs on any kernel from 6.14 on. Cases of the commands of Linux 7.3 are skipped
// where INIT does not offer those.
//
// Floor: tests.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/protocol/abi.h"

namespace shuntfs {
namespace {

constexpr size_t kHeaderBytes = 288;
constexpr uint16_t kMaxPages = 16;
constexpr size_t kPayloadBytes = kMaxPages * size_t{4096};
constexpr uint32_t kOnBuffer = 1;  // IORING_URING_CMD_FIXED
constexpr int kPending = 1;        // a command that waits for a request; results are 0 or negative

// Memory for a header and payloads, which stays mapped: the kernel may hold on to it.
std::byte* Memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string enabled;
    std::ifstream("/sys/module/fuse/parameters/enable_uring") >> enabled;
    if (getuid() != 0 || enabled != "Y") GTEST_SKIP() << "needs root and enable_uring=Y";
    fd_ = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd_, 0);
    ASSERT_TRUE(OpenRing(IORING_SETUP_SQE128));
    header_ = Memory(4096);
    payload_ = Memory(4 * kPayloadBytes);
    ASSERT_TRUE(header_ != nullptr && payload_ != nullptr);
  }

  void TearDown() override {
    if (ring_open_) io_uring_queue_exit(&ring_);
    if (fd_ >= 0) close(fd_);
    if (!directory_.empty()) {
      umount2(directory_.c_str(), MNT_DETACH);
      rmdir(directory_.c_str());
    }
  }

  bool OpenRing(unsigned flags) {
    if (ring_open_) io_uring_queue_exit(&ring_);
    io_uring_params params{};
    params.flags = flags;
    ring_open_ = io_uring_queue_init_params(8, &ring_, &params) == 0;
    return ring_open_;
  }

  void Mount() {
    const char* base = getenv("TMPDIR");
    directory_ = std::string(base != nullptr ? base : "/tmp") + "/ring_commands.XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    const std::string options =
        "fd=" + std::to_string(fd_) + ",rootmode=40000,user_id=0,group_id=0";
    ASSERT_EQ(
        mount("ring_commands", directory_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()),
        0)
        << std::strerror(errno);
    struct {
      abi::InHeader header;
      abi::InitIn init;
      std::array<std::byte, 1 << 17> rest;
    } message{};
    ASSERT_GE(read(fd_, &message, sizeof(message)),
              static_cast<ssize_t>(sizeof(abi::InHeader) + sizeof(abi::InitIn)));
    unique_ = message.header.unique;
    offered_ = message.init.flags | uint64_t{message.init.flags2} << 32;
    minor_ = message.init.minor;
  }

  void AnswerInit(uint64_t flags = abi::kInitOverIoUring) {
    struct {
      abi::OutHeader header;
      abi::InitOut init;
    } reply{};
    flags |= abi::kInitExt | abi::kInitMaxPages;
    reply.header.len = sizeof(reply);
    reply.header.unique = unique_;
    reply.init.major = 7;
    reply.init.minor = minor_;
    reply.init.flags = static_cast<uint32_t>(flags);
    reply.init.flags2 = static_cast<uint32_t>(flags >> 32);
    reply.init.max_write = kPayloadBytes;
    reply.init.max_pages = kMaxPages;
    ASSERT_EQ(write(fd_, &reply, sizeof(reply)), static_cast<ssize_t>(sizeof(reply)));
  }

  void Start() {
    Mount();
    AnswerInit();
  }

  bool HasPools() const { return (offered_ & abi::kInitHasIoUringBufpool) != 0; }

  // The command's result, or kPending.
  int Run(uint32_t op, const std::function<void(io_uring_sqe*)>& fill = nullptr) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    std::memset(sqe, 0, (ring_.flags & IORING_SETUP_SQE128) != 0 ? 128 : 64);
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->fd = fd_;
    sqe->cmd_op = op;
    sqe->user_data = ++commands_;
    if (fill) fill(sqe);
    io_uring_submit(&ring_);
    return Result(commands_);
  }

  // What the kernel refuses, it refuses while it is submitted.
  int Result(uint64_t command) {
    io_uring_get_events(&ring_);
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
      const int result = cqe->res;
      const bool wanted = cqe->user_data == command;
      io_uring_cqe_seen(&ring_, cqe);
      if (wanted) return result;
    }
    return kPending;
  }

  // Waits until the pending command has a result.
  int AwaitResult() {
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec timeout{.tv_sec = 60, .tv_nsec = 0};
    if (const int rc = io_uring_wait_cqe_timeout(&ring_, &cqe, &timeout); rc < 0) return kPending;
    const int result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    return result;
  }

  template <typename T = abi::UringCmdReq>
  static T* Area(io_uring_sqe* sqe) {
    return reinterpret_cast<T*>(sqe->cmd);
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

  // The connection's number in /sys/fs/fuse/connections.
  std::string Connection() {
    std::ifstream table("/proc/self/mountinfo");
    std::string line;
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      std::string id, parent, device, root, where;
      fields >> id >> parent >> device >> root >> where;
      if (where == directory_) return device.substr(device.find(':') + 1);
    }
    return "";
  }

  int fd_ = -1;
  io_uring ring_{};
  bool ring_open_ = false;
  std::string directory_;
  uint64_t unique_ = 0;
  uint64_t offered_ = 0;
  uint32_t minor_ = 0;
  uint64_t commands_ = 0;
  std::byte* header_ = nullptr;
  std::byte* payload_ = nullptr;
  std::array<iovec, 2> iov_{};
};

constexpr uint16_t kNoSuchCpu = 0xfff0;

TEST_F(Commands, WithoutAMount) { EXPECT_EQ(Register(), -EPERM); }

// io_uring takes "again" for "on a kernel worker", and gives it back only when that says it, too.
TEST_F(Commands, BeforeInitIsAnswered) {
  Mount();
  EXPECT_EQ(Register(), kPending);
  EXPECT_EQ(AwaitResult(), -EAGAIN);
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
  const std::string path = "/sys/fs/fuse/connections/" + Connection() + "/abort";
  if (access(path.c_str(), W_OK) != 0) GTEST_SKIP() << "fusectl is not mounted";
  std::ofstream(path) << "1";
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
