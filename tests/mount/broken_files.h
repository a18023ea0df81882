// A FUSE file system in one directory whose files fail as their names say: "OPERATION.ERROR".
//
//   lookup.EAGAIN   there is no such file: every lookup of it fails so; open.EINTR, ...
//   read.EIO        every read fails with EIO
//   write.ENOSPC    every write fails with ENOSPC; so fsync.EDQUOT, flush.ESTALE (at close), ...
//   write.SHORT     writes take kPartBytes at a time; read.SHORT gives as much
//   read.SHRINK     the first read gives kPartBytes, and then the file ends there
//
// Everything else works on such a file. Files lie in the memory of a child process that serves
// them; they pass by the page cache (FOPEN_DIRECT_IO), so that each call of a program is a request
// to it, and what it answers is what the program gets.
//
// Floor: tests. Owner: the object owns mount and child. Threads: the test's main thread.
// Errors: as texts, empty for success.
#ifndef SHUNTFS_TESTS_MOUNT_BROKEN_FILES_H_
#define SHUNTFS_TESTS_MOUNT_BROKEN_FILES_H_

#include <sys/types.h>

#include <string>

namespace shuntfs::mount_test {

class BrokenFiles {
 public:
  static constexpr size_t kPartBytes = 5000;

  BrokenFiles() = default;
  BrokenFiles(const BrokenFiles&) = delete;
  BrokenFiles& operator=(const BrokenFiles&) = delete;
  ~BrokenFiles() { Unmount(); }

  std::string Mount(const std::string& directory);
  // Whoever still has files of it open gets errors from then on.
  void Unmount();

 private:
  std::string directory_;
  pid_t server_ = -1;
};

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_BROKEN_FILES_H_
