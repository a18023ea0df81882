// A socket that keeps messages apart stands in for /dev/fuse.
#include "io/fuse_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace shuntfs {
namespace {

constexpr uint32_t kMaxPayload = 64 << 10;

class FuseDeviceTest : public ::testing::Test {
 protected:
  FuseDeviceTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    kernel_.reset(ends[0]);
    daemon_.reset(ends[1]);
    Result<FuseDevice> device = FuseDevice::Create(daemon_.get(), kMaxPayload);
    EXPECT_TRUE(device.ok());
    device_ = std::make_unique<FuseDevice>(std::move(*device));
  }

  // The reply that the kernel would see.
  std::string Received() {
    std::string message(kMaxPayload + 8192, '\0');
    const ssize_t n = read(kernel_.get(), message.data(), message.size());
    EXPECT_GE(n, 0) << strerror(errno);
    message.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return message;
  }
  static abi::OutHeader HeaderOf(const std::string& message) {
    abi::OutHeader header{};
    EXPECT_GE(message.size(), sizeof(header));
    std::memcpy(&header, message.data(), sizeof(header));
    return header;
  }

  UniqueFd kernel_;
  UniqueFd daemon_;
  std::unique_ptr<FuseDevice> device_;
};

TEST_F(FuseDeviceTest, ReadsOneMessageAtATime) {
  ASSERT_EQ(write(kernel_.get(), "first", 5), 5);
  ASSERT_EQ(write(kernel_.get(), "second", 6), 6);
  for (const std::string expected : {"first", "second"}) {
    const auto message = device_->Read();
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(message->data()), message->size()),
              expected);
  }
  const auto nothing = device_->Read();
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error(), Errno(EAGAIN));
}

TEST_F(FuseDeviceTest, HasRoomForTheLargestRequest) {
  const size_t largest = sizeof(abi::InHeader) + sizeof(abi::WriteIn) + kMaxPayload;
  std::vector<char> message(largest, 'x');
  message.back() = 'y';
  ASSERT_EQ(write(kernel_.get(), message.data(), message.size()), static_cast<ssize_t>(largest));
  const auto read = device_->Read();
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), largest);
  EXPECT_EQ(read->back(), std::byte{'y'});
  // The kernel reads nothing into less than max_write and its headers, and never into less than 8
  // KiB.
  const Result<FuseDevice> small = FuseDevice::Create(daemon_.get(), 4096);
  ASSERT_TRUE(small.ok());
}

TEST_F(FuseDeviceTest, RepliesWithHeaderAndArgumentsInOneMessage) {
  const std::span<std::byte> area = device_->reply_area();
  ASSERT_EQ(area.size(), kMaxPayload);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(area.data()) % 4096, 0u);
  for (const size_t bytes : {size_t{0}, size_t{5}, size_t{kMaxPayload}}) {
    std::memset(area.data(), 'p', area.size());
    ASSERT_TRUE(device_->Reply(99, Action::Reply(bytes)).ok());
    const std::string message = Received();
    EXPECT_EQ(message.size(), sizeof(abi::OutHeader) + bytes);
    EXPECT_EQ(HeaderOf(message).len, message.size());
    EXPECT_EQ(HeaderOf(message).unique, 99u);
    EXPECT_EQ(HeaderOf(message).error, 0);
    EXPECT_EQ(message.substr(sizeof(abi::OutHeader)), std::string(bytes, 'p'));
  }
}

TEST_F(FuseDeviceTest, AnErrorCarriesNothing) {
  Action action = Action::Error(Errno(ENOTEMPTY));
  action.reply_bytes = 16;
  ASSERT_TRUE(device_->Reply(7, action).ok());
  const std::string message = Received();
  EXPECT_EQ(message.size(), sizeof(abi::OutHeader));
  EXPECT_EQ(HeaderOf(message).error, -ENOTEMPTY);
  EXPECT_EQ(HeaderOf(message).unique, 7u);
}

TEST_F(FuseDeviceTest, ARequestSurvivesItsReply) {
  ASSERT_EQ(write(kernel_.get(), "request", 7), 7);
  const auto message = device_->Read();
  ASSERT_TRUE(message.ok());
  std::memset(device_->reply_area().data(), 0, device_->reply_area().size());
  ASSERT_TRUE(device_->Reply(1, Action::Reply(8)).ok());
  EXPECT_EQ(std::memcmp(message->data(), "request", 7), 0);
}

TEST_F(FuseDeviceTest, TellsWhenNobodyListens) {
  const UniqueFd read_only(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Result<FuseDevice> deaf = FuseDevice::Create(read_only.get(), 4096);
  ASSERT_TRUE(deaf.ok());
  EXPECT_EQ(deaf->Reply(1, Action::Reply()).error(), Errno(EBADF));
  Result<FuseDevice> closed = FuseDevice::Create(-1, 4096);
  ASSERT_TRUE(closed.ok());
  EXPECT_EQ(closed->Read().error(), Errno(EBADF));
}

TEST(FuseDeviceClone, NeedsAConnection) {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) GTEST_SKIP() << "/dev/fuse: " << strerror(errno);
  EXPECT_FALSE(FuseDevice::Clone(device.get()).ok()) << "it is not mounted";
  const UniqueFd other(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(FuseDevice::Clone(other.get()).ok());
}

}  // namespace
}  // namespace shuntfs
