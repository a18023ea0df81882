#include "core/inode_numbers.h"

#include <bit>

namespace shuntfs {
namespace {

struct SipState {
  uint64_t v0 = 0x736f6d6570736575;
  uint64_t v1 = 0x646f72616e646f6d;
  uint64_t v2 = 0x6c7967656e657261;
  uint64_t v3 = 0x7465646279746573;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Add(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t StableHash(uint64_t a, uint64_t b, uint64_t c) {
  SipState state;
  for (const uint64_t word : {a, b, c, uint64_t{24} << 56}) state.Add(word);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

uint64_t InodeNumbers::Foreign(uint64_t file_system, uint64_t ino) {
  const File file(file_system, ino);
  const uint64_t low = (hash_(file_system, ino, 0) & (kLow - 1)) | kLow;
  const std::lock_guard lock(mutex_);
  // A number that was given stays, even if SRC's own file system shows such numbers by now.
  const auto given = given_.find(low);
  if (given != given_.end() && given->second == file) return low;
  const bool full = given_.size() >= most_;
  if (!full && !own_is_low_ && Take(low, file)) return low;
  // Ends: the table has fewer numbers than there are.
  for (uint64_t next = hash_(file_system, ino, 1);; ++next) {
    const uint64_t high = (next & (kHigh - 1)) | kHigh;
    if (Take(high, file)) return high;
  }
}

// mutex_ is held. A full table notes nothing more.
bool InodeNumbers::Take(uint64_t number, const File& file) {
  const auto given = given_.find(number);
  if (given != given_.end()) return given->second == file;
  if (given_.size() < most_) given_.emplace(number, file);
  return true;
}

void InodeNumbers::Claim(uint64_t ino) {
  const bool low = ino < 2 * kLow;
  if (!low && (ino & kHigh) == 0) return;
  const std::lock_guard lock(mutex_);
  if (low) own_is_low_ = true;
  const auto given = given_.find(ino);
  if (given != given_.end()) given->second = File(kOwn, ino);
}

}  // namespace shuntfs
