// How many bytes an x86-64 instruction stores, of the instructions that copying is made of.
//
// Those are: moves from a general or an SSE register to memory, and one round of MOVS and STOS.
// Everything else (PUSH, CALL, arithmetic on memory, AVX) counts as no store.
//
// Floor: tests. Pure.
#ifndef SHUNTFS_TESTS_BENCH_COUNTS_STORES_H_
#define SHUNTFS_TESTS_BENCH_COUNTS_STORES_H_

#include <cstdint>
#include <span>

namespace shuntfs::count {

inline uint64_t StoredBytes(std::span<const uint8_t> code) {
  bool half = false;  // prefix 66: operands of 16 bits
  bool wide = false;  // REX.W: operands of 64 bits
  size_t i = 0;
  const auto at = [&code](size_t index) { return index < code.size() ? code[index] : 0; };
  while (at(i) == 0x66 || at(i) == 0xf2 || at(i) == 0xf3) half |= at(i++) == 0x66;
  if ((at(i) & 0xf0) == 0x40) wide = (at(i++) & 0x08) != 0;
  const uint64_t operand = wide ? 8 : half ? 2 : 4;

  switch (at(i)) {
    case 0xa4:  // movsb
    case 0xaa:  // stosb
      return 1;
    case 0xa5:  // movs
    case 0xab:  // stos
      return operand;
  }
  // The other instructions have a ModRM byte, whose two upper bits are set when the target is a
  // register.
  const bool vector = at(i) == 0x0f;
  if (vector) ++i;
  if ((at(i + 1) & 0xc0) == 0xc0) return 0;
  if (!vector) return at(i) == 0x88 ? 1 : at(i) == 0x89 ? operand : 0;
  switch (at(i)) {
    case 0x11:  // movups, movupd; as movss and movsd, which are shorter, no copying uses it
    case 0x29:  // movaps, movapd
    case 0x2b:  // movntps, movntpd
    case 0x7f:  // movdqa, movdqu
    case 0xe7:  // movntdq
      return 16;
    case 0xc3:  // movnti
      return operand;
    default:
      return 0;
  }
}

}  // namespace shuntfs::count

#endif  // SHUNTFS_TESTS_BENCH_COUNTS_STORES_H_
