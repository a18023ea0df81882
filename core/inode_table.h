// The inodes that the kernel holds, and how each is reached in the backing tree.
//
// Floor 2. An inode of ours stands for one file of the tree, told apart by file system, number
// and birth time. It is reached by an O_PATH descriptor when one is cached, and otherwise by its
// location: the directory and name where it was last seen, opened component by component without
// following symlinks and accepted only if it is still the same file (else ESTALE, upon which the
// kernel looks the path up again). So a lookup costs one statx, a tree of millions of files needs
// no descriptor for each, and near the descriptor limit the least recently used ones are given
// back.
//
// Ownership: the table owns inodes. Each lives as long as it has references: one per lookup the
// kernel counts, one per inode whose location is in it, one per FindHeld. Threads: any. Locks: one
// mutex per shard and one for directories that move (before a shard's), held for no system call.
#ifndef SHUNTFS_CORE_INODE_TABLE_H_
#define SHUNTFS_CORE_INODE_TABLE_H_

#include <absl/container/flat_hash_map.h>
#include <absl/hash/hash.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/base/errno.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/device_table.h"
#include "core/path_fd_slot.h"
#include "core/slot_table.h"
#include "core/sys/file_status.h"
#include "core/writers.h"

namespace shuntfs {

// The identity of a file, the same on every mount of its file system. Birth time tells a
// new file from an old one whose number it got.
struct InodeKey {
  uint64_t file_system = 0;  // BackingDevice::id
  uint64_t ino = 0;
  int64_t birth_ns = 0;

  static InodeKey Of(const FileStatus& status, const BackingDevice& device);
  friend bool operator==(const InodeKey&, const InodeKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const InodeKey& k) {
    return H::combine(std::move(h), k.file_system, k.ino, k.birth_ns);
  }
};

class Inode;

// Where a file was seen; holds a reference to the directory.
struct InodeLocation {
  Inode* parent = nullptr;
  std::string name;
};

class Inode {
 public:
  NodeId nodeid() const { return nodeid_; }
  const InodeKey& key() const { return key_; }
  mode_t type() const { return type_; }  // S_IFMT bits
  const BackingDevice& device() const { return *device_; }
  const DeviceRef& device_ref() const { return device_; }

  // The size seen last: a hint for what a truncate will cost.
  void NoteSize(uint64_t bytes) { size_hint_.store(bytes, std::memory_order_relaxed); }
  uint64_t size_hint() const { return size_hint_.load(std::memory_order_relaxed); }

  // Whether the mode seen last has set-user-ID or set-group-ID, so that the kernel may still show
  // and use such a mode when the file has lost it.
  void NoteMode(mode_t mode) {
    const bool set_id = (mode & (S_ISUID | S_ISGID)) != 0;
    if (set_id != set_id_seen_.load(std::memory_order_relaxed))
      set_id_seen_.store(set_id, std::memory_order_relaxed);
  }
  bool set_id_seen() const { return set_id_seen_.load(std::memory_order_relaxed); }

  Writers& writers() { return writers_; }
  const Writers& writers() const { return writers_; }

  // Whether the content is still what it was when the file was opened last, so that the kernel may
  // keep its pages. A file that changed so recently that one more change could have left it the
  // same times is never taken for unchanged. Nothing on a file system of unknown or remote kind is:
  // its times may tell nothing.
  bool UnchangedSinceLastOpen(const FileStatus& status);

 private:
  friend class InodeTable;
  friend class PathFd;

  NodeId nodeid_;
  InodeKey key_;
  mode_t type_ = 0;
  DeviceRef device_;
  std::atomic<uint64_t> size_hint_{0};
  std::atomic<uint64_t> content_stamp_{0};
  Writers writers_;
  std::atomic<bool> set_id_seen_{false};

  PathFdSlot path_fd_;
  std::atomic<uint64_t> refs_{0};
  uint64_t nlookup_ = 0;     // guarded by the shard's mutex; part of refs_
  Inode* parent_ = nullptr;  // guarded by the shard's mutex; holds a reference
  std::string name_;         // guarded by the shard's mutex
  // Another name of the file, where it was seen before; guarded by the shard's mutex.
  std::unique_ptr<InodeLocation> other_;
};

// An O_PATH descriptor of an inode: borrowed from its cache, or opened for this use.
class PathFd {
 public:
  PathFd(PathFd&& other) noexcept;
  PathFd(const PathFd&) = delete;
  PathFd& operator=(const PathFd&) = delete;
  PathFd& operator=(PathFd&& other) noexcept;
  ~PathFd();

  int get() const { return fd_; }

 private:
  friend class InodeTable;
  PathFd(Inode* lender, int fd) : lender_(lender), fd_(fd) {}
  explicit PathFd(UniqueFd owned) : fd_(owned.get()), owned_(std::move(owned)) {}

  Inode* lender_ = nullptr;
  int fd_ = -1;
  UniqueFd owned_;
};

class InodeTable {
 public:
  // `root` is the O_PATH descriptor of SRC. `path_fd_limit`: how many descriptors may be cached.
  // `devices` outlives the table.
  InodeTable(UniqueFd root, const FileStatus& root_status, DeviceTable& devices,
             uint64_t path_fd_limit);
  ~InodeTable();

  // The inode with this number. Null: no such number (the kernel names only inodes it holds).
  Inode* Find(NodeId nodeid) const { return slots_.Find(nodeid.value()); }
  Inode* root() const { return root_; }

  // The inode of the file seen as `name` in `parent`, with one more lookup counted. Null when the
  // table is full.
  Inode* Lookup(const FileStatus& status, const DeviceRef& device, Inode* parent,
                std::string_view name);
  // The same for a file without a name (O_TMPFILE); `path_fd` stays with it.
  Inode* LookupNameless(const FileStatus& status, const DeviceRef& device, UniqueFd path_fd);

  // The kernel drops `nlookup` lookups. False: no such inode, or more than were counted.
  bool Forget(NodeId nodeid, uint64_t nlookup);

  // A way to the inode. ESTALE: it is not where it was last seen. EMFILE, ENFILE only when evicting
  // did not help.
  Result<PathFd> Open(Inode* inode);

  // The inode's status now, without opening it when its location will do. Errors as Open.
  Result<FileStatus> Status(Inode* inode);

  // An entry is about to be removed from its directory. If it stands for an inode of ours, makes
  // sure that the inode's descriptor is cached and stays until EndRemoval, so that whoever still
  // holds the file can go on using it. Null: no inode of ours, and nothing to end.
  Inode* BeginRemoval(int parent_fd, const char* name);
  // The removal of `name` from `parent` has ended. `removed`: the entry is gone. The descriptor is
  // kept for good when that was the last name, and kept as long as there is room when the other
  // names are not known.
  void EndRemoval(Inode* inode, bool removed, const Inode* parent, std::string_view name);
  // The inode is now `name` in `parent`.
  void MovedTo(Inode* inode, Inode* parent, std::string_view name);
  // The inode behind `status`, if the kernel holds it; with a reference to be given back with
  // Release.
  Inode* FindHeld(const FileStatus& status, const BackingDevice& device);
  void Release(Inode* inode) { Drop(inode, 1, /*lookups=*/false); }

  // Gives back up to kPathFdEvictBatch cached descriptors; how many it were.
  int EvictPathFds();

  uint64_t count() const { return slots_.count(); }
  uint64_t path_fds() const { return path_fds_.load(std::memory_order_relaxed); }
  uint64_t path_fd_limit() const { return path_fd_limit_; }

 private:
  static constexpr size_t kShards = 64;
  friend class PathFd;

  struct Shard {
    std::mutex mutex;
    absl::flat_hash_map<InodeKey, Inode*> inodes;
  };

  Shard& ShardOf(const InodeKey& key) { return shards_[absl::HashOf(key) % kShards]; }
  Inode* FindOrInsert(const FileStatus& status, const DeviceRef& device, Inode* parent,
                      std::string_view name);
  // Sets the location of an inode whose shard's mutex is held. `keep_other`: the file has several
  // names, so the location that it had is remembered. A parent whose reference passes to the
  // caller; or null.
  Inode* SetLocation(Inode* inode, Inode* parent, std::string_view name, bool keep_other);
  // The name `name` of `parent`, one of several, is gone. True: the location was there.
  bool LoseLocation(Inode* inode, const Inode* parent, std::string_view name);
  // Sets the location of a directory that has one already: takes the location away from the
  // ancestor of `parent` that is said to be in `inode`, if any, so that locations never form a
  // cycle.
  void MoveDirectory(Inode* inode, Inode* parent, std::string_view name);
  // Lets go of a pinned descriptor if the location leads to the inode again.
  void ReconsiderPin(Inode* inode);
  // Drops `count` references (and lookups); frees the inode, and then its parents, when none are
  // left.
  void Drop(Inode* inode, uint64_t count, bool lookups);

  int EvictPathFds(Pin weakest);
  // Opens the inode by its location, and that of its ancestors as far as they have no descriptor.
  Result<PathFd> Reopen(Inode* inode);
  // Opens `name` of the directory `parent_fd`, which has to be `inode`.
  Result<PathFd> OpenStep(Inode* inode, int parent_fd, const char* name);
  // Whether `status`, of `name` in `dir_fd` ("": of `dir_fd` itself), is this inode's. ESTALE: no.
  Outcome Verify(const Inode* inode, const FileStatus& status, int dir_fd, const char* name);
  // Copies the name to `name`, a buffer for kNameMax and the end, and gives the parent with a
  // reference; null: no location.
  Inode* LocationOf(Inode* inode, char* name);
  // Caches `fd` for the inode; the borrowed descriptor either way.
  PathFd Install(Inode* inode, UniqueFd fd);

  DeviceTable& devices_;
  SlotTable<Inode> slots_;
  std::array<Shard, kShards> shards_;
  Inode* root_ = nullptr;
  std::mutex moves_mutex_;  // held while a directory's location changes; before a shard's
  const uint64_t path_fd_limit_;
  std::atomic<uint64_t> path_fds_{0};
  std::atomic<uint32_t> evict_hand_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INODE_TABLE_H_
