// The parsers' fuzz targets on their seeds, and on seeds with bytes changed: no compiler but the
// project's own needed, the same inputs in every run.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

class ParsersRandomTest : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    std::vector<std::filesystem::path> paths;
    const std::filesystem::path folder = "tests/parsers/seeds/" + std::string(GetParam().name);
    for (const auto& file : std::filesystem::directory_iterator(folder))
      paths.push_back(file.path());
    std::sort(paths.begin(), paths.end());
    for (const std::filesystem::path& path : paths) {
      std::ifstream file(path, std::ios::binary);
      seeds_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    ASSERT_GE(seeds_.size(), 3u);
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_{20261130};
};

TEST_P(ParsersRandomTest, SeedsKeepThePromises) {
  for (const std::string& seed : seeds_) RunTarget(GetParam(), seed);
}

TEST_P(ParsersRandomTest, DamagedSeedsKeepThePromises) {
  for (int round = 0; round < 1000; ++round) {
    std::string input = seeds_[random_() % seeds_.size()];
    if (input.empty()) continue;
    for (auto damage = 1 + random_() % 4; damage > 0; --damage) {
      const size_t at = random_() % input.size();
      switch (random_() % 3) {
        case 0:
          input[at] = static_cast<char>(random_());
          break;
        case 1:
          input.erase(at, 1 + random_() % 8);
          input += ' ';
          break;
        default:
          input.insert(at, input.substr(random_() % input.size(), random_() % 16));
      }
    }
    RunTarget(GetParam(), input);
  }
}

TEST_P(ParsersRandomTest, NoiseKeepsThePromises) {
  for (int round = 0; round < 300; ++round) {
    std::string input(random_() % 500, '\0');
    std::generate(input.begin(), input.end(), [this] { return static_cast<char>(random_()); });
    RunTarget(GetParam(), input);
  }
}

INSTANTIATE_TEST_SUITE_P(Parsers, ParsersRandomTest,
                         testing::ValuesIn(Targets().begin(), Targets().end()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace shuntfs::parsers
