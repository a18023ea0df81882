// OPEN, RELEASE, FLUSH, READLINK.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
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

class OpenTest : public ::testing::Test {
 protected:
  const OpenFile* FileOf(uint64_t fh) { return client_.fs().handles().Find(FileHandle(fh)); }
  Action Open(uint64_t node, int flags) {
    return client_.Send(Opcode::kOpen, node, abi::OpenIn{static_cast<uint32_t>(flags), 0});
  }

  TempTree tree_;
  Client client_{tree_.path()};
};

TEST_F(OpenTest, OpensForWhatWasAsked) {
  tree_.File("f", "content");
  const uint64_t node = client_.Lookup(kRoot, "f");
  for (const int mode : {O_RDONLY, O_WRONLY, O_RDWR}) {
    const uint64_t fh = client_.Open(node, static_cast<uint32_t>(mode | O_APPEND));
    const int flags = fcntl(FileOf(fh)->fd.get(), F_GETFL);
    EXPECT_EQ(flags & O_ACCMODE, mode);
    EXPECT_EQ(flags & (O_APPEND | O_NONBLOCK), 0);
  }
  EXPECT_EQ(client_.fs().handles().count(), 3u);
}

TEST_F(OpenTest, TruncatesWhenAsked) {
  tree_.File("f", "content");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(Open(node, O_WRONLY | O_TRUNC), sizeof(abi::OpenOut)));
  EXPECT_EQ(tree_.Content("f"), "");
}

TEST_F(OpenTest, TruncatingALargeFileIsLeftToAThreadThatMayWait) {
  tree_.File("f");
  ASSERT_EQ(truncate(tree_.At("f").c_str(), kLargeFileBytes + 1), 0);
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Offloaded(Open(node, O_WRONLY | O_TRUNC)));
  EXPECT_EQ(tree_.Status("f").stx_size, kLargeFileBytes + 1);
  EXPECT_TRUE(Answered(Open(node, O_WRONLY)));
  client_.SetMayBlock(true);
  EXPECT_TRUE(Answered(Open(node, O_WRONLY | O_TRUNC)));
  EXPECT_EQ(tree_.Status("f").stx_size, 0u);
}

TEST_F(OpenTest, TellsTheKernelWhatItMaySpare) {
  tree_.File("f", "content");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(Open(node, O_RDONLY)));
  const uint32_t first = client_.Reply<abi::OpenOut>().open_flags;
  EXPECT_NE(first & abi::kFopenParallelDirectWrites, 0u);
  EXPECT_EQ(first & abi::kFopenKeepCache, 0u)
      << "the first open knows nothing of what the kernel has";
  EXPECT_EQ(first & abi::kFopenDirectIo, 0u);
}

TEST_F(OpenTest, KeepsACacheOnlyOfAnUnchangedFile) {
  tree_.File("f", "content");
  const uint64_t node = client_.Lookup(kRoot, "f");
  // Until the last change is old enough to tell it from another one.
  bool kept = false;
  for (int tries = 0; tries < 10'000'000 && !kept; ++tries) {
    ASSERT_TRUE(Answered(Open(node, O_RDONLY)));
    const auto open = client_.Reply<abi::OpenOut>();
    kept = (open.open_flags & abi::kFopenKeepCache) != 0;
    client_.Send(Opcode::kRelease, node, abi::ReleaseIn{open.fh, 0, 0, 0});
  }
  ASSERT_TRUE(kept);
  tree_.File("f", "changed");
  EXPECT_TRUE(Answered(Open(node, O_RDONLY)));
  EXPECT_EQ(client_.Reply<abi::OpenOut>().open_flags & abi::kFopenKeepCache, 0u);
}

TEST_F(OpenTest, KnowsASynchronousFile) {
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(FileOf(client_.Open(node, O_WRONLY | O_SYNC))->synchronous);
  EXPECT_TRUE(FileOf(client_.Open(node, O_WRONLY | O_DSYNC))->synchronous);
  EXPECT_FALSE(FileOf(client_.Open(node, O_WRONLY))->synchronous);
}

TEST_F(OpenTest, WhatIsNoLongerThereIsStale) {
  tree_.File("f");
  tree_.File("g");
  const uint64_t node = client_.Lookup(kRoot, "f");
  tree_.Rename("g", "f");
  EXPECT_TRUE(Refused(Open(node, O_RDONLY), ESTALE));
  EXPECT_EQ(client_.fs().handles().count(), 0u);
}

TEST_F(OpenTest, OfALeasedFileIsLeftToAThreadThatMayWait) {
  tree_.File("f");
  const UniqueFd holder = tree_.Open("f", O_RDONLY);
  fcntl(holder.get(), F_SETSIG, SIGURG);  // ignored by default, unlike SIGIO
  if (fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0)
    GTEST_SKIP() << "no leases on " << tree_.path();
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(Open(node, O_RDONLY))) << "readers do not disturb a read lease";
  EXPECT_TRUE(Offloaded(Open(node, O_WRONLY)));
}

// The holder is told by this very open, gives the lease up, and the open goes on; nobody sees
// EAGAIN.
TEST_F(OpenTest, OfALeasedFileWaitsForItsHolder) {
  tree_.File("f");
  const UniqueFd holder = tree_.Open("f", O_RDONLY);
  fcntl(holder.get(), F_SETSIG, SIGURG);
  if (fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0)
    GTEST_SKIP() << "no leases on " << tree_.path();
  const uint64_t node = client_.Lookup(kRoot, "f");
  std::thread gives_in([&holder] {
    while (fcntl(holder.get(), F_GETLEASE) == F_RDLCK) std::this_thread::yield();
    fcntl(holder.get(), F_SETLEASE, F_UNLCK);
  });
  client_.SetMayBlock(true);
  EXPECT_TRUE(Answered(Open(node, O_WRONLY)));
  gives_in.join();
}

TEST_F(OpenTest, ReleaseClosesTheFile) {
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  const uint64_t fh = client_.Open(node, O_RDWR);
  const int fd = FileOf(fh)->fd.get();
  EXPECT_TRUE(Answered(client_.Send(Opcode::kRelease, node, abi::ReleaseIn{fh, 0, 0, 0}), 0));
  EXPECT_LT(fcntl(fd, F_GETFD), 0);
  EXPECT_EQ(FileOf(fh), nullptr);
  EXPECT_NE(client_.Open(node, O_RDWR), fh) << "an old handle came back";
}

TEST_F(OpenTest, FlushLeavesTheFileOpen) {
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  const uint64_t fh = client_.Open(node, O_RDWR);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kFlush, node, abi::FlushIn{fh, 0, 0, 0}), 0));
  EXPECT_GE(fcntl(FileOf(fh)->fd.get(), F_GETFD), 0);
}

TEST_F(OpenTest, ReadlinkGivesTheTarget) {
  const std::string longest(4000, 'x');
  tree_.Symlink(longest, "s");
  tree_.File("f");
  const Action action = client_.Send(Opcode::kReadlink, client_.Lookup(kRoot, "s"));
  EXPECT_TRUE(Answered(action, longest.size()));
  EXPECT_EQ(client_.ReplyText(action.reply_bytes), longest);
  EXPECT_NE(client_.Send(Opcode::kReadlink, client_.Lookup(kRoot, "f")).error, Errno(0));
}

}  // namespace
}  // namespace shuntfs
