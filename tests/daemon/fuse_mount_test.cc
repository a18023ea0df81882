#include "daemon/fuse_mount.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "daemon/mount_table.h"
#include "tests/daemon/mount_namespace.h"

namespace shuntfs {
namespace {

// Nobody serves these mounts, so nothing may ask them.
class FuseMountTest : public MountNamespaceTest {
 protected:
  void SetUp() override {
    if (access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/fuse";
    MountNamespaceTest::SetUp();
  }

  static absl::StatusOr<std::unique_ptr<FuseMount>> Mount(const std::string& path, int fd) {
    return FuseMount::Mount(path, fd, {"fsname=test", "subtype=shuntfs"});
  }

  // Mounts of ours below the folder.
  std::vector<std::string> Mounts() const {
    std::vector<std::string> mounts;
    const absl::StatusOr<MountTable> table = ReadMountTable();
    for (const MountEntry& entry : *table) {
      if (entry.IsShuntfs() && entry.mountpoint.starts_with(root_))
        mounts.push_back(entry.mountpoint.substr(root_.size()));
    }
    return mounts;
  }

  UniqueFd Open(const std::string& name) const {
    return UniqueFd(open(At(name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  static std::string ReadAheadFile(const FuseMount& mount) {
    return absl::StrFormat("/sys/class/bdi/%d:%d/read_ahead_kb", mount.major(), mount.minor());
  }
  static std::string ReadAheadOf(const FuseMount& mount) {
    std::string kilobytes;
    std::ifstream(ReadAheadFile(mount)) >> kilobytes;
    return kilobytes;
  }
};

TEST_F(FuseMountTest, MountsOnTheOpenDirectory) {
  const UniqueFd directory = Open("a/mnt");
  absl::StatusOr<std::unique_ptr<FuseMount>> mount = Mount(At("a/mnt"), directory.get());
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(Mounts(), std::vector<std::string>{"/a/mnt"});
  EXPECT_TRUE((*mount)->IsMounted());
  mount->reset();
  EXPECT_EQ(Mounts(), std::vector<std::string>());
}

// Between the checks and the mount, who owns a directory on the way puts something else there.
TEST_F(FuseMountTest, WhatTookThePlaceOfTheDirectoryIsNotMountedOn) {
  const UniqueFd directory = Open("a/mnt");
  ASSERT_EQ(Exchange("a", "b"), 0);
  const absl::StatusOr<std::unique_ptr<FuseMount>> other = Mount(At("a/mnt"), directory.get());
  EXPECT_FALSE(other.ok());
  EXPECT_EQ(Mounts(), std::vector<std::string>()) << "it is gone from where it came to lie";
  std::filesystem::rename(At("a/mnt"), At("a/moved"));
  std::filesystem::create_directory_symlink(At("b"), At("a/mnt"));
  const absl::StatusOr<std::unique_ptr<FuseMount>> link = Mount(At("a/mnt"), directory.get());
  EXPECT_FALSE(link.ok());
  EXPECT_EQ(Mounts(), std::vector<std::string>());
}

// The kernel gives the number of a mount that is gone to the next one.
TEST_F(FuseMountTest, ReadAheadIsThatOfTheMountAndOfNoOther) {
  const UniqueFd directory = Open("a/mnt");
  absl::StatusOr<std::unique_ptr<FuseMount>> first = Mount(At("a/mnt"), directory.get());
  ASSERT_TRUE(first.ok()) << first.status();
  if (access(ReadAheadFile(**first).c_str(), W_OK) != 0) GTEST_SKIP() << "needs a writable /sys";
  ASSERT_TRUE((*first)->RaiseReadAhead(512 << 10).ok());
  EXPECT_EQ(ReadAheadOf(**first), "512");
  (*first)->TakeFd().reset();
  ASSERT_EQ(umount2(At("a/mnt").c_str(), MNT_DETACH), 0);

  const UniqueFd other_directory = Open("b/mnt");
  absl::StatusOr<std::unique_ptr<FuseMount>> second = Mount(At("b/mnt"), other_directory.get());
  ASSERT_TRUE(second.ok()) << second.status();
  if ((*second)->minor() != (*first)->minor()) GTEST_SKIP() << "the number was not given again";
  const std::string before = ReadAheadOf(**second);
  EXPECT_FALSE((*first)->RaiseReadAhead(256 << 10).ok());
  EXPECT_EQ(ReadAheadOf(**second), before);
}

}  // namespace
}  // namespace shuntfs
