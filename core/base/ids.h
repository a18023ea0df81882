// Strong types for the numbers that pass between the kernel and us, so that one cannot be handed
// over for another.
//
// Floor 0. Plain values.
#ifndef SHUNTFS_CORE_BASE_IDS_H_
#define SHUNTFS_CORE_BASE_IDS_H_

#include <compare>
#include <cstdint>

namespace shuntfs {

template <typename Tag, typename Rep>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Rep value_ = 0;
};

// What the kernel calls an inode: low 32 bits the slot of our table, high 32 bits the slot's
// generation. 1 is the root, 0 is none.
using NodeId = StrongId<struct NodeIdTag, uint64_t>;
// What the kernel calls an open file or directory, built like NodeId.
using FileHandle = StrongId<struct FileHandleTag, uint64_t>;
// The kernel's number of a request; an INTERRUPT names it.
using Unique = StrongId<struct UniqueTag, uint64_t>;
// What COMMIT_AND_FETCH names the request by.
using CommitId = StrongId<struct CommitIdTag, uint64_t>;
// A ring queue of the kernel: one per possible CPU.
using QueueId = StrongId<struct QueueIdTag, uint16_t>;

// An owner or group as SRC has it, and as the callers of the mount see it. core/id_map.h turns one
// into the other.
using HostUid = StrongId<struct HostUidTag, uint32_t>;
using HostGid = StrongId<struct HostGidTag, uint32_t>;
using CallerUid = StrongId<struct CallerUidTag, uint32_t>;
using CallerGid = StrongId<struct CallerGidTag, uint32_t>;

inline constexpr NodeId kRootNodeId{1};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_BASE_IDS_H_
