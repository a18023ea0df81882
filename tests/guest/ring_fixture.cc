#include "tests/guest/ring_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace shuntfs {
namespace {

std::string MakeDirectory() {
  const char* base = getenv("TMPDIR");
  std::string path = std::string(base != nullptr ? base : "/tmp") + "/ring_commands.XXXXXX";
  return mkdtemp(path.data()) != nullptr ? path : std::string();
}

void RemoveMount(const std::string& directory) {
  if (directory.empty()) return;
  umount2(directory.c_str(), MNT_DETACH);
  rmdir(directory.c_str());
}

}  // namespace

std::byte* Memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

void RingFixture::SetUp() {
  std::string enabled;
  std::ifstream("/sys/module/fuse/parameters/enable_uring") >> enabled;
  if (getuid() != 0 || enabled != "Y") GTEST_SKIP() << "needs root and enable_uring=Y";
  fd_ = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd_, 0);
  ASSERT_TRUE(OpenRing(IORING_SETUP_SQE128));
}

void RingFixture::TearDown() {
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (fd_ >= 0) close(fd_);
  RemoveMount(directory_);
  RemoveMount(control_);
}

bool RingFixture::OpenRing(unsigned flags) {
  if (ring_open_) io_uring_queue_exit(&ring_);
  io_uring_params params{};
  params.flags = flags;
  ring_open_ = io_uring_queue_init_params(256, &ring_, &params) == 0;
  return ring_open_;
}

void RingFixture::Mount() {
  directory_ = MakeDirectory();
  ASSERT_FALSE(directory_.empty());
  const std::string options = "fd=" + std::to_string(fd_) + ",rootmode=40000,user_id=0,group_id=0";
  const int rc =
      mount("ring_commands", directory_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str());
  ASSERT_EQ(rc, 0) << std::strerror(errno);
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

void RingFixture::AnswerInit(uint64_t flags) {
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

std::string RingFixture::ControlFile(const std::string& name) {
  if (control_.empty()) {
    control_ = MakeDirectory();
    EXPECT_EQ(mount("fusectl", control_.c_str(), "fusectl", 0, nullptr), 0) << std::strerror(errno);
  }
  std::ifstream table("/proc/self/mountinfo");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string id, parent, device, root, where;
    fields >> id >> parent >> device >> root >> where;
    if (where == directory_)
      return control_ + "/" + device.substr(device.find(':') + 1) + "/" + name;
  }
  return "";
}

void RingFixture::Submit(uint32_t op, const std::function<void(io_uring_sqe*)>& fill) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  std::memset(sqe, 0, (ring_.flags & IORING_SETUP_SQE128) != 0 ? 128 : 64);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->fd = fd_;
  sqe->cmd_op = op;
  sqe->user_data = ++commands_;
  if (fill) fill(sqe);
  io_uring_submit(&ring_);
}

int RingFixture::Run(uint32_t op, const std::function<void(io_uring_sqe*)>& fill) {
  Submit(op, fill);
  return Result(commands_);
}

// What the kernel refuses, it refuses while it is submitted.
int RingFixture::Result(uint64_t command) {
  io_uring_get_events(&ring_);
  io_uring_cqe* cqe = nullptr;
  if (io_uring_peek_cqe(&ring_, &cqe) != 0 || cqe->user_data != command) return kPending;
  const int result = cqe->res;
  io_uring_cqe_seen(&ring_, cqe);
  return result;
}

int RingFixture::AwaitResult(uint64_t* command) {
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec timeout{.tv_sec = 60, .tv_nsec = 0};
  if (io_uring_wait_cqe_timeout(&ring_, &cqe, &timeout) < 0) return kPending;
  const int result = cqe->res;
  if (command != nullptr) *command = cqe->user_data;
  io_uring_cqe_seen(&ring_, cqe);
  return result;
}

}  // namespace shuntfs
