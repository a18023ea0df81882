// A FUSE connection and a ring, bare: for tests of what the kernel does with single commands and
// requests.
//
// Each test mounts a connection of its own, since a wrong command may spoil it for good. Needs root
// and enable_uring; runs on any kernel from 6.14 on.
//
// Floor: tests. Of the thread that runs the test.
#ifndef SHUNTFS_TESTS_GUEST_RING_FIXTURE_H_
#define SHUNTFS_TESTS_GUEST_RING_FIXTURE_H_

#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/uio.h>

#include <array>
#include <climits>
#include <cstdint>
#include <functional>
#include <string>

#include "core/protocol/abi.h"

namespace shuntfs {

constexpr size_t kHeaderBytes = 288;
constexpr uint16_t kMaxPages = 16;
constexpr size_t kPayloadBytes = kMaxPages * size_t{4096};
constexpr uint32_t kOnBuffer = 1;  // IORING_URING_CMD_FIXED
constexpr int kPending = INT_MAX;  // no result yet: the command waits for a request

// Memory for headers and payloads, which stays mapped: the kernel may hold on to it.
std::byte* Memory(size_t bytes);

class RingFixture : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // A ring in place of the one there is.
  bool OpenRing(unsigned flags);

  // Mounts on a directory of its own and reads INIT.
  void Mount();
  void AnswerInit(uint64_t flags = abi::kInitOverIoUring);
  void Start() {
    Mount();
    AnswerInit();
  }

  // INIT offers the commands of Linux 7.3.
  bool HasPools() const { return (offered_ & abi::kInitHasIoUringBufpool) != 0; }

  // A file of the connection in fusectl; ends the test when that cannot be mounted.
  std::string ControlFile(const std::string& name);

  // Submits a command; its user_data is then `commands_`.
  void Submit(uint32_t op, const std::function<void(io_uring_sqe*)>& fill);
  // And gives its result, or kPending.
  int Run(uint32_t op, const std::function<void(io_uring_sqe*)>& fill = nullptr);
  // Waits until the next command has a result; kPending when it has none for a minute. `command`
  // becomes its user_data.
  int AwaitResult(uint64_t* command = nullptr);

  template <typename T = abi::UringCmdReq>
  static T* Area(io_uring_sqe* sqe) {
    return reinterpret_cast<T*>(sqe->cmd);
  }

  int fd_ = -1;
  io_uring ring_{};
  std::string directory_;
  uint64_t offered_ = 0;
  uint64_t commands_ = 0;  // the last one's user_data

 private:
  int Result(uint64_t command);

  bool ring_open_ = false;
  std::string control_;  // where fusectl is mounted
  uint64_t unique_ = 0;
  uint32_t minor_ = 0;
};

}  // namespace shuntfs

#endif  // SHUNTFS_TESTS_GUEST_RING_FIXTURE_H_
