// The fuzz target on its seeds, and on seeds with bytes changed: no compiler but the project's own
// needed, the same inputs in every run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/io/ring_entry_fuzz.h"

namespace shuntfs {
namespace {

using Bytes = std::vector<uint8_t>;

std::vector<Bytes> Seeds() {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator("tests/io/ring_entry_seeds"))
    paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

TEST(RingEntryRandomTest, SeedsKeepThePromises) {
  const std::vector<Bytes> seeds = Seeds();
  EXPECT_GE(seeds.size(), 10u);
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
}

TEST(RingEntryRandomTest, DamagedSeedsKeepThePromises) {
  const std::vector<Bytes> seeds = Seeds();
  ASSERT_FALSE(seeds.empty());
  std::mt19937 random(20261130);
  for (int round = 0; round < 30'000; ++round) {
    Bytes input = seeds[random() % seeds.size()];
    for (auto damage = 1 + random() % 8; damage > 0; --damage)
      input[random() % input.size()] = static_cast<uint8_t>(random());
    input.resize(1 + random() % input.size());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

TEST(RingEntryRandomTest, NoiseKeepsThePromises) {
  std::mt19937 random(20261201);
  for (int round = 0; round < 10'000; ++round) {
    Bytes input(random() % 1000);
    std::generate(input.begin(), input.end(), [&random] { return static_cast<uint8_t>(random()); });
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

}  // namespace
}  // namespace shuntfs
