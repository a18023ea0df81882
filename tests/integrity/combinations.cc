// Every combination of a way to reach a file's content, an alignment, a size and a place, each on a
// file of its own, compared with what the file must hold: as read, as read again with nothing
// cached, and as the backing file has it.
//
//   combinations --dir=DIR --backing=DIR
//
// The files are made in the backing directory, so that the first read of each comes from there.
// Exit status: 0 all agreed, 1 some did not (each is named), 2 wrong usage.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/integrity/combination.h"

namespace shuntfs::tests {
namespace {

constexpr Access kAccesses[] = {Access::kBuffered, Access::kDirect, Access::kMapped};
constexpr Place kPlaces[] = {Place::kInside, Place::kAcrossEnd, Place::kBeyondEnd,
                             Place::kAcrossHole, Place::kRacingTruncate};
// On both sides of a sector, a page, and the largest request.
constexpr int64_t kSizes[] = {1,      511,         512,     4095,          4096,   4097,
                              131071, 1048576 - 1, 1048576, 1048576 + 513, 4 << 20};

int Run(const std::string& dir, const std::string& backing) {
  uint64_t number = 0;
  int failures = 0;
  for (const Access access : kAccesses) {
    for (const bool aligned : {true, false}) {
      for (const int64_t bytes : kSizes) {
        for (const Place place : kPlaces) {
          const Combination combination{access, aligned, bytes, place};
          const std::string failure = Check(combination, ++number, dir, backing);
          if (failure.empty()) continue;
          std::fprintf(stderr, "%s: %s\n", Describe(combination).c_str(), failure.c_str());
          ++failures;
        }
      }
    }
  }
  std::printf("combinations: %llu, of which %d failed\n", static_cast<unsigned long long>(number),
              failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace shuntfs::tests

int main(int argc, char** argv) {
  std::string dir;
  std::string backing;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--dir=")) dir = argument.substr(6);
    if (argument.starts_with("--backing=")) backing = argument.substr(10);
  }
  if (argc != 3 || dir.empty() || backing.empty()) {
    std::fprintf(stderr, "combinations: --dir=DIR and --backing=DIR are needed\n");
    return 2;
  }
  return shuntfs::tests::Run(dir, backing);
}
