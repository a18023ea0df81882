// Two instructions that tell the plugin where a measured region begins and ends.
//
// They do nothing, and no compiler makes them: an exchange of a 16-bit register with itself.
//
// Floor: tests. Shared by the program that is measured (client.cc) and the plugin
// (block_counts.cc).
#ifndef SHUNTFS_TESTS_BENCH_MODES_MARKERS_H_
#define SHUNTFS_TESTS_BENCH_MODES_MARKERS_H_

#include <array>
#include <cstdint>

namespace shuntfs::count {

inline constexpr std::array<uint8_t, 3> kBeginCode = {0x66, 0x87, 0xdb};  // xchg %bx,%bx
inline constexpr std::array<uint8_t, 3> kEndCode = {0x66, 0x87, 0xc9};    // xchg %cx,%cx

inline void MarkBegin() { asm volatile(".byte 0x66, 0x87, 0xdb" ::: "memory"); }
inline void MarkEnd() { asm volatile(".byte 0x66, 0x87, 0xc9" ::: "memory"); }

}  // namespace shuntfs::count

#endif  // SHUNTFS_TESTS_BENCH_MODES_MARKERS_H_
