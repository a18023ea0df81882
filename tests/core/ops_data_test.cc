// READ, WRITE, FSYNC, FALLOCATE, LSEEK, COPY_FILE_RANGE.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <unistd.h>

#include <string>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

class DataTest : public ::testing::Test {
 protected:
  static FileSystemOptions Options() {
    FileSystemOptions options = Client::Unprivileged();
    options.read_policy = PolicyWish::kFixed;
    options.write_policy = PolicyWish::kPlain;
    return options;
  }

  uint64_t OpenFileNamed(const std::string& name, int flags) {
    node_ = client_.Lookup(kRoot, name);
    return client_.Open(node_, static_cast<uint32_t>(flags));
  }
  int BackingFd(uint64_t fh) { return client_.fs().handles().Find(FileHandle(fh))->fd.get(); }
  bool LocalBacking() { return !client_.fs().inodes().root()->device().may_block; }

  Action Write(uint64_t fh, const std::string& data, uint32_t flags = 0, uint32_t write_flags = 0) {
    abi::WriteIn in{};
    in.fh = fh;
    in.offset = 3000;
    in.size = static_cast<uint32_t>(data.size());
    in.flags = flags;
    in.write_flags = write_flags;
    return client_.Send(Opcode::kWrite, node_, in, data);
  }

  TempTree tree_;
  Client client_{tree_.path(), Options()};
  uint64_t node_ = 0;
};

TEST_F(DataTest, ReadDescribesItsTransfer) {
  tree_.File("f", "content");
  const uint64_t fh = OpenFileNamed("f", O_RDONLY);
  abi::ReadIn in{};
  in.fh = fh;
  in.offset = uint64_t{6} << 32;
  in.size = 4096;
  const Action action = client_.Send(Opcode::kRead, node_, in);
  ASSERT_EQ(action.kind, Action::Kind::kTransfer);
  EXPECT_EQ(action.transfer.kind, Transfer::Kind::kRead);
  EXPECT_EQ(action.transfer.policy, IoPolicy::kFixed);
  EXPECT_EQ(action.transfer.fd, BackingFd(fh));
  EXPECT_EQ(action.transfer.offset, uint64_t{6} << 32);
  EXPECT_EQ(action.transfer.bytes, 4096u);
  EXPECT_EQ(action.transfer.rw_flags, 0);
  EXPECT_EQ(action.transfer.may_block, !LocalBacking());
}

TEST_F(DataTest, ReadOfMoreThanFitsIsRefused) {
  tree_.File("f");
  abi::ReadIn in{};
  in.fh = OpenFileNamed("f", O_RDONLY);
  in.size = 4097;
  client_.SetReplyRoom(4096);
  EXPECT_TRUE(Refused(client_.Send(Opcode::kRead, node_, in), EINVAL));
  in.size = 4096;
  EXPECT_EQ(client_.Send(Opcode::kRead, node_, in).kind, Action::Kind::kTransfer);
}

TEST_F(DataTest, WriteDescribesItsTransfer) {
  if (!LocalBacking()) GTEST_SKIP() << tree_.path() << " is on a file system that may block";
  tree_.File("f");
  const uint64_t fh = OpenFileNamed("f", O_WRONLY);
  const Action action = Write(fh, "12345");
  ASSERT_EQ(action.kind, Action::Kind::kTransfer);
  EXPECT_EQ(action.transfer.kind, Transfer::Kind::kWrite);
  EXPECT_EQ(action.transfer.policy, IoPolicy::kPlain);
  EXPECT_FALSE(action.transfer.may_block);
  EXPECT_FALSE(action.transfer.strips_suid);
  EXPECT_EQ(action.transfer.fd, BackingFd(fh));
  EXPECT_EQ(action.transfer.offset, 3000u);
  EXPECT_EQ(action.transfer.bytes, 5u);
  EXPECT_EQ(action.transfer.rw_flags, 0);
}

TEST_F(DataTest, WriteOfMoreThanWasSentIsRefused) {
  tree_.File("f");
  abi::WriteIn in{};
  in.fh = OpenFileNamed("f", O_WRONLY);
  in.size = 6;
  EXPECT_TRUE(Refused(client_.Send(Opcode::kWrite, node_, in, "12345"), EINVAL));
}

TEST_F(DataTest, WriteAppendsUnlessItIsWrittenBack) {
  tree_.File("f");
  const uint64_t fh = OpenFileNamed("f", O_WRONLY | O_APPEND);
  EXPECT_EQ(Write(fh, "x", O_WRONLY | O_APPEND).transfer.rw_flags, RWF_APPEND);
  EXPECT_EQ(Write(fh, "x", O_WRONLY | O_APPEND, abi::kWriteCache).transfer.rw_flags, 0);
  EXPECT_EQ(Write(fh, "x", O_WRONLY).transfer.rw_flags, 0);
}

TEST_F(DataTest, WriteStripsSuidWhenTheKernelSays) {
  tree_.File("f");
  const uint64_t fh = OpenFileNamed("f", O_WRONLY);
  EXPECT_TRUE(Write(fh, "x", 0, abi::kWriteKillSuidgid).transfer.strips_suid);
  EXPECT_FALSE(Write(fh, "x", 0, abi::kWriteLockowner).transfer.strips_suid);
}

TEST_F(DataTest, AWriteThatWaitsForTheDiskIsNotDoneOnTheThread) {
  tree_.File("f");
  const Transfer transfer = Write(OpenFileNamed("f", O_WRONLY | O_DSYNC), "x").transfer;
  EXPECT_EQ(transfer.policy, IoPolicy::kFixed);
  EXPECT_TRUE(transfer.may_block);
}

TEST_F(DataTest, DataOnFuseIsMovedByACall) {
  tree_.File("f");
  const uint64_t fh = OpenFileNamed("f", O_RDWR);
  OpenFile* file = client_.fs().handles().Find(FileHandle(fh));
  const BackingDevice fuse = ClassifyFileSystem("fuse.other", PolicyWish::kAuto, PolicyWish::kAuto);
  file->device = std::make_shared<const BackingDevice>(fuse);
  EXPECT_TRUE(Write(fh, "x").transfer.by_call);
  EXPECT_TRUE(Write(fh, "x", O_DIRECT).transfer.by_call);
  abi::ReadIn read{};
  read.fh = fh;
  read.size = 512;
  EXPECT_TRUE(client_.Send(Opcode::kRead, node_, read).transfer.by_call);
  const BackingDevice disk = ClassifyFileSystem("ext4", PolicyWish::kAuto, PolicyWish::kAuto);
  file->device = std::make_shared<const BackingDevice>(disk);
  EXPECT_FALSE(Write(fh, "x").transfer.by_call);
  EXPECT_FALSE(client_.Send(Opcode::kRead, node_, read).transfer.by_call);
}

TEST_F(DataTest, FsyncWaitsElsewhere) {
  tree_.File("f");
  const uint64_t fh = OpenFileNamed("f", O_WRONLY);
  const Transfer all = client_.Send(Opcode::kFsync, node_, abi::FsyncIn{fh, 0, 0}).transfer;
  EXPECT_EQ(all.kind, Transfer::Kind::kFsync);
  EXPECT_EQ(all.fd, BackingFd(fh));
  EXPECT_TRUE(all.may_block);
  const Transfer data =
      client_.Send(Opcode::kFsync, node_, abi::FsyncIn{fh, abi::kFsyncFdatasync, 0}).transfer;
  EXPECT_EQ(data.kind, Transfer::Kind::kFdatasync);
  const uint64_t directory = client_.OpenDirectory(kRoot);
  const Action dir = client_.Send(Opcode::kFsyncdir, kRoot, abi::FsyncIn{directory, 0, 0});
  ASSERT_EQ(dir.kind, Action::Kind::kTransfer);
  EXPECT_EQ(dir.transfer.fd, BackingFd(directory));
}

TEST_F(DataTest, FallocateWithEveryMode) {
  tree_.File("f", std::string(16384, 'x'));
  const uint64_t fh = OpenFileNamed("f", O_RDWR);
  client_.SetMayBlock(true);
  EXPECT_TRUE(
      Answered(client_.Send(Opcode::kFallocate, node_, abi::FallocateIn{fh, 0, 32768, 0, 0}), 0));
  EXPECT_EQ(tree_.Status("f").stx_size, 32768u);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kFallocate, node_,
                                    abi::FallocateIn{fh, 0, 65536, FALLOC_FL_KEEP_SIZE, 0}),
                       0));
  EXPECT_EQ(tree_.Status("f").stx_size, 32768u);
  const Action punched =
      client_.Send(Opcode::kFallocate, node_,
                   abi::FallocateIn{fh, 4096, 4096, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0});
  if (punched.error == Errno(EOPNOTSUPP)) GTEST_SKIP() << "no holes on " << tree_.path();
  EXPECT_TRUE(Answered(punched, 0));
  EXPECT_EQ(tree_.Content("f").substr(4095, 4098), "x" + std::string(4096, '\0') + "x");
  EXPECT_TRUE(
      Refused(client_.Send(Opcode::kFallocate, node_, abi::FallocateIn{fh, 0, 0, 0, 0}), EINVAL));
}

TEST_F(DataTest, LseekFindsDataAndHoles) {
  tree_.File("f");
  ASSERT_EQ(truncate(tree_.At("f").c_str(), 1 << 20), 0);
  const UniqueFd backing = tree_.Open("f", O_WRONLY);
  ASSERT_EQ(pwrite(backing.get(), "x", 1, 512 << 10), 1);
  const uint64_t fh = OpenFileNamed("f", O_RDONLY);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kLseek, node_, abi::LseekIn{fh, 0, SEEK_DATA, 0}),
                       sizeof(abi::LseekOut)));
  EXPECT_EQ(client_.Reply<abi::LseekOut>().offset, uint64_t{512} << 10);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kLseek, node_, abi::LseekIn{fh, 0, SEEK_HOLE, 0})));
  EXPECT_EQ(client_.Reply<abi::LseekOut>().offset, 0u);
  EXPECT_TRUE(
      Refused(client_.Send(Opcode::kLseek, node_, abi::LseekIn{fh, 1 << 20, SEEK_DATA, 0}), ENXIO));
}

TEST_F(DataTest, CopyFileRangeTellsHowMuch) {
  tree_.File("f", "0123456789");
  tree_.File("g", "..........");
  abi::CopyFileRangeIn in{};
  in.fh_out = OpenFileNamed("g", O_RDWR);
  in.nodeid_out = node_;
  in.fh_in = OpenFileNamed("f", O_RDONLY);
  in.off_in = 2;
  in.off_out = 1;
  in.len = 3;
  client_.SetMayBlock(true);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kCopyFileRange, node_, in), sizeof(abi::WriteOut)));
  EXPECT_EQ(client_.Reply<abi::WriteOut>().size, 3u);
  EXPECT_EQ(tree_.Content("g"), ".234......");
  in.len = uint64_t{1} << 40;  // ends with the file
  EXPECT_TRUE(
      Answered(client_.Send(Opcode::kCopyFileRange64, node_, in), sizeof(abi::CopyFileRangeOut)));
  EXPECT_EQ(client_.Reply<abi::CopyFileRangeOut>().bytes_copied, 8u);
  EXPECT_EQ(tree_.Content("g"), ".23456789.");
  in.off_in = 100;
  EXPECT_TRUE(Answered(client_.Send(Opcode::kCopyFileRange, node_, in)));
  EXPECT_EQ(client_.Reply<abi::WriteOut>().size, 0u);
  in.flags = 1;
  EXPECT_TRUE(Refused(client_.Send(Opcode::kCopyFileRange, node_, in), EINVAL));
}

// Between the ring's thread and the slow pool's, too, a copy hears of a signal.
TEST_F(DataTest, ACopyThatWaitsForItsThreadIsInterrupted) {
  tree_.File("f", "0123456789");
  tree_.File("g", "..........");
  abi::CopyFileRangeIn in{};
  in.fh_out = OpenFileNamed("g", O_RDWR);
  in.nodeid_out = node_;
  in.fh_in = OpenFileNamed("f", O_RDONLY);
  in.len = 3;
  for (const auto opcode : {Opcode::kCopyFileRange, Opcode::kCopyFileRange64}) {
    client_.SetMayBlock(false);
    EXPECT_EQ(client_.Send(opcode, node_, in).kind, Action::Kind::kOffload);
    const uint64_t unique = client_.last_unique();
    client_.Send(Opcode::kInterrupt, kRoot, abi::InterruptIn{unique});
    client_.RunLastAgain();
    client_.RunLastAgain();
    client_.SetMayBlock(true);
    EXPECT_TRUE(Refused(client_.Send(opcode, node_, in), EINTR));
    EXPECT_EQ(client_.last_unique(), unique);
  }
  EXPECT_TRUE(Answered(client_.Send(Opcode::kCopyFileRange, node_, in)));
}

}  // namespace
}  // namespace shuntfs
