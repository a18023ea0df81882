// The inodes that the kernel holds, and how each is reached in the backing tree.
//
// Floor 2. An inode of ours stands for one file of the tree, told apart by file system, number
// and birth time. It is reached by an O_PATH descriptor when one is cached, and otherwise by its
// location: the directory and name where it was last seen, opened component by component without
// following symlinks and accepted only if it is still the same file. So a tree of millions of files
// needs no descriptor for each. Descriptors that are not used are closed after seconds, and near
// the descriptor limit at once. A file that was moved in SRC is reached by the descriptor of
// whoever has it open, or by the handle that its file system gave for it when it was first seen
// (SourceHandle). If that fails as well, ESTALE makes the kernel look the path up again.
//
// Ownership: the table owns inodes. Each lives as long as it has references: one per lookup the
// kernel counts, one per inode whose location is in it, one per FindHeld or Hold, one while it is
// remembered after the kernel has forgotten it. Threads: any. Locks: one
// mutex per shard and one for directories that move (before a shard's), held for no system call but
// the one that duplicates the descriptor of an open file.
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
#include <vector>

#include "core/base/errno.h"
#include "core/base/ids.h"
#include "core/base/limits.h"
#include "core/base/unique_fd.h"
#include "core/device_table.h"
#include "core/file_closer.h"
#include "core/path_fd_queue.h"
#include "core/path_fd_slot.h"
#include "core/remembered_inodes.h"
#include "core/slot_table.h"
#include "core/sys/file_status.h"
#include "core/sys/source_handle.h"
#include "core/writers.h"

namespace shuntfs {

// The identity of a file, the same on every mount of its file system. Birth time tells a new file
// from an old one whose number it got; where a file system keeps none, the type and the handle do.
struct InodeKey {
  uint64_t file_system = 0;  // BackingDevice::id
  uint64_t ino = 0;
  mode_t type = 0;  // S_IFMT bits
  int64_t birth_ns = 0;
  uint64_t handle_hash = 0;  // 0: not needed, or there is no handle

  // `status` was taken of `name` in `dir_fd`, or of `dir_fd` itself ("").
  static InodeKey Of(const FileStatus& status, const BackingDevice& device, int dir_fd,
                     const char* name);
  // Whether the key tells a file from a later one with its number.
  bool outlives_the_number() const { return birth_ns != 0 || handle_hash != 0; }
  friend bool operator==(const InodeKey&, const InodeKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const InodeKey& k) {
    return H::combine(std::move(h), k.file_system, k.ino, k.type, k.birth_ns, k.handle_hash);
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
  ~Inode() { delete handle_.load(); }

  NodeId nodeid() const { return nodeid_; }
  const InodeKey& key() const { return key_; }
  mode_t type() const { return key_.type; }  // S_IFMT bits
  const BackingDevice& device() const { return *device_; }
  const DeviceRef& device_ref() const { return device_; }

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
  DeviceRef device_;
  std::atomic<uint64_t> content_stamp_{0};
  Writers writers_;
  std::atomic<bool> set_id_seen_{false};

  PathFdSlot path_fd_;
  std::atomic<uint64_t> refs_{0};
  uint64_t nlookup_ = 0;     // guarded by the shard's mutex; part of refs_
  bool remembered_ = false;  // guarded by the shard's mutex; holds a reference
  Inode* parent_ = nullptr;  // guarded by the shard's mutex; holds a reference
  std::string name_;         // guarded by the shard's mutex
  // Another name of the file, where it was seen before; guarded by the shard's mutex.
  std::unique_ptr<InodeLocation> other_;
  // The descriptors that have the file open; guarded by the shard's mutex.
  std::unique_ptr<std::vector<int>> open_fds_;
  // Set once, by whoever made the inode; null: there is none (yet).
  std::atomic<const SourceHandle*> handle_{nullptr};
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
  struct Options {
    uint64_t path_fd_limit = 512;  // the number of descriptors that may be cached
    bool opens_handles = true;     // the process has CAP_DAC_READ_SEARCH
    size_t remembered_limit = kMaxRememberedInodes;
  };

  // `root` is the O_PATH descriptor of SRC. `devices` outlives the table.
  InodeTable(UniqueFd root, const FileStatus& root_status, DeviceTable& devices,
             const Options& options);
  ~InodeTable();

  // The inode with this number. Null: no such number. Only for inodes that the kernel holds, as all
  // requests name but LOOKUP of a file handle (Hold).
  Inode* Find(NodeId nodeid) const { return slots_.Find(nodeid.value()); }
  Inode* root() const { return root_; }

  // The inode of the file seen as `name` in `parent`, with one more lookup counted. `fd`: the open
  // directory, or with `is_file` the file itself. Null when the table is full.
  Inode* Lookup(const FileStatus& status, const DeviceRef& device, Inode* parent, const char* name,
                int fd, bool is_file = false);
  // The same for a file without a name (O_TMPFILE); `path_fd` stays with it.
  Inode* LookupNameless(const FileStatus& status, const DeviceRef& device, UniqueFd path_fd);

  // For a nodeid out of a file handle, which the kernel may have forgotten: the inode with a
  // reference to be given back with Release; null: it is not known any more.
  Inode* Hold(NodeId nodeid);
  // Counts one more lookup of an inode that is held.
  void CountLookup(Inode* inode);
  // The directory in which a directory was found last, with a reference; null: none, or it is not
  // there any more.
  Inode* ParentOf(Inode* inode);

  // The kernel drops `nlookup` lookups. False: no such inode, or more than were counted.
  bool Forget(NodeId nodeid, uint64_t nlookup);

  // A way to the inode. ESTALE: there is none. EMFILE, ENFILE only when evicting did not help.
  Result<PathFd> Open(Inode* inode);
  // `fd` has the inode open, from now on or until now.
  void AddOpenFd(Inode* inode, int fd);
  void RemoveOpenFd(Inode* inode, int fd);

  // Somebody enters the directory: what autofs mounts there on demand is mounted. ESTALE: that is
  // in the directory's place now. Without effect on other file systems. May block.
  Outcome Enter(Inode* directory);
  // The inode's status now, without opening it when its location will do. Errors as Open.
  Result<FileStatus> Status(Inode* inode);

  // An entry is about to be removed from its directory. If it stands for an inode of ours, makes
  // sure that the inode's descriptor is cached and stays until EndRemoval, so that whoever still
  // holds the file can go on using it. Null: no inode of ours, and nothing to end; then `other`
  // gets a descriptor of the file, to be closed by `closer` when the removal has ended.
  Inode* BeginRemoval(int parent_fd, const char* name, UniqueFd* other);
  // The removal of `name` from `parent` has ended. `removed`: the entry is gone. The descriptor is
  // kept for good when that was the last name, and kept as long as there is room when the other
  // names are not known.
  void EndRemoval(Inode* inode, bool removed, const Inode* parent, std::string_view name);
  // The inode is now `name` in `parent`.
  void MovedTo(Inode* inode, Inode* parent, std::string_view name);
  // The inode behind `status`, taken of `name` in `dir_fd` (or of `dir_fd` itself, ""), if the
  // kernel holds it; with a reference to be given back with Release.
  Inode* FindHeld(const FileStatus& status, const BackingDevice& device, int dir_fd,
                  const char* name);
  void Release(Inode* inode) { Drop(inode, 1); }

  // Gives back up to kPathFdEvictBatch cached descriptors; how many it were.
  int EvictPathFds();
  // Closes the cached descriptors that nobody has used since the last call. To be called when
  // idle_fd() is readable, by one thread.
  void CloseIdlePathFds();
  int idle_fd() const { return cached_.timer_fd(); }

  // Closes descriptors of the table's inodes, and of open files.
  FileCloser& closer() { return closer_; }

  // The inodes that there are: those that the kernel holds, those that are remembered, and the
  // directories above them.
  uint64_t total_count() const { return slots_.count(); }
  // The inodes that the kernel holds.
  uint64_t count() const { return held_count_.load(std::memory_order_relaxed); }
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
  // What FindOrInsert did: `made`: the inode is new.
  struct Found {
    Inode* inode = nullptr;
    bool made = false;
  };
  Found FindOrInsert(const InodeKey& key, const FileStatus& status, const DeviceRef& device,
                     Inode* parent, std::string_view name);
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
  // Adds a lookup to an inode whose shard's mutex is held.
  void AddLookup(Inode* inode);
  // Drops up to `count` lookups, and their references.
  void DropLookups(Inode* inode, uint64_t count);
  // Keeps an inode that the kernel has just forgotten, without its descriptor.
  void Remember(Inode* inode);
  // Drops `count` references; frees the inode, and then its parents, when none are left.
  void Drop(Inode* inode, uint64_t count);

  int EvictPathFds(Pin weakest);
  // What became of an entry of `cached_`.
  struct Aged {
    int fd = -1;          // taken out of the inode; to be closed
    bool cached = false;  // the inode has a descriptor still
    bool pinned = false;
  };
  Aged Age(NodeId nodeid, Pin weakest);
  // Opens the inode by its location, and that of its ancestors as far as they have no descriptor.
  Result<PathFd> OpenByLocation(Inode* inode);
  // Opens the inode wherever it is now: by a descriptor that has it open, or by its handle.
  Result<PathFd> OpenElsewhere(Inode* inode);
  Result<UniqueFd> OpenByOpenFd(Inode* inode);
  Result<UniqueFd> OpenByHandle(Inode* inode);
  // A directory on the inode's mount: SRC itself, or the inode's topmost ancestor there.
  Result<PathFd> DirectoryOnMountOf(Inode* inode);
  // Opens `name` of the directory `parent_fd`, which has to be `inode`.
  Result<PathFd> OpenStep(Inode* inode, int parent_fd, const char* name);
  Result<FileStatus> StatusByLocation(Inode* inode);
  // Whether `status`, of `name` in `dir_fd` ("": of `dir_fd` itself), is this inode's. ESTALE: no.
  Outcome Verify(const Inode* inode, const FileStatus& status, int dir_fd, const char* name);
  // Copies the name to `name`, a buffer for kNameMax and the end, and gives the parent with a
  // reference; null: no location.
  Inode* LocationOf(Inode* inode, char* name);
  // Caches `fd` for the inode; the borrowed descriptor either way.
  PathFd Install(Inode* inode, UniqueFd fd);

  DeviceTable& devices_;
  FileCloser closer_;
  SlotTable<Inode> slots_;
  std::array<Shard, kShards> shards_;
  Inode* root_ = nullptr;
  std::mutex moves_mutex_;  // held while a directory's location changes; before a shard's
  const uint64_t path_fd_limit_;
  const bool opens_handles_;
  RememberedInodes remembered_;
  std::atomic<uint64_t> held_count_{0};
  std::atomic<uint64_t> path_fds_{0};
  PathFdQueue cached_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INODE_TABLE_H_
