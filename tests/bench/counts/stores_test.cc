#include "tests/bench/counts/stores.h"

#include <gtest/gtest.h>

#include <vector>

namespace shuntfs::count {
namespace {

uint64_t Of(std::vector<uint8_t> code) { return StoredBytes(code); }

TEST(StoresTest, StringInstructionsStoreOneOperandPerRound) {
  EXPECT_EQ(Of({0xf3, 0xa4}), 1U);        // rep movsb
  EXPECT_EQ(Of({0xf3, 0x48, 0xa5}), 8U);  // rep movsq
  EXPECT_EQ(Of({0xf3, 0xa5}), 4U);        // rep movsl
  EXPECT_EQ(Of({0xf3, 0x48, 0xab}), 8U);  // rep stosq
}

TEST(StoresTest, MovesToMemoryStoreTheirOperand) {
  EXPECT_EQ(Of({0x4c, 0x89, 0x07}), 8U);         // mov %r8,(%rdi)
  EXPECT_EQ(Of({0x4c, 0x89, 0x4f, 0x08}), 8U);   // mov %r9,8(%rdi)
  EXPECT_EQ(Of({0x89, 0x07}), 4U);               // mov %eax,(%rdi)
  EXPECT_EQ(Of({0x66, 0x89, 0x07}), 2U);         // mov %ax,(%rdi)
  EXPECT_EQ(Of({0x88, 0x07}), 1U);               // mov %al,(%rdi)
  EXPECT_EQ(Of({0x0f, 0x11, 0x07}), 16U);        // movups %xmm0,(%rdi)
  EXPECT_EQ(Of({0xf3, 0x0f, 0x7f, 0x07}), 16U);  // movdqu %xmm0,(%rdi)
}

TEST(StoresTest, LoadsAndRegistersStoreNothing) {
  EXPECT_EQ(Of({0x4c, 0x8b, 0x06}), 0U);  // mov (%rsi),%r8
  EXPECT_EQ(Of({0x48, 0x89, 0xc7}), 0U);  // mov %rax,%rdi
  EXPECT_EQ(Of({0x0f, 0x11, 0xc1}), 0U);  // movups %xmm0,%xmm1
  EXPECT_EQ(Of({0x0f, 0x1f, 0x00}), 0U);  // nopl (%rax)
  EXPECT_EQ(Of({0x90}), 0U);
}

}  // namespace
}  // namespace shuntfs::count
