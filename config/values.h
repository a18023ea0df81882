// Reads the values that options and flags carry: numbers with units, and finds the word that a
// mistyped one was probably meant to be.
//
// Floor 3. Pure functions, any thread. No value means "not of this form"; the caller writes the
// sentence.
#ifndef SHUNTFS_CONFIG_VALUES_H_
#define SHUNTFS_CONFIG_VALUES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shuntfs {

// Digits alone.
std::optional<uint64_t> ParseCount(std::string_view text);

// Digits with an optional K, M or G (powers of 1024, either case).
std::optional<uint64_t> ParseBytes(std::string_view text);

// Digits with an optional fraction: no sign, no exponent, no "inf".
std::optional<double> ParseSeconds(std::string_view text);

// The shortest exact spelling with K, M or G: 1048576 is "1M".
std::string FormatBytes(uint64_t bytes);

// The shortest decimal number that ParseSeconds() reads as the same value, if that is finite and
// not negative.
std::string FormatSeconds(double seconds);

// The candidate nearest to `word`, or nothing when none is near enough to be meant.
std::optional<std::string> ClosestWord(std::string_view word,
                                       const std::vector<std::string_view>& candidates);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_VALUES_H_
