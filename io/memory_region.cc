#include "io/memory_region.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "io/memory_plan.h"

namespace shuntfs {

Result<MemoryRegion> MemoryRegion::Map(size_t bytes, Pages pages) {
  constexpr size_t kPage = 4096;
  const size_t rounded = (bytes + kPage - 1) / kPage * kPage;
  const size_t mapped = rounded + kHugePageBytes;
  void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return Errno::Last();
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  const uintptr_t aligned = (address + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  auto* begin = static_cast<std::byte*>(mapping) + (aligned - address);
  madvise(
      begin, rounded,
      pages == Pages::kHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);  // a wish: works the same without
  if (madvise(begin, rounded, MADV_DONTDUMP) != 0 || madvise(begin, rounded, MADV_DONTFORK) != 0) {
    const Errno error = Errno::Last();
    munmap(mapping, mapped);
    return error;
  }
  return MemoryRegion(mapping, mapped, {begin, rounded});
}

MemoryRegion::MemoryRegion(MemoryRegion&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(other.mapped_),
      bytes_(std::exchange(other.bytes_, {})) {}

MemoryRegion::~MemoryRegion() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

}  // namespace shuntfs
