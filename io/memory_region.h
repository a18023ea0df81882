// Memory for requests: the rings' headers and payloads, or a device thread's buffers, in one
// anonymous mapping.
//
// Floor 3. Owned by one RingGroup or FuseDevice. The mapping is aligned for huge pages and asks for
// them, is left out of core dumps (it holds users' data) and of forked children (a copy-on-write of
// pinned pages would part the child's view from the kernel's).
#ifndef SHUNTFS_IO_MEMORY_REGION_H_
#define SHUNTFS_IO_MEMORY_REGION_H_

#include <cstddef>
#include <span>

#include "core/base/errno.h"

namespace shuntfs {

class MemoryRegion {
 public:
  enum class Pages {
    kHuge,   // asked for, where the system has them: memory that is pinned and used whole
    kSmall,  // only what is touched is taken
  };
  static Result<MemoryRegion> Map(size_t bytes, Pages pages = Pages::kHuge);
  MemoryRegion(MemoryRegion&& other) noexcept;
  MemoryRegion& operator=(MemoryRegion&&) = delete;
  ~MemoryRegion();

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  MemoryRegion(void* mapping, size_t mapped, std::span<std::byte> bytes)
      : mapping_(mapping), mapped_(mapped), bytes_(bytes) {}

  void* mapping_;
  size_t mapped_;
  std::span<std::byte> bytes_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_MEMORY_REGION_H_
