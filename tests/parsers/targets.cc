#include "tests/parsers/targets.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace shuntfs::parsers {

std::span<const Target> Targets() {
  static constexpr auto kTargets = std::to_array<Target>({
      {"control", &CheckControl},
      {"http", &CheckHttp},
      {"json", &CheckJson},
      {"config_file", &CheckConfigFile},
      {"mount_words", &CheckMountWords},
      {"mount_info", &CheckMountInfo},
      {"id_maps", &CheckIdMaps},
      {"acl", &CheckAcl},
  });
  return kTargets;
}

void RunTarget(const Target& target, std::string_view input) {
  const std::vector<char> copy(input.begin(), input.end());
  target.run(std::string_view(copy.data(), copy.size()));
}

void Require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "a parser broke a promise: %s\n", what);
  std::abort();
}

}  // namespace shuntfs::parsers
