// Offsets in a directory's listing, as the kernel is told them: SRC's own, shortened where 32-bit
// programs could not hold them.
//
// Floor 2. Pure. ext4 returns 64 bits: the hash of the next entry's name in the upper half and a
// second hash in the lower (fs/ext4/dir.c, hash2pos). The kernel gives a 32-bit program the upper
// half natively; of a FUSE mount it gets all 64 bits, and its readdir(3) fails with EOVERFLOW. So
// the upper half alone is shown where it names one entry. Entries with the same upper half follow
// each other, and the first of them is found by it; of the others all bits are shown.
#ifndef SHUNTFS_CORE_DIRECTORY_OFFSETS_H_
#define SHUNTFS_CORE_DIRECTORY_OFFSETS_H_

#include <cstdint>

namespace shuntfs {

inline constexpr uint64_t kMaxShortOffset = 0x7fffffff;

// What is shown of `offset`, that of the entry which SRC returned at `position` (the offset of the
// entry before it, or where the listing was continued).
inline uint64_t ShownOffset(uint64_t offset, uint64_t position) {
  const uint64_t upper = offset >> 32;
  return upper == 0 || upper == position >> 32 ? offset : upper;
}

// SRC's offset for one that was shown.
inline uint64_t SourceOffset(uint64_t shown) {
  return shown <= kMaxShortOffset ? shown << 32 : shown;
}

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_DIRECTORY_OFFSETS_H_
