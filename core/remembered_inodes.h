// The inodes that the kernel has forgotten last, in the order in which it forgot them.
//
// Floor 2. A file handle that a program or an NFS server holds names an inode by its nodeid, and
// outlives what the kernel caches: such an inode keeps its nodeid as long as it is remembered.
// Thread-safe.
#ifndef SHUNTFS_CORE_REMEMBERED_INODES_H_
#define SHUNTFS_CORE_REMEMBERED_INODES_H_

#include <cstddef>
#include <deque>
#include <mutex>

#include "core/base/ids.h"

namespace shuntfs {

class RememberedInodes {
 public:
  explicit RememberedInodes(size_t limit) : limit_(limit) {}

  // Adds an inode that is not among them; the one that has to go for it, or 0.
  NodeId Add(NodeId nodeid) {
    const std::lock_guard lock(mutex_);
    nodeids_.push_back(nodeid);
    if (nodeids_.size() <= limit_) return NodeId(0);
    const NodeId oldest = nodeids_.front();
    nodeids_.pop_front();
    return oldest;
  }

 private:
  const size_t limit_;
  std::mutex mutex_;
  std::deque<NodeId> nodeids_;  // guarded by mutex_
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_REMEMBERED_INODES_H_
