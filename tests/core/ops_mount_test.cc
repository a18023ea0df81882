// STATFS, SYNCFS, IOCTL, INTERRUPT, DESTROY.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "core/interrupts.h"
#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

abi::IoctlIn Control(uint64_t fh, uint64_t command, uint32_t in_bytes, uint32_t out_bytes) {
  abi::IoctlIn in{};
  in.fh = fh;
  in.cmd = static_cast<uint32_t>(command);
  in.in_size = in_bytes;
  in.out_size = out_bytes;
  return in;
}

TEST(Statfs, IsTheBackingFileSystems) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(Answered(client.Send(Opcode::kStatfs, kRoot), sizeof(abi::StatfsOut)));
  const abi::Kstatfs st = client.Reply<abi::StatfsOut>().st;
  struct statfs native;
  ASSERT_EQ(statfs(tree.path().c_str(), &native), 0);
  EXPECT_EQ(st.blocks, native.f_blocks);
  EXPECT_EQ(st.files, native.f_files);
  EXPECT_EQ(st.bsize, native.f_bsize);
  EXPECT_EQ(st.frsize, native.f_frsize);
  EXPECT_EQ(st.namelen, native.f_namelen);
}

TEST(Syncfs, IsDoneWhereItMayWait) {
  TempTree tree;
  Client client(tree.path());
  client.SetMayBlock(true);
  EXPECT_TRUE(Answered(client.Send(Opcode::kSyncfs, kRoot, abi::SyncfsIn{}), 0));
}

class IoctlTest : public ::testing::Test {
 protected:
  IoctlTest() {
    tree_.File("f");
    node_ = client_.Lookup(kRoot, "f");
    fh_ = client_.Open(node_, O_RDONLY);
  }
  Action Send(const abi::IoctlIn& in, std::string_view argument = {}) {
    return client_.Send(Opcode::kIoctl, node_, in, argument);
  }

  TempTree tree_;
  Client client_{tree_.path()};
  uint64_t node_ = 0;
  uint64_t fh_ = 0;
};

TEST_F(IoctlTest, ReadsAndChangesFileAttributes) {
  const Action action = Send(Control(fh_, FS_IOC_GETFLAGS, 0, sizeof(long)));
  if (action.error == Errno(ENOTTY)) GTEST_SKIP() << "no file attributes on " << tree_.path();
  EXPECT_TRUE(Answered(action, sizeof(abi::IoctlOut) + sizeof(long)));
  EXPECT_EQ(client_.Reply<abi::IoctlOut>().result, 0);
  const auto flags = client_.Reply<uint32_t>(sizeof(abi::IoctlOut)) | FS_NOATIME_FL;
  EXPECT_TRUE(Answered(
      Send(Control(fh_, FS_IOC_SETFLAGS, sizeof(long), 0), Bytes(static_cast<long>(flags))),
      sizeof(abi::IoctlOut)));
  int native = 0;
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  ASSERT_EQ(ioctl(file.get(), FS_IOC_GETFLAGS, &native), 0);
  EXPECT_NE(native & FS_NOATIME_FL, 0);
}

// The kernel passes these numbers on without a check of the caller.
TEST_F(IoctlTest, The32BitNumbersChangeNothing) {
  const UniqueFd file = tree_.Open("f", O_RDONLY);
  int before = 0;
  if (ioctl(file.get(), FS_IOC_GETFLAGS, &before) != 0)
    GTEST_SKIP() << "no file attributes on " << tree_.path();
  EXPECT_TRUE(
      Refused(Send(Control(fh_, FS_IOC32_SETFLAGS, sizeof(int), 0), Bytes(before | FS_NOATIME_FL)),
              ENOTTY));
  EXPECT_TRUE(Refused(Send(Control(fh_, FS_IOC32_GETFLAGS, 0, sizeof(int))), ENOTTY));
  int after = 0;
  ASSERT_EQ(ioctl(file.get(), FS_IOC_GETFLAGS, &after), 0);
  EXPECT_EQ(after, before);
}

TEST_F(IoctlTest, AnswersEnottyToAllOthers) {
  EXPECT_TRUE(Refused(Send(Control(fh_, FIGETBSZ, 0, sizeof(int))), ENOTTY));
  EXPECT_TRUE(Refused(Send(Control(fh_, FICLONE, sizeof(int), 0), Bytes(int{0})), ENOTTY));
  EXPECT_TRUE(Refused(Send(Control(fh_, 0, 0, 0)), ENOTTY));
  abi::IoctlIn unrestricted = Control(fh_, FS_IOC_GETFLAGS, 0, sizeof(long));
  unrestricted.flags = abi::kIoctlUnrestricted;
  EXPECT_TRUE(Refused(Send(unrestricted), ENOTTY));
}

TEST_F(IoctlTest, BelievesNoSizeThatDoesNotFit) {
  EXPECT_TRUE(Refused(Send(Control(fh_, FS_IOC_SETFLAGS, 65, 0), std::string(65, 'x')), EINVAL));
  EXPECT_TRUE(Refused(Send(Control(fh_, FS_IOC_GETFLAGS, 0, 65)), EINVAL));
  EXPECT_TRUE(Refused(Send(Control(fh_, FS_IOC_SETFLAGS, 8, 0), "1234567"), EINVAL))
      << "more than was sent";
  client_.SetReplyRoom(sizeof(abi::IoctlOut) + 7);
  const Action action = Send(Control(fh_, FS_IOC_GETFLAGS, 0, 8));
  EXPECT_TRUE(action.error == Errno(EIO) || action.error == Errno(ENOTTY)) << action.error.value();
}

TEST(Interrupt, ReachesTheRequestItNames) {
  TempTree tree;
  Client client(tree.path());
  const Interrupts::Watch watch(client.fs().interrupts(), Unique(1234));
  EXPECT_EQ(client.Send(Opcode::kInterrupt, 0, abi::InterruptIn{1235}).kind,
            Action::Kind::kNoReply);
  EXPECT_FALSE(watch.interrupted());
  EXPECT_EQ(client.Send(Opcode::kInterrupt, 0, abi::InterruptIn{1234}).kind,
            Action::Kind::kNoReply);
  EXPECT_TRUE(watch.interrupted());
}

TEST(Destroy, IsAnswered) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(Answered(client.Send(Opcode::kDestroy, 0), 0));
}

}  // namespace
}  // namespace shuntfs
