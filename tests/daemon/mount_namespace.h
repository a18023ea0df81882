// A mount namespace of a test's own, with a folder to mount in.
#ifndef SHUNTFS_TESTS_DAEMON_MOUNT_NAMESPACE_H_
#define SHUNTFS_TESTS_DAEMON_MOUNT_NAMESPACE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace shuntfs {

class MountNamespaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0)
      GTEST_SKIP() << "needs the right to mount: " << std::strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::string pattern = testing::TempDir() + "/mountXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = std::filesystem::canonical(pattern);
    for (const char* name : {"a", "b", "a/mnt", "b/mnt"})
      std::filesystem::create_directory(At(name));
  }
  void TearDown() override {
    if (root_.empty()) return;
    for (const char* name : {"a/mnt", "b/mnt", "a/moved"}) umount2(At(name).c_str(), MNT_DETACH);
    std::filesystem::remove_all(root_);
  }

  std::string At(const std::string& name) const { return root_ + "/" + name; }
  int Exchange(const std::string& one, const std::string& other) const {
    return renameat2(AT_FDCWD, At(one).c_str(), AT_FDCWD, At(other).c_str(), RENAME_EXCHANGE);
  }

  std::string root_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_TESTS_DAEMON_MOUNT_NAMESPACE_H_
