// libFuzzer's entry point. `--target=NAME`, which libFuzzer itself ignores, chooses the parser.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/parsers/targets.h"

namespace {

const shuntfs::parsers::Target* g_target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kFlag = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view word = (*argv)[i];
    if (!word.starts_with(kFlag)) continue;
    const auto targets = shuntfs::parsers::Targets();
    const auto found =
        std::ranges::find(targets, word.substr(kFlag.size()), &shuntfs::parsers::Target::name);
    if (found != targets.end()) g_target = &*found;
  }
  if (g_target != nullptr) return 0;
  std::fprintf(stderr, "--target= names one of:");
  for (const auto& target : shuntfs::parsers::Targets())
    std::fprintf(stderr, " %s", target.name.data());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shuntfs::parsers::RunTarget(
      *g_target,
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
