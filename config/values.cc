#include "config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>

namespace shuntfs {
namespace {

struct Unit {
  char letter;
  int shift;
};
constexpr std::array<Unit, 3> kUnits = {{{'G', 30}, {'M', 20}, {'K', 10}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. The words are
// short, so the whole matrix is cheap.
size_t EditDistance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> cost((a.size() + 1) * width);
  const auto at = [&cost, width](size_t i, size_t j) -> size_t& { return cost[i * width + j]; };
  for (size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({replace, at(i - 1, j) + 1, at(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

}  // namespace

std::optional<uint64_t> ParseCount(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<uint64_t> ParseBytes(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int shift = 0;
  for (const Unit& unit : kUnits) {
    if (text.back() == unit.letter || text.back() == unit.letter - 'A' + 'a') shift = unit.shift;
  }
  if (shift != 0) text.remove_suffix(1);
  const std::optional<uint64_t> count = ParseCount(text);
  if (!count || *count > (std::numeric_limits<uint64_t>::max() >> shift)) return std::nullopt;
  return *count << shift;
}

std::optional<double> ParseSeconds(std::string_view text) {
  bool digit = false;
  int dots = 0;
  for (const char c : text) {
    if (IsDigit(c)) {
      digit = true;
    } else if (c != '.' || ++dots > 1) {
      return std::nullopt;
    }
  }
  if (!digit) return std::nullopt;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string FormatBytes(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    const uint64_t mask = (uint64_t{1} << unit.shift) - 1;
    if (bytes != 0 && (bytes & mask) == 0) return std::to_string(bytes >> unit.shift) + unit.letter;
  }
  return std::to_string(bytes);
}

std::string FormatSeconds(double seconds) {
  // 309 digits before the point, or 324 zeros and 17 digits behind it.
  std::array<char, 512> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  return error == std::errc() ? std::string(text.data(), end) : "";
}

std::optional<std::string> ClosestWord(std::string_view word,
                                       const std::vector<std::string_view>& candidates) {
  // Beyond this length it is no mistyped word, and the matrix would be the caller's to size.
  if (word.size() > 64) return std::nullopt;
  std::optional<std::string> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    // Each byte that one has more takes an insertion.
    if (candidate.size() >= word.size() + best_distance ||
        word.size() >= candidate.size() + best_distance)
      continue;
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::string(candidate);
    }
  }
  return best;
}

}  // namespace shuntfs
