#include "io/memory_region.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "io/memory_plan.h"

namespace shuntfs {
namespace {

// The VmFlags line of the mapping that holds `address`; empty when nothing is mapped there.
std::string FlagsAt(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t from = 0;
    uintptr_t to = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

TEST(MemoryRegion, IsAlignedRoundedUpAndEmpty) {
  for (const size_t bytes : {size_t{1}, size_t{4096}, size_t{4097}, size_t{3} << 20}) {
    const Result<MemoryRegion> region = MemoryRegion::Map(bytes);
    ASSERT_TRUE(region.ok());
    const std::span<std::byte> area = region->bytes();
    EXPECT_EQ(area.size(), (bytes + 4095) / 4096 * 4096);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(area.data()) % kHugePageBytes, 0u);
    for (const std::byte b : area) ASSERT_EQ(b, std::byte{0});
    area.back() = std::byte{1};
  }
}

TEST(MemoryRegion, IsKeptFromDumpsAndChildren) {
  const Result<MemoryRegion> region = MemoryRegion::Map(1 << 20);
  ASSERT_TRUE(region.ok());
  for (const std::byte* at : {&region->bytes().front(), &region->bytes().back()}) {
    const std::string flags = FlagsAt(at);
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
    EXPECT_NE(flags.find(" dc "), std::string::npos) << flags;
  }
}

TEST(MemoryRegion, IsGivenBackByItsLastOwner) {
  std::byte* at = nullptr;
  {
    Result<MemoryRegion> region = MemoryRegion::Map(8192);
    ASSERT_TRUE(region.ok());
    at = region->bytes().data();
    const MemoryRegion moved = std::move(*region);
    EXPECT_EQ(moved.bytes().data(), at);
    EXPECT_TRUE(region->bytes().empty());
    EXPECT_NE(FlagsAt(at), "");
  }
  unsigned char resident = 0;
  EXPECT_EQ(mincore(at, 4096, &resident), -1);
}

TEST(MemoryRegion, TellsWhenThereIsNoRoom) {
  const Result<MemoryRegion> region = MemoryRegion::Map(size_t{1} << 60);
  ASSERT_FALSE(region.ok());
  EXPECT_EQ(region.error(), Errno(ENOMEM));
}

}  // namespace
}  // namespace shuntfs
