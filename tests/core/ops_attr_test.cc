// GETATTR, STATX, SETATTR, ACCESS.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "core/base/limits.h"
#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

class AttrTest : public ::testing::Test {
 protected:
  Action Setattr(uint64_t node, const abi::SetattrIn& in) {
    return client_.Send(Opcode::kSetattr, node, in);
  }
  static abi::SetattrIn Size(uint64_t size) {
    abi::SetattrIn in{};
    in.valid = abi::kSetattrSize;
    in.size = size;
    return in;
  }
  // truncate(2) by path, on a thread that may wait.
  Action Resize(uint64_t node, uint64_t size) {
    client_.SetMayBlock(true);
    const Action action = Setattr(node, Size(size));
    client_.SetMayBlock(false);
    return action;
  }

  TempTree tree_;
  Client client_{tree_.path()};
};

TEST_F(AttrTest, GetattrByNumberAndByHandle) {
  tree_.File("f", "12345", 0604);
  const uint64_t node = client_.Lookup(kRoot, "f");
  const Result<abi::Attr> attr = client_.Getattr(node);
  ASSERT_TRUE(attr.ok());
  EXPECT_EQ(attr->size, 5u);
  EXPECT_EQ(attr->mode, uint32_t{S_IFREG | 0604});
  const uint64_t fh = client_.Open(node, O_RDONLY);
  tree_.Rename("f", "elsewhere");
  while (client_.fs().inodes().EvictPathFds() > 0) {
  }
  EXPECT_EQ(client_.Getattr(node)->size, 5u) << "by the descriptor that has it open";
  EXPECT_TRUE(
      Answered(client_.Send(Opcode::kGetattr, node, abi::GetattrIn{abi::kGetattrFh, 0, fh})));
  EXPECT_EQ(client_.Reply<abi::AttrOut>().attr.size, 5u)
      << "the open file is the file, wherever it went";
  client_.Send(Opcode::kRelease, node, abi::ReleaseIn{fh, 0, 0, 0});
  while (client_.fs().inodes().EvictPathFds() > 0) {
  }
  EXPECT_EQ(client_.Getattr(node).error(), Errno(ESTALE)) << "this daemon may open no handles";
}

TEST_F(AttrTest, StatxTellsTheBirthTime) {
  tree_.File("f", "12345");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kStatx, node, abi::StatxIn{}), sizeof(abi::StatxOut)));
  const abi::Statx stat = client_.Reply<abi::StatxOut>().stat;
  const FileStatus status = tree_.Status("f");
  EXPECT_EQ(stat.ino, status.stx_ino);
  EXPECT_EQ(stat.size, 5u);
  EXPECT_EQ(stat.mask & STATX_BTIME, status.stx_mask & STATX_BTIME);
  EXPECT_EQ(stat.btime.tv_sec, status.stx_btime.tv_sec);
  EXPECT_EQ(stat.btime.tv_nsec, status.stx_btime.tv_nsec);
}

TEST_F(AttrTest, SetattrChangesOnlyWhatItNames) {
  tree_.File("f", "12345", 0644);
  const uint64_t node = client_.Lookup(kRoot, "f");
  abi::SetattrIn in{};
  in.valid = abi::kSetattrMode;
  in.mode = S_IFREG | 0751;
  in.size = 1;
  EXPECT_TRUE(Answered(Setattr(node, in), sizeof(abi::AttrOut)));
  EXPECT_EQ(client_.Reply<abi::AttrOut>().attr.mode, uint32_t{S_IFREG | 0751});
  EXPECT_EQ(tree_.Status("f").stx_mode & 07777, 0751);
  EXPECT_EQ(tree_.Status("f").stx_size, 5u);
  EXPECT_TRUE(Answered(Resize(node, 2)));
  EXPECT_EQ(client_.Reply<abi::AttrOut>().attr.size, 2u);
  EXPECT_EQ(tree_.Content("f"), "12");
  EXPECT_EQ(tree_.Status("f").stx_mode & 07777, 0751);
}

TEST_F(AttrTest, SetattrOfSizeThroughAHandle) {
  tree_.File("f", "12345");
  const uint64_t node = client_.Lookup(kRoot, "f");
  abi::SetattrIn in = Size(3);
  in.valid |= abi::kSetattrFh;
  in.fh = client_.Open(node, O_RDWR);
  EXPECT_TRUE(Answered(Setattr(node, in)));
  EXPECT_EQ(tree_.Content("f"), "123");
  in.fh = client_.Open(node, O_RDONLY);
  EXPECT_TRUE(Refused(Setattr(node, in), EINVAL)) << "not opened for writing";
}

TEST_F(AttrTest, SetattrOfTimes) {
  tree_.File("f");
  tree_.Symlink("none", "s");
  for (const char* name : {"f", "s"}) {
    SCOPED_TRACE(name);
    const uint64_t node = client_.Lookup(kRoot, name);
    const FileStatus before = tree_.Status(name);
    abi::SetattrIn in{};
    in.valid = abi::kSetattrMtime;
    in.mtime = 1'000'000'000;
    in.mtimensec = 123'456'789;
    EXPECT_TRUE(Answered(Setattr(node, in)));
    EXPECT_EQ(tree_.Status(name).stx_mtime.tv_sec, 1'000'000'000);
    EXPECT_EQ(tree_.Status(name).stx_mtime.tv_nsec, 123'456'789u);
    EXPECT_EQ(tree_.Status(name).stx_atime.tv_sec, before.stx_atime.tv_sec);
    in.valid = abi::kSetattrAtime | abi::kSetattrMtime | abi::kSetattrMtimeNow;
    in.atime = static_cast<uint64_t>(-5);
    EXPECT_TRUE(Answered(Setattr(node, in)));
    EXPECT_EQ(tree_.Status(name).stx_atime.tv_sec, -5);
    EXPECT_GE(tree_.Status(name).stx_mtime.tv_sec, before.stx_mtime.tv_sec);
  }
  EXPECT_FALSE(tree_.Exists("none"));
}

TEST_F(AttrTest, SetattrOfOwnerKeepsWhatIsNotNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  abi::SetattrIn in{};
  in.valid = abi::kSetattrUid;
  in.uid = 1234;
  in.gid = 99;
  const Action action = Setattr(node, in);
  if (action.error == Errno(EINVAL))
    GTEST_SKIP() << "user 1234 does not exist in this user namespace";
  EXPECT_TRUE(Answered(action));
  EXPECT_EQ(tree_.Status("f").stx_uid, 1234u);
  EXPECT_EQ(tree_.Status("f").stx_gid, getegid());
  // Owner and mode at once: the mode that was asked for is the one that stays.
  in.valid = abi::kSetattrGid | abi::kSetattrMode;
  in.mode = 06755;
  EXPECT_TRUE(Answered(Setattr(node, in)));
  EXPECT_EQ(tree_.Status("f").stx_gid, 99u);
  EXPECT_EQ(tree_.Status("f").stx_mode & 07777, 06755);
}

TEST_F(AttrTest, ShrinkingALargeFileIsLeftToAThreadThatMayWait) {
  tree_.File("f");
  const uint64_t size = 2 * kLargeFileBytes;
  ASSERT_EQ(truncate(tree_.At("f").c_str(), static_cast<off_t>(size)), 0);
  const uint64_t node = client_.Lookup(kRoot, "f");
  abi::SetattrIn in = Size(0);
  in.valid |= abi::kSetattrFh;
  in.fh = client_.Open(node, O_RDWR);
  EXPECT_TRUE(Offloaded(Setattr(node, in)));
  EXPECT_EQ(tree_.Status("f").stx_size, size);
  in.size = size - 4096;
  EXPECT_TRUE(Answered(Setattr(node, in))) << "little to free";
  in.size = 2 * size;
  EXPECT_TRUE(Answered(Setattr(node, in))) << "nothing to free";
  in.size = 0;
  client_.SetMayBlock(true);
  EXPECT_TRUE(Answered(Setattr(node, in)));
  client_.SetMayBlock(false);
  EXPECT_EQ(tree_.Status("f").stx_size, 0u);
  EXPECT_TRUE(Answered(Setattr(node, in))) << "by now it is known to be small";
}

TEST_F(AttrTest, OnlyATruncateThatMeetsALeaseIsLeftToAThreadThatMayWait) {
  tree_.File("f", "12345");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(Setattr(node, Size(4))));
  const UniqueFd holder = tree_.Open("f", O_RDONLY);
  fcntl(holder.get(), F_SETSIG, SIGURG);
  if (fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0)
    GTEST_SKIP() << "no leases on " << tree_.path();
  const Action action = Setattr(node, Size(2));
  EXPECT_TRUE(Offloaded(action));
  EXPECT_EQ(action.waits_for, WaitsFor::kHolder);
  EXPECT_EQ(tree_.Content("f"), "1234");
  ASSERT_EQ(fcntl(holder.get(), F_SETLEASE, F_UNLCK), 0);
  EXPECT_TRUE(Answered(Setattr(node, Size(2))));
}

TEST_F(AttrTest, AFileThatGrewIsKnownToBeLarge) {
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  ASSERT_EQ(truncate(tree_.At("f").c_str(), static_cast<off_t>(2 * kLargeFileBytes)), 0);
  const Action action = Setattr(node, Size(0));
  EXPECT_TRUE(Offloaded(action));
  EXPECT_EQ(action.waits_for, WaitsFor::kItsWork);
}

// On tmpfs truncate(2) leaves the times of an empty file that is to be empty; ftruncate(2) does
// not.
TEST(TruncateToTheSameSize, ChangesTheTimesOnlyThroughAHandle) {
  const TempTree tree("/dev/shm");
  tree.File("f");
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, tree.At("f").c_str(), long_ago, 0), 0);
  Client client(tree.path());
  const uint64_t node = client.Lookup(kRoot, "f");
  abi::SetattrIn in{};
  in.valid = abi::kSetattrSize;
  client.SetMayBlock(true);
  EXPECT_TRUE(Answered(client.Send(Opcode::kSetattr, node, in)));
  EXPECT_EQ(tree.Status("f").stx_mtime.tv_sec, 1);
  in.valid |= abi::kSetattrFh;
  in.fh = client.Open(node, O_RDWR);
  EXPECT_TRUE(Answered(client.Send(Opcode::kSetattr, node, in)));
  EXPECT_GT(tree.Status("f").stx_mtime.tv_sec, 1);
}

// The holder is told by this very truncate, gives the lease up, and the truncate goes on; nobody
// sees EAGAIN.
TEST_F(AttrTest, TruncateOfALeasedFileWaitsForItsHolder) {
  tree_.File("f", "12345");
  const UniqueFd holder = tree_.Open("f", O_RDONLY);
  fcntl(holder.get(), F_SETSIG, SIGURG);
  if (fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0)
    GTEST_SKIP() << "no leases on " << tree_.path();
  const uint64_t node = client_.Lookup(kRoot, "f");
  std::thread gives_in([&holder] {
    while (fcntl(holder.get(), F_GETLEASE) == F_RDLCK) std::this_thread::yield();
    fcntl(holder.get(), F_SETLEASE, F_UNLCK);
  });
  EXPECT_TRUE(Answered(Resize(node, 2)));
  gives_in.join();
  EXPECT_EQ(tree_.Content("f"), "12");
}

TEST_F(AttrTest, AccessAsksTheBacking) {
  tree_.File("f", "", 0444);
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kAccess, node, abi::AccessIn{F_OK, 0}), 0));
  EXPECT_TRUE(Answered(client_.Send(Opcode::kAccess, node, abi::AccessIn{R_OK, 0}), 0));
  EXPECT_TRUE(Refused(client_.Send(Opcode::kAccess, node, abi::AccessIn{X_OK, 0}), EACCES));
}

}  // namespace
}  // namespace shuntfs
