#include "config/values.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace shuntfs {
namespace {

TEST(ParseCount, TakesDigitsAlone) {
  EXPECT_EQ(ParseCount("0"), 0u);
  EXPECT_EQ(ParseCount("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x10", "1.0", "18446744073709551616"}) {
    EXPECT_FALSE(ParseCount(bad)) << bad;
  }
}

TEST(ParseBytes, KnowsUnits) {
  EXPECT_EQ(ParseBytes("4096"), 4096u);
  EXPECT_EQ(ParseBytes("4K"), 4096u);
  EXPECT_EQ(ParseBytes("4k"), 4096u);
  EXPECT_EQ(ParseBytes("64M"), uint64_t{64} << 20);
  EXPECT_EQ(ParseBytes("3g"), uint64_t{3} << 30);
  for (const char* bad : {"", "K", "1T", "1KB", "1.5M", "-1K", "K1"}) {
    EXPECT_FALSE(ParseBytes(bad)) << bad;
  }
}

TEST(ParseBytes, RefusesWhatDoesNotFit) {
  EXPECT_EQ(ParseBytes("17179869183G"), uint64_t{17179869183} << 30);
  EXPECT_FALSE(ParseBytes("17179869184G"));
}

TEST(ParseSeconds, TakesPlainDecimals) {
  EXPECT_DOUBLE_EQ(*ParseSeconds("0"), 0);
  EXPECT_DOUBLE_EQ(*ParseSeconds("1.5"), 1.5);
  EXPECT_DOUBLE_EQ(*ParseSeconds(".25"), 0.25);
  EXPECT_DOUBLE_EQ(*ParseSeconds("3."), 3);
  for (const char* bad : {"", ".", "-1", "1e3", "inf", "nan", "0x1", "1.2.3", "1s", "1,5"}) {
    EXPECT_FALSE(ParseSeconds(bad)) << bad;
  }
}

TEST(FormatSeconds, GivesBackWhatWasParsed) {
  for (const char* text : {"0", "1", "1.5", "0.00001", "31535999.875", "100000000000000000000"}) {
    EXPECT_EQ(FormatSeconds(*ParseSeconds(text)), text);
  }
  for (const double seconds :
       {std::numeric_limits<double>::max(), 5e-324, 2.2250738585072014e-308, 1.0 / 3}) {
    EXPECT_EQ(ParseSeconds(FormatSeconds(seconds)), seconds);
  }
}

TEST(FormatBytes, GivesBackWhatWasParsed) {
  for (const char* text : {"0", "1", "4095", "4K", "1M", "64M", "2G", "1025K"}) {
    EXPECT_EQ(FormatBytes(*ParseBytes(text)), text);
  }
}

TEST(ClosestWord, FindsWhatWasMeant) {
  const std::vector<std::string_view> words = {"mount", "umount", "status", "probe"};
  EXPECT_EQ(ClosestWord("muont", words), "mount");  // Two neighbours swapped.
  EXPECT_EQ(ClosestWord("unmount", words), "umount");
  EXPECT_EQ(ClosestWord("stat", words), std::nullopt);
  EXPECT_EQ(ClosestWord("statu", words), "status");
  EXPECT_EQ(ClosestWord("zzzzz", words), std::nullopt);
  EXPECT_EQ(ClosestWord(std::string(100000, 'm'), words), std::nullopt);
}

}  // namespace
}  // namespace shuntfs
