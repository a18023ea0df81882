// The bytes that a file of a given number holds at each offset: no two files and no two places have
// the same, and none is zero, so that a byte tells whose it is.
//
// Owner: none, a value. Thread: any.
#ifndef SHUNTFS_TESTS_INTEGRITY_PATTERN_H_
#define SHUNTFS_TESTS_INTEGRITY_PATTERN_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace shuntfs::tests {

class Pattern {
 public:
  explicit Pattern(uint64_t file) : file_(file) {}

  void Fill(int64_t offset, unsigned char* bytes, int64_t length) const {
    for (int64_t i = 0; i < length;) {
      const auto place = static_cast<uint64_t>(offset + i);
      const uint64_t in_word = place % kWordBytes;
      const auto count =
          static_cast<int64_t>(std::min(kWordBytes - in_word, static_cast<uint64_t>(length - i)));
      const uint64_t rest_of_word = Word(place / kWordBytes) >> (in_word * 8);
      std::memcpy(bytes + i, &rest_of_word, static_cast<size_t>(count));
      i += count;
    }
  }

  std::vector<unsigned char> Bytes(int64_t offset, int64_t length) const {
    std::vector<unsigned char> bytes(static_cast<size_t>(length));
    Fill(offset, bytes.data(), length);
    return bytes;
  }

  // The index of the first byte that is neither this file's nor a hole's zero; -1: there is none.
  int64_t FirstForeign(int64_t offset, const unsigned char* bytes, int64_t length) const {
    const std::vector<unsigned char> own = Bytes(offset, length);
    if (std::memcmp(bytes, own.data(), own.size()) == 0) return -1;
    for (int64_t i = 0; i < length; ++i) {
      if (bytes[i] != 0 && bytes[i] != own[static_cast<size_t>(i)]) return i;
    }
    return -1;
  }

 private:
  static constexpr uint64_t kWordBytes = 8;

  // The finalizer of SplitMix64: neighbours have nothing in common.
  uint64_t Word(uint64_t index) const {
    uint64_t x = (file_ << 40) + index + 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    // One bit in each byte keeps it from being a hole's.
    return (x ^ (x >> 31)) | 0x0101010101010101U;
  }

  uint64_t file_;
};

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_PATTERN_H_
