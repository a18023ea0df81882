// The private world of one test process: a mount namespace of its own, in it a base directory
// that any user can enter, the backing file system, and the directories that the tests use.
//
//   <base>/mnt              where the tested mount stands
//   <base>/backing/src      what it shows (SRC)
//   <base>/backing/plain    the same kind of directory, used natively, to compare with
//   <base>/backing/outside  beside SRC: nothing of a mount may ever reach it
//   <base>/bin/shuntfs      a copy of the binary that ordinary users can execute
//
// Floor: tests. Owner: main() makes one and removes it. Threads: main thread.
// Errors: Create returns what failed and why.
#ifndef SHUNTFS_TESTS_MOUNT_PRIVATE_TREE_H_
#define SHUNTFS_TESTS_MOUNT_PRIVATE_TREE_H_

#include <string>

#include "tests/mount/test_config.h"

namespace shuntfs::mount_test {

class PrivateTree {
 public:
  // Unshares the mount namespace and builds the tree; empty string or what failed.
  std::string Create(const TestConfig& config);
  // Empties and makes again src, plain, outside and mnt.
  std::string Reset();
  void Remove();

  std::string base() const { return base_; }
  std::string src() const { return base_ + "/backing/src"; }
  std::string plain() const { return base_ + "/backing/plain"; }
  std::string outside() const { return base_ + "/backing/outside"; }
  std::string mnt() const { return base_ + "/mnt"; }
  std::string binary() const { return base_ + "/bin/shuntfs"; }

 private:
  std::string base_;
  std::string disk_;  // the directory behind Backing::kDisk
};

PrivateTree& Tree();

// The mount that stands last on `path` according to /proc/self/mountinfo, which never touches
// the mount itself.
struct MountEntry {
  bool found = false;
  int connection = -1;  // minor number of the device: fusectl's name of the connection
  std::string type;
  std::string source;
  std::string options;  // of the mount and of the super block, joined by a comma
};
MountEntry FindMount(const std::string& path);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_PRIVATE_TREE_H_
