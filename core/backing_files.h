// The backing files that the kernel reads and writes by itself (FOPEN_PASSTHROUGH, 6.9): one id per
// inode, shared by its opens and given back with the last.
//
// Floor 2. Thread-safe; a mutex is held across ioctl(2) on /dev/fuse, which looks at the backing
// file and never waits for it. The kernel refuses to mix passthrough and cached opens of an inode
// (fs/fuse/iomode.c), so the first open decides for those that come while it lasts.
#ifndef SHUNTFS_CORE_BACKING_FILES_H_
#define SHUNTFS_CORE_BACKING_FILES_H_

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <mutex>

#include "core/base/errno.h"
#include "core/base/ids.h"

namespace shuntfs {

class BackingFiles {
 public:
  // `device_fd`: /dev/fuse of the mount, borrowed.
  explicit BackingFiles(int device_fd) : device_fd_(device_fd) {}
  BackingFiles(const BackingFiles&) = delete;
  BackingFiles& operator=(const BackingFiles&) = delete;

  // An open of the inode through `fd` begins. The id to reply with; 0: this open goes through us,
  // since the kernel refuses the file, or did when the inode was opened first.
  int32_t Open(NodeId nodeid, int fd);
  // It has ended, or its reply was never sent.
  void Close(NodeId nodeid);

  // Whether the kernel takes `fd`, a regular file, at all. ELOOP: its file system is stacked too
  // deep. EPERM: CAP_SYS_ADMIN is missing.
  Outcome Try(int fd) const;

 private:
  struct Use {
    int32_t id = 0;
    uint32_t opens = 0;
  };

  Result<int32_t> Register(int fd) const;
  void Unregister(int32_t id) const;

  const int device_fd_;
  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, Use> uses_;  // guarded by mutex_; by nodeid
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_BACKING_FILES_H_
