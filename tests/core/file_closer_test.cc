// Which descriptors are left to a thread that may take its time.
#include "core/file_closer.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

class CloserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    client_.fs().inodes().closer().UseLater(
        [this](UniqueFd, WaitsFor waits_for) { later_.push_back(waits_for); });
  }
  // A file of holes.
  void Large(const std::string& name) {
    tree_.File(name);
    ASSERT_EQ(truncate(tree_.At(name).c_str(), static_cast<off_t>(2 * kLargeFileBytes)), 0);
  }
  void Release(uint64_t fh) {
    abi::ReleaseIn in{};
    in.fh = fh;
    EXPECT_TRUE(Answered(client_.Send(Opcode::kRelease, kRoot, in), 0));
  }

  TempTree tree_;
  Client client_{tree_.path()};
  std::vector<WaitsFor> later_;
};

TEST_F(CloserTest, ALargeFileThatIsDeletedIsReleasedLater) {
  Large("f");
  const uint64_t first = client_.Open(client_.Lookup(kRoot, "f"), O_RDWR);
  const uint64_t second = client_.Open(client_.Lookup(kRoot, "f"), O_RDWR);
  Release(first);
  EXPECT_TRUE(later_.empty()) << "it has a name still";
  ASSERT_EQ(unlink(tree_.At("f").c_str()), 0);
  Release(second);
  EXPECT_EQ(later_, std::vector<WaitsFor>{WaitsFor::kItsWork});
}

TEST_F(CloserTest, ASmallFileIsReleasedAtOnce) {
  tree_.File("f", "content");
  const uint64_t fh = client_.Open(client_.Lookup(kRoot, "f"), O_RDWR);
  ASSERT_EQ(unlink(tree_.At("f").c_str()), 0);
  Release(fh);
  EXPECT_TRUE(later_.empty());
}

TEST_F(CloserTest, AFileOfASlowFileSystemIsReleasedLater) {
  tree_.File("f");
  const uint64_t fh = client_.Open(client_.Lookup(kRoot, "f"), O_RDWR);
  client_.fs().handles().Find(FileHandle(fh))->device = std::make_shared<const BackingDevice>(
      ClassifyFileSystem("nfs4", PolicyWish::kAuto, PolicyWish::kAuto));
  Release(fh);
  EXPECT_EQ(later_, std::vector<WaitsFor>{WaitsFor::kServer});
}

TEST_F(CloserTest, ForgetOfALargeFileThatIsDeletedFreesItLater) {
  Large("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text("f")), 0));
  EXPECT_TRUE(later_.empty()) << "the kernel may still open it";
  client_.Send(Opcode::kForget, node, abi::ForgetIn{1});
  EXPECT_EQ(later_.size(), 1u);
}

TEST_F(CloserTest, WhatTheKernelDoesNotHoldIsFreedLaterToo) {
  Large("f");
  EXPECT_TRUE(Answered(client_.Send(Opcode::kUnlink, kRoot, Text("f")), 0));
  EXPECT_EQ(later_.size(), 1u);
  Large("g");
  tree_.File("h");
  EXPECT_TRUE(Answered(
      client_.Send(Opcode::kRename2, kRoot, abi::Rename2In{kRoot, 0, 0}, Text("h") + Text("g")),
      0));
  EXPECT_EQ(later_.size(), 2u);
}

TEST_F(CloserTest, TruncatingOpensOfWhatGrewAreLeftToAThreadThatMayWait) {
  tree_.File("f");
  const uint64_t node = client_.Lookup(kRoot, "f");
  Large("f");
  EXPECT_TRUE(Offloaded(client_.Send(Opcode::kOpen, node, abi::OpenIn{O_RDWR | O_TRUNC, 0})));
}

}  // namespace
}  // namespace shuntfs
