// The fixture of the mount suite: each test gets an empty SRC, a daemon that shows it at MNT,
// and a plain directory beside SRC to compare with. When the test is over, the fixture asks the
// daemon's counters whether the tested mode served the tested operation, and ends the daemon,
// which must exit 0.
//
//   TEST_F(Ops, Rename2Exchange) {
//     Serves("RENAME2");
//     SameAsNative([](const std::string& dir, Transcript& t) { ... });
//   }
//
// Floor: tests. Owner: GoogleTest. Threads: a test may start threads, but must join them.
// Errors: a mount that fails, an operation that was not counted, a daemon that does not exit 0:
// each fails the test.
#ifndef SHUNTFS_TESTS_MOUNT_FIXTURE_H_
#define SHUNTFS_TESTS_MOUNT_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/mount/daemon.h"
#include "tests/mount/files.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"
#include "tests/mount/test_config.h"

namespace shuntfs::mount_test {

class Ops : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // The -o options of the mount that SetUp makes.
  virtual std::string MountOptions() const { return std::string(); }

  // Ends this mount (checking it as at the end of a test) and mounts again with `options`.
  void Remount(const std::string& options);

  // Mounts a small file system on the directory `name` of SRC, which it makes, until the test is
  // over.
  void MountInside(const std::string& name, const char* type = "tmpfs");

  // The test fails unless the counter of `operation` grows until its end.
  void Serves(const std::string& operation) { served_.push_back({operation}); }
  // At least one of several: the kernel chooses, by its version or by a heuristic.
  void ServesAny(const std::vector<std::string>& operations) { served_.push_back(operations); }

  // Runs `action` in an empty directory of the plain tree and in one of the mount, compares what
  // it noted and, entry by entry, what it left.
  void SameAsNative(
      const std::function<void(const std::string& dir, Transcript& transcript)>& action);

  // The counters now; fails the test when they cannot be had. Empty in Mode::kPlain.
  DaemonStatus Status();
  // How often `operation` was served since the test began.
  uint64_t Served(const std::string& operation);

  static bool plain() { return Config().mode == Mode::kPlain; }
  static std::string Src(const std::string& name = "") { return Join(Tree().src(), name); }
  static std::string Mnt(const std::string& name = "") { return Join(Tree().mnt(), name); }
  static std::string Plain(const std::string& name = "") { return Join(Tree().plain(), name); }

  Daemon daemon_;

 private:
  static std::string Join(const std::string& directory, const std::string& name) {
    return name.empty() ? directory : directory + "/" + name;
  }
  void Mount(const std::string& options);
  void Unmount(bool remounting);
  void CheckServed();
  // What mode kernel leaves to the kernel.
  static bool IsData(const std::vector<std::string>& operations);

  std::vector<std::vector<std::string>> served_;
  DaemonStatus before_;
  std::vector<std::string> inside_;  // what MountInside mounted
  bool mounted_ = false;
};

// A text that tells two trees apart: every entry with type, permissions, owner, links, size,
// content and extended attributes.
std::string DescribeTree(const std::string& root);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_FIXTURE_H_
