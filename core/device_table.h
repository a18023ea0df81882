// The file systems below SRC: what kind each is, and how their inode numbers are told apart.
//
// Floor 2. Filled as file systems are met and never emptied (at most kMaxDevices). Find is
// lock-free, Add locks. FUSE shows one st_dev for everything below the mount point, so an inode
// number of a file system other than SRC's own is shown with the file system's index in its upper
// bits.
#ifndef SHUNTFS_CORE_DEVICE_TABLE_H_
#define SHUNTFS_CORE_DEVICE_TABLE_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/base/limits.h"

namespace shuntfs {

// How data moves on files of a file system (docs/tuning.md has the measurements).
enum class IoPolicy : uint8_t {
  kFixed,  // READ_FIXED / WRITE_FIXED through the ring
  kPlain,  // pread / pwrite on the thread, in the registered buffer
};

struct BackingDevice {
  dev_t dev = 0;
  uint32_t index = 0;  // 0: the file system of SRC itself
  bool may_block =
      false;  // answers can take for ever (network, FUSE, unknown): never called on a ring thread
  bool wants_flush = false;
  bool in_memory = false;  // tmpfs: reads and writes never wait for a device
  // FUSE: of a direct write that was taken in part, only a system call tells how much; io_uring's
  // asynchronous one gets EIO (fs/fuse/file.c, fuse_get_res_by_io).
  bool writes_by_call = false;
  IoPolicy read = IoPolicy::kPlain;
  IoPolicy write = IoPolicy::kPlain;

  uint64_t ShownInode(uint64_t ino) const { return ino ^ (uint64_t{index} << kForeignInodeShift); }
};

// What the operator asked for; "auto" decides by the kind of file system.
enum class PolicyWish : uint8_t { kAuto, kFixed, kPlain };

// The decision alone: `fs_type` as /proc/self/mountinfo spells it.
BackingDevice ClassifyFileSystem(const std::string& fs_type, PolicyWish read, PolicyWish write);

// The type of the mount with this id (STATX_MNT_ID), from /proc/self/mountinfo; empty when it is
// not there. Never blocks on the mount.
std::string MountTypeOf(uint64_t mount_id);

class DeviceTable {
 public:
  DeviceTable(PolicyWish read, PolicyWish write) : read_(read), write_(write) {}

  // The entry of `dev`, made on first sight from the type of mount `mount_id`. Never null: when the
  // table is full, the last entry, which is treated as one that may block.
  const BackingDevice* FindOrAdd(dev_t dev, uint64_t mount_id);

 private:
  static constexpr size_t kMaxDevices = 1024;

  const PolicyWish read_;
  const PolicyWish write_;
  std::mutex mutex_;  // held while an entry is added
  std::atomic<size_t> count_{0};
  std::array<BackingDevice, kMaxDevices> devices_{};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_DEVICE_TABLE_H_
