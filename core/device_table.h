// The file systems below SRC: what kind each is, and how one is told from another.
//
// Floor 2. An entry stands for one file system (one subvolume, where there are such) from the time
// when a file of it is seen. It is found by mount id, since the kernel gives a device number away
// again as soon as a file system is gone. A mount that is new is another mount of a known file
// system only if that one is mounted still, as the list of mounts tells; SRC's own cannot go, since
// we hold it. Linux has mount ids that are never used again since 6.8. Before, a mount below SRC is
// compared with the list again after each change of the list.
//
// Ownership: entries are shared; each lives as long as the table knows a mount of it, or an inode
// or open file refers to it. The table forgets mounts that are gone when it meets a new one, so it
// does not grow with the mounts that ever were. Threads: any. Files on the mount of their directory
// need no lock (IsOf); at other places the table's mutex is held to look an entry up. The list of
// mounts is read only when a mount is met for the first time and the list has changed.
//
// Inode numbers are made of an identity of the file system that outlives mounts: its id where the
// type has one that stays (ext4, btrfs and its subvolumes), otherwise its type and where it is
// mounted below SRC. Two that are mounted at once never share one.
#ifndef SHUNTFS_CORE_DEVICE_TABLE_H_
#define SHUNTFS_CORE_DEVICE_TABLE_H_

#include <absl/container/flat_hash_map.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errno.h"
#include "core/inode_numbers.h"
#include "core/sys/file_status.h"
#include "core/sys/mount_info.h"

namespace shuntfs {

// How data moves on files of a file system (docs/tuning.md has the measurements).
enum class IoPolicy : uint8_t {
  kFixed,  // READ_FIXED / WRITE_FIXED through the ring
  kPlain,  // pread / pwrite on the thread, in the registered buffer
};

struct BackingDevice {
  uint64_t id = 0;  // of this entry; never used again
  // The same after a remount: what inode numbers are made of. 0: the file system of SRC itself.
  uint64_t identity = 0;
  InodeNumbers* numbers = nullptr;  // of the table that made the entry; null: shown as they are
  // The mount that the file system was first seen on, and what its files have in common.
  uint64_t mount_id = 0;
  dev_t dev = 0;
  uint64_t subvolume = 0;
  bool may_block =
      false;  // answers can take for ever (network, FUSE, unknown): never called on a ring thread
  // An interface of the kernel (core/sys/pseudo_file_systems.h). With an unknown type, as that of a
  // mount which is not in the list, only the file system itself can tell.
  bool pseudo = false;
  bool type_known = false;
  bool wants_flush = false;
  bool in_memory = false;  // tmpfs: reads and writes never wait for a device
  // Its files have read_iter and write_iter: io_uring moves data between the caller's pages and
  // other files, those of procfs or fusectl say, not at all (EFAULT; io_uring/rw.c, loop_rw_iter).
  bool zero_copy = false;
  // A file gets another birth time when it is written for the first time (overlayfs copies it up),
  // and keeps its number.
  bool birth_changes = false;
  // autofs: a directory can stand for a file system that is mounted when somebody enters it.
  bool mounts_on_demand = false;
  // Offsets of a listing can be those that core/directory_offsets.h tells of.
  bool may_hash_offsets = false;
  bool has_handles = false;  // its files have handles that can be opened (SourceHandle)
  IoPolicy read = IoPolicy::kPlain;
  IoPolicy write = IoPolicy::kPlain;

  uint64_t ShownInode(uint64_t ino) const {
    if (numbers == nullptr) return ino;
    return identity == 0 ? numbers->Own(ino) : numbers->Foreign(identity, ino);
  }
};

// What the operator asked for; "auto" decides by the kind of file system.
enum class PolicyWish : uint8_t { kAuto, kFixed, kPlain };

// The decision alone: `fs_type` as /proc/self/mountinfo spells it.
BackingDevice ClassifyFileSystem(const std::string& fs_type, PolicyWish read, PolicyWish write);

using DeviceRef = std::shared_ptr<const BackingDevice>;

class DeviceTable {
 public:
  DeviceTable(PolicyWish read, PolicyWish write, std::unique_ptr<MountInfo> mounts = nullptr);

  // The file system of SRC, which `status` was taken of; `source_fd` is held as long as the table.
  // Called once, before anything else.
  DeviceRef AddOwn(const FileStatus& status, int source_fd);

  // Whether `status` was taken on `device`; false also where it takes Find to tell.
  bool IsOf(const BackingDevice& device, const FileStatus& status) const {
    return status.stx_mnt_id == device.mount_id && DeviceOf(status) == device.dev &&
           SubvolumeOf(status) == device.subvolume &&
           (device.identity == 0 || HasUniqueMountId(status));
  }

  // The file system that `status` was taken on: of `name` in `dir_fd`, or of `dir_fd` itself ("").
  // ESTALE: something else is there by now.
  Result<DeviceRef> Find(const FileStatus& status, int dir_fd, const char* name);

 private:
  // What mounts share, known or not: one instance of a file system type.
  struct Superblock {
    dev_t device = 0;
    std::string type;  // empty: it was not in the list (unmounted, with files still in use)
    bool own = false;
    absl::flat_hash_map<std::pair<dev_t, uint64_t>, DeviceRef> parts;  // by device and subvolume

    bool InUse() const;
  };
  struct Mount {
    uint64_t number = 0;  // in the list
    bool gone = false;    // not in the list any more
    std::shared_ptr<Superblock> superblock;
  };

  DeviceRef FindKnown(const FileStatus& status);
  void ReadMounts();
  bool IsListed(const Mount& mount) const;
  void DropGone(bool unique_ids);
  std::shared_ptr<Superblock> SuperblockOf(const MountLine* line, const FileStatus& status);
  // What was found out without a lock about the file system of a new part.
  struct PartFacts {
    uint64_t file_system_id = 0;  // as statfs(2) tells, where it stays the same; otherwise 0
    bool has_handles = false;
  };
  DeviceRef AddPart(Superblock& superblock, const FileStatus& status, const PartFacts& facts);
  uint64_t IdentityOf(const Superblock& superblock, uint64_t file_system_id) const;

  const PolicyWish read_;
  const PolicyWish write_;

  std::string source_path_;  // guarded by list_mutex_

  std::mutex list_mutex_;  // taken before mutex_; held while the list of mounts is read
  const std::unique_ptr<MountInfo> mounts_;        // guarded by list_mutex_
  absl::flat_hash_map<uint64_t, MountLine> list_;  // guarded by list_mutex_; by number
  bool list_read_ = false;                         // guarded by list_mutex_

  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, Mount> known_;  // guarded by mutex_; by stx_mnt_id
  std::shared_ptr<Superblock> own_;             // guarded by mutex_
  uint64_t source_mount_id_ = 0;                // guarded by mutex_
  uint64_t next_id_ = 1;                        // guarded by mutex_
  InodeNumbers numbers_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_DEVICE_TABLE_H_
