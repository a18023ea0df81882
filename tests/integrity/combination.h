// One way to read and write one range of one file, and whether the file then holds what it must.
//
// Owner: tests/integrity. Thread: any; a race with truncate(2) starts one of its own and ends it.
#ifndef SHUNTFS_TESTS_INTEGRITY_COMBINATION_H_
#define SHUNTFS_TESTS_INTEGRITY_COMBINATION_H_

#include <cstdint>
#include <string>

namespace shuntfs::tests {

enum class Access : uint8_t { kBuffered, kDirect, kMapped };

enum class Place : uint8_t {
  kInside,
  kAcrossEnd,       // the file ends within the range
  kBeyondEnd,       // the range begins behind the end
  kAcrossHole,      // data, a hole and data again within the range
  kRacingTruncate,  // another thread moves the end through the range, down and up
};

struct Combination {
  Access access;
  bool aligned;  // to pages, in the file and in memory
  int64_t bytes;
  Place place;
};

std::string Describe(const Combination& combination);

// Reads and writes the file `number`, which this makes in `backing` and finds in `dir`, the mount,
// and removes. Empty, or what was wrong.
std::string Check(const Combination& combination, uint64_t number, const std::string& dir,
                  const std::string& backing);

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_COMBINATION_H_
