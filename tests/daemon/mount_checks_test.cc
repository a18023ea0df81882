#include "daemon/mount_checks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace shuntfs {
namespace {

class CheckPathsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/checksXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = std::filesystem::canonical(pattern);
    for (const char* name : {"src", "mnt", "src/inner", "full"}) {
      std::filesystem::create_directory(root_ + "/" + name);
    }
    std::ofstream(root_ + "/full/file") << "x";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string At(const std::string& name) const { return root_ + "/" + name; }

  void ExpectRefused(const std::string& source, const std::string& mountpoint,
                     absl::StatusCode code, const std::string& sentence_part) {
    const absl::StatusOr<MountPaths> paths =
        CheckPaths(source, mountpoint, /*allow_pseudo_filesystems=*/false);
    EXPECT_EQ(paths.status().code(), code) << paths.status().ToString();
    EXPECT_NE(std::string(paths.status().message()).find(sentence_part), std::string::npos)
        << paths.status().ToString();
  }

  std::string root_;
};

TEST_F(CheckPathsTest, AcceptsTwoDirectories) {
  std::filesystem::create_directory_symlink(At("src"), At("link"));
  const absl::StatusOr<MountPaths> paths = CheckPaths(At("link/."), At("mnt/../mnt/"), false);
  ASSERT_TRUE(paths.ok()) << paths.status().ToString();
  EXPECT_EQ(paths->source, At("src"));
  EXPECT_EQ(paths->mountpoint, At("mnt"));
}

TEST_F(CheckPathsTest, RefusesAMissingSource) {
  ExpectRefused(At("none"), At("mnt"), absl::StatusCode::kNotFound, "does not exist");
}

TEST_F(CheckPathsTest, RefusesASourceThatIsAFile) {
  ExpectRefused(At("full/file"), At("mnt"), absl::StatusCode::kFailedPrecondition,
                "not a directory");
}

TEST_F(CheckPathsTest, RefusesInterfacesOfTheKernelUnlessAskedFor) {
  ExpectRefused("/proc/self", At("mnt"), absl::StatusCode::kFailedPrecondition, "of type proc");
  EXPECT_TRUE(CheckPaths("/proc", At("mnt"), /*allow_pseudo_filesystems=*/true).ok());
}

TEST_F(CheckPathsTest, RefusesAMissingMountpoint) {
  ExpectRefused(At("src"), At("none"), absl::StatusCode::kNotFound, "does not exist");
}

TEST_F(CheckPathsTest, RefusesAMountpointThatIsAFile) {
  ExpectRefused(At("src"), At("full/file"), absl::StatusCode::kFailedPrecondition,
                "not a directory");
}

TEST_F(CheckPathsTest, RefusesAMountpointThatIsNotEmpty) {
  ExpectRefused(At("src"), At("full"), absl::StatusCode::kFailedPrecondition, "not empty");
}

TEST_F(CheckPathsTest, RefusesAMountpointInsideTheSource) {
  ExpectRefused(At("src"), At("src/inner"), absl::StatusCode::kFailedPrecondition, "lies inside");
}

TEST_F(CheckPathsTest, RefusesASourceInsideTheMountpoint) {
  ExpectRefused(At("src/inner"), At("src"), absl::StatusCode::kFailedPrecondition, "lies inside");
}

TEST_F(CheckPathsTest, RefusesTheSameDirectory) {
  ExpectRefused(At("mnt"), At("mnt"), absl::StatusCode::kFailedPrecondition, "same directory");
}

TEST_F(CheckPathsTest, SeesThroughSymlinks) {
  std::filesystem::create_directory_symlink(At("src/inner"), At("link"));
  ExpectRefused(At("src"), At("link"), absl::StatusCode::kFailedPrecondition, "lies inside");
}

// Between the checks and what is done, who owns a directory on the way puts something else there.
TEST_F(CheckPathsTest, WhatIsOpenedIsWhatWasChecked) {
  const absl::StatusOr<MountPaths> paths = CheckPaths(At("src"), At("mnt"), false);
  ASSERT_TRUE(paths.ok()) << paths.status();
  const absl::StatusOr<OpenMountPaths> opened = OpenPaths(*paths);
  ASSERT_TRUE(opened.ok()) << opened.status();
  struct stat by_path {};
  struct stat by_descriptor {};
  ASSERT_EQ(stat(At("mnt").c_str(), &by_path), 0);
  ASSERT_EQ(fstat(opened->mountpoint.get(), &by_descriptor), 0);
  EXPECT_EQ(by_path.st_ino, by_descriptor.st_ino);

  std::filesystem::create_directories(At("elsewhere/mnt"));
  for (const char* name : {"src", "mnt"}) {
    std::filesystem::rename(At(name), At("old"));
    std::filesystem::create_directory_symlink(At("elsewhere/mnt"), At(name));
    EXPECT_EQ(OpenPaths(*paths).status().code(), absl::StatusCode::kFailedPrecondition) << name;
    std::filesystem::remove(At(name));
    std::filesystem::rename(At("old"), At(name));
  }
  EXPECT_TRUE(OpenPaths(*paths).ok());
}

TEST_F(CheckPathsTest, ALinkOnTheWayIsSeenWhenItIsOpened) {
  std::filesystem::create_directories(At("way/mnt"));
  const absl::StatusOr<MountPaths> paths = CheckPaths(At("src"), At("way/mnt"), false);
  ASSERT_TRUE(paths.ok()) << paths.status();
  std::filesystem::rename(At("way"), At("old"));
  std::filesystem::create_directories(At("elsewhere/mnt"));
  std::filesystem::create_directory_symlink(At("elsewhere"), At("way"));
  const absl::Status status = OpenPaths(*paths).status();
  EXPECT_NE(status.message().find("was exchanged for something else"), std::string::npos) << status;
}

TEST(CheckContainment, SiblingsWithACommonPrefixAreFine) {
  EXPECT_TRUE(CheckContainment("/a/src", "/a/src2").ok());
  EXPECT_FALSE(CheckContainment("/a/src", "/a/src/2").ok());
  EXPECT_FALSE(CheckContainment("/", "/mnt").ok());
}

}  // namespace
}  // namespace shuntfs
