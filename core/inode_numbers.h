// The inode numbers that callers see. FUSE shows one st_dev for everything below the mount point,
// and (st_dev, st_ino) names a file to tar, rsync and backup programs, so files of other file
// systems below SRC are given numbers of their own.
//
// Files of SRC's own file system keep their numbers. The number of another file is a hash of its
// file system's identity and its number there, with bit 31 set, so that 32-bit programs can have
// it. It depends on nothing else and is the same after a remount, unless another file has it
// already. Then the file gets a 64-bit number (bit 62 set), until this table goes.
//
// Guaranteed: while the table has room (kMaxForeignNumbers), no two files of file systems below SRC
// get the same number, whatever numbers their file systems choose. Afterwards, new files get 64-bit
// numbers by hash alone. When a file of SRC's own file system turns out to have a number that was
// given away, it keeps it and the other file gets another from then on.
//
// Floor 2. Threads: any; one mutex, held for no system call. Numbers of SRC's own file system below
// 2^31 are never looked up.
#ifndef SHUNTFS_CORE_INODE_NUMBERS_H_
#define SHUNTFS_CORE_INODE_NUMBERS_H_

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "core/base/limits.h"

namespace shuntfs {

// A hash that is the same in each process and cannot be steered towards a value easily (SipHash-2-4
// of the three words, with a fixed key).
uint64_t StableHash(uint64_t a, uint64_t b, uint64_t c);

class InodeNumbers {
 public:
  using Hash = uint64_t (*)(uint64_t, uint64_t, uint64_t);

  // Tests give a hash that collides.
  explicit InodeNumbers(Hash hash = StableHash, size_t most = kMaxForeignNumbers)
      : hash_(hash), most_(most) {}

  // The number to show for inode `ino` of SRC's own file system: `ino`.
  uint64_t Own(uint64_t ino) {
    if (ino >= kLow) Claim(ino);
    return ino;
  }
  // The number to show for inode `ino` of the file system with this identity.
  uint64_t Foreign(uint64_t file_system, uint64_t ino);

 private:
  using File = std::pair<uint64_t, uint64_t>;

  static constexpr uint64_t kLow = uint64_t{1} << 31;
  static constexpr uint64_t kHigh = uint64_t{1} << 62;
  // File system of numbers that belong to SRC's own; the identity of no other.
  static constexpr uint64_t kOwn = 0;

  void Claim(uint64_t ino);
  // Whether `file` has or gets `number`.
  bool Take(uint64_t number, const File& file);

  const Hash hash_;
  const size_t most_;
  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, File> given_;  // guarded by mutex_; by number
  bool own_is_low_ = false;  // guarded by mutex_; SRC's own file system has such numbers itself
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_INODE_NUMBERS_H_
