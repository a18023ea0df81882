// UNLINK, RMDIR, RENAME, RENAME2: what becomes of the inodes that the kernel holds.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <string>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

class RemoveTest : public ::testing::Test {
 protected:
  // After this, inodes are reached by their descriptor only where they must be.
  void EvictAll() {
    while (client_.fs().inodes().EvictPathFds() > 0) {
    }
  }
  Action Rename(uint64_t from, const std::string& old_name, uint64_t to,
                const std::string& new_name, uint32_t flags) {
    return client_.Send(Opcode::kRename2, from, abi::Rename2In{to, flags, 0},
                        Text(old_name) + Text(new_name));
  }

  TempTree tree_;
  Client client_{tree_.path()};
};

TEST_F(RemoveTest, AnUnlinkedFileCanStillBeUsed) {
  tree_.File("f", "content");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text("f")), 0));
  EXPECT_FALSE(tree_.Exists("f"));
  EvictAll();
  const Result<abi::Attr> attr = client_.Getattr(node);
  ASSERT_TRUE(attr.ok()) << attr.error().value();
  EXPECT_EQ(attr->nlink, 0u);
  EXPECT_NE(client_.Open(node, O_RDWR), 0u);
  client_.Send(Opcode::kForget, node, abi::ForgetIn{1});
  EXPECT_EQ(client_.fs().inodes().count(), 1u);
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u);
}

TEST_F(RemoveTest, WhatTheKernelDoesNotHoldLeavesNothingBehind) {
  tree_.File("f");
  tree_.Directory("d");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text("f")), 0));
  EXPECT_TRUE(Answered(client_.Send(Opcode::kRmdir, kRoot, Text("d")), 0));
  EXPECT_EQ(client_.fs().inodes().count(), 1u);
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u);
}

TEST_F(RemoveTest, FailsAsTheBackingDoes) {
  tree_.File("f");
  tree_.Directory("d");
  tree_.File("d/x");
  EXPECT_TRUE(Refused(client_.Send(Opcode::kUnlink, kRoot, Text("none")), ENOENT));
  EXPECT_TRUE(Refused(client_.Send(Opcode::kRmdir, kRoot, Text("f")), ENOTDIR));
  EXPECT_TRUE(Refused(client_.Send(Opcode::kUnlink, kRoot, Text("d")), EISDIR));
  EXPECT_TRUE(Refused(client_.Send(Opcode::kRmdir, kRoot, Text("d")), ENOTEMPTY));
}

TEST_F(RemoveTest, ARemovalThatFailedLeavesTheInodeAsItWas) {
  tree_.Directory("d");
  tree_.File("d/x");
  const uint64_t node = client_.Lookup(kRoot, "d");
  EXPECT_TRUE(Refused(client_.Send(Opcode::kRmdir, kRoot, Text("d")), ENOTEMPTY));
  EvictAll();
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u) << "its descriptor is still kept";
  EXPECT_TRUE(client_.Getattr(node).ok());
}

TEST_F(RemoveTest, ARemovedDirectoryCanStillBeAskedFor) {
  tree_.Directory("d");
  const uint64_t node = client_.Lookup(kRoot, "d");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kRmdir, kRoot, Text("d")), 0));
  EvictAll();
  EXPECT_TRUE(client_.Getattr(node).ok());
  EXPECT_TRUE(
      Refused(client_.Send(Opcode::kMkdir, node, abi::MkdirIn{0755, 0}, Text("x")), ENOENT));
}

// What git does for an object and a maildir for a message.
TEST_F(RemoveTest, ALinkThatReplacesATemporaryNamePinsNothing) {
  for (int i = 0; i < 50; ++i) {
    const std::string temporary = "t" + std::to_string(i);
    const std::string name = "n" + std::to_string(i);
    tree_.File(temporary);
    const uint64_t node = client_.Lookup(kRoot, temporary);
    EXPECT_TRUE(Answered(client_.Send(Opcode::kLink, kRoot, abi::LinkIn{node}, Text(name))));
    EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text(temporary)), 0));
    EXPECT_TRUE(client_.Getattr(node).ok());
  }
  EXPECT_EQ(client_.fs().inodes().count(), 51u);
  EvictAll();
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u);
}

TEST_F(RemoveTest, OneOfTwoLinksGoes) {
  tree_.File("f");
  tree_.Link("f", "g");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_EQ(client_.Lookup(kRoot, "g"), node);
  for (const char* name : {"g", "f"}) {
    EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text(name)), 0));
    EvictAll();
    EXPECT_TRUE(client_.Getattr(node).ok()) << "after " << name;
  }
}

TEST_F(RemoveTest, RenameMovesTheLocation) {
  tree_.File("f", "content");
  tree_.Directory("d");
  const uint64_t node = client_.Lookup(kRoot, "f");
  const uint64_t directory = client_.Lookup(kRoot, "d");
  EXPECT_TRUE(Answered(
      client_.Send(Opcode::kRename, kRoot, abi::RenameIn{directory}, Text("f") + Text("g")), 0));
  EXPECT_EQ(tree_.Content("d/g"), "content");
  EvictAll();
  EXPECT_TRUE(client_.Getattr(node).ok());
  EXPECT_EQ(client_.fs().inodes().count(), 3u);
  EXPECT_EQ(client_.Lookup(directory, "g"), node);
}

TEST_F(RemoveTest, RenameOfADirectoryMovesWhatIsInIt) {
  tree_.Directory("d");
  tree_.File("d/f");
  const uint64_t node = client_.Walk("d/f");
  EXPECT_TRUE(Answered(Rename(kRoot, "d", kRoot, "e", 0), 0));
  EvictAll();
  EXPECT_TRUE(client_.Getattr(node).ok());
}

TEST_F(RemoveTest, RenameOverAFileLeavesThatUsable) {
  tree_.File("f", "new");
  tree_.File("g", "old!");
  const uint64_t moved = client_.Lookup(kRoot, "f");
  const uint64_t replaced = client_.Lookup(kRoot, "g");
  EXPECT_TRUE(Answered(Rename(kRoot, "f", kRoot, "g", 0), 0));
  EvictAll();
  const Result<abi::Attr> old_attr = client_.Getattr(replaced);
  ASSERT_TRUE(old_attr.ok());
  EXPECT_EQ(old_attr->nlink, 0u);
  EXPECT_EQ(old_attr->size, 4u);
  const Result<abi::Attr> new_attr = client_.Getattr(moved);
  ASSERT_TRUE(new_attr.ok());
  EXPECT_EQ(new_attr->size, 3u);
}

TEST_F(RemoveTest, ExchangeMovesBoth) {
  tree_.File("f", "one");
  tree_.Directory("d");
  tree_.File("d/g", "second");
  const uint64_t first = client_.Lookup(kRoot, "f");
  const uint64_t second = client_.Walk("d/g");
  const uint64_t directory = client_.Lookup(kRoot, "d");
  const Action action = Rename(kRoot, "f", directory, "g", RENAME_EXCHANGE);
  if (action.error == Errno(EINVAL)) GTEST_SKIP() << "no RENAME_EXCHANGE on " << tree_.path();
  EXPECT_TRUE(Answered(action, 0));
  EXPECT_EQ(tree_.Content("f"), "second");
  EvictAll();
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u) << "neither needs its descriptor";
  ASSERT_TRUE(client_.Getattr(first).ok());
  EXPECT_EQ(client_.Getattr(first)->size, 3u);
  ASSERT_TRUE(client_.Getattr(second).ok());
  EXPECT_EQ(client_.Getattr(second)->size, 6u);
}

TEST_F(RemoveTest, NoreplaceLeavesBothAlone) {
  tree_.File("f", "one");
  tree_.File("g", "second");
  client_.Lookup(kRoot, "f");
  const uint64_t kept = client_.Lookup(kRoot, "g");
  EXPECT_TRUE(Refused(Rename(kRoot, "f", kRoot, "g", RENAME_NOREPLACE), EEXIST));
  EXPECT_EQ(tree_.Content("g"), "second");
  EvictAll();
  EXPECT_EQ(client_.fs().inodes().path_fds(), 1u);
  EXPECT_TRUE(client_.Getattr(kept).ok());
  EXPECT_TRUE(Answered(Rename(kRoot, "f", kRoot, "h", RENAME_NOREPLACE), 0));
  EXPECT_TRUE(tree_.Exists("h"));
}

// One link went, and with it the place where the file was last seen; then a removal of the other
// link fails.
TEST_F(RemoveTest, AFileWhosePlaceWentStaysReachableWhenAnotherLinkStays) {
  tree_.File("f");
  tree_.Link("f", "g");
  tree_.File("x");
  const uint64_t node = client_.Lookup(kRoot, "g");
  EXPECT_EQ(client_.Lookup(kRoot, "f"), node);
  EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text("f")), 0));
  EXPECT_TRUE(Refused(Rename(kRoot, "x", kRoot, "g", RENAME_NOREPLACE), EEXIST));
  EvictAll();
  EXPECT_TRUE(client_.Getattr(node).ok());
}

TEST_F(RemoveTest, RenameFailsAsTheBackingDoes) {
  tree_.Directory("d");
  tree_.Directory("d/e");
  const uint64_t inner = client_.Walk("d/e");
  EXPECT_TRUE(Refused(Rename(kRoot, "none", kRoot, "x", 0), ENOENT));
  EXPECT_TRUE(Refused(Rename(kRoot, "d", inner, "x", 0), EINVAL));
  EXPECT_TRUE(Refused(Rename(kRoot, "d", kRoot, "x", 0x80000000), EINVAL));
  EXPECT_TRUE(client_.Getattr(inner).ok());
}

}  // namespace
}  // namespace shuntfs
