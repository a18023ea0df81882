// Notices to the kernel about what it caches of an inode (FUSE_NOTIFY_INVAL_INODE).
//
// Floor 2. Thread-safe. The thread that needs a notice writes it to /dev/fuse by itself, so there
// is no queue that could overflow: a notice is sent, or its sender learns that it was not and
// answers its request in a way that is right without it.
#ifndef SHUNTFS_CORE_KERNEL_NOTICES_H_
#define SHUNTFS_CORE_KERNEL_NOTICES_H_

#include <cstdint>
#include <functional>
#include <mutex>

#include "core/base/errno.h"
#include "core/base/ids.h"
#include "core/counters.h"

namespace shuntfs {

class KernelNotices {
 public:
  // `device_fd`: /dev/fuse of the mount, borrowed.
  explicit KernelNotices(int device_fd) : device_fd_(device_fd) {}
  KernelNotices(const KernelNotices&) = delete;
  KernelNotices& operator=(const KernelNotices&) = delete;

  // Drops the attributes and ACLs that the kernel has of the inode. Any thread, but only while a
  // request on an open file or a name of this inode is unanswered: its caller holds the inode then,
  // so that the kernel neither waits for an eviction nor evicts it itself, and takes spinlocks only
  // (fs/fuse/inode.c, fuse_reverse_inval_inode with a negative offset).
  void DropAttributes(NodeId nodeid, Counters& counters);

  // Has the kernel write back what it has not yet written of `bytes` bytes from `offset` on (0: all
  // from there on), stores through mappings included, and drop these pages. Returns when that is
  // done, for which other threads have to serve the WRITEs: only on a thread that may block.
  // EBUSY: as many are under way as there may be, or the mount is about to stop.
  Outcome WriteBack(NodeId nodeid, uint64_t offset, uint64_t bytes, Counters& counters);

  // How many WriteBacks there may be at a time; none before. At least one serving thread and two
  // entries of each queue must remain for the WRITEs.
  void AllowWriteBacks(int most);
  // Refuses further WriteBacks and calls `then`: at once, or from the thread that ends the last one
  // under way. Until then requests have to be served.
  void Close(std::function<void()> then);

 private:
  Outcome Send(NodeId nodeid, int64_t offset, uint64_t bytes, Counters& counters) const;
  bool BeginWriteBack();
  void EndWriteBack();

  const int device_fd_;
  std::mutex mutex_;  // held for no system call
  int most_write_backs_ = 0;
  int write_backs_ = 0;
  bool closed_ = false;
  std::function<void()> then_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_KERNEL_NOTICES_H_
