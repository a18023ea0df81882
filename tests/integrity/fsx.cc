// Runs file exercisers, one process and one file each; see fsx.sh for how it is run.
//
//   fsx --dir=DIR [--backing=DIR] [--seed=N] [--operations=N] [--processes=N] [--max-length=BYTES]
//
// The files stay behind, so that the caller can compare them again after the caches are gone.
// Exit status: 0 all agreed, 1 a difference was found (its seed is printed), 2 wrong usage.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integrity/file_exerciser.h"

namespace shuntfs::tests {
namespace {

struct Arguments {
  std::string dir;
  std::string backing;
  uint64_t seed = 1;
  uint64_t operations = 5000;
  uint64_t processes = 1;
  uint64_t max_length_bytes = 1 << 20;
};

bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    char* end = nullptr;
    const uint64_t number = std::strtoull(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == '\0';
    if (name == "--dir") {
      arguments->dir = value;
    } else if (name == "--backing") {
      arguments->backing = value;
    } else if (name == "--seed" && is_number) {
      arguments->seed = number;
    } else if (name == "--operations" && is_number) {
      arguments->operations = number;
    } else if (name == "--processes" && is_number) {
      arguments->processes = number;
    } else if (name == "--max-length" && is_number && number >= 65536 && number % 4096 == 0) {
      arguments->max_length_bytes = number;
    } else {
      std::fprintf(stderr, "fsx: unknown or malformed argument %s\n", argv[i]);
      return false;
    }
  }
  if (arguments->dir.empty()) std::fprintf(stderr, "fsx: --dir=DIR is needed\n");
  return !arguments->dir.empty();
}

int Exercise(const Arguments& arguments, uint64_t process) {
  const std::string name = "/file" + std::to_string(process);
  FileExerciser::Options options;
  options.path = arguments.dir + name;
  options.backing_path = arguments.backing.empty() ? "" : arguments.backing + name;
  options.seed = arguments.seed + process;
  options.operations = arguments.operations;
  options.max_length_bytes = static_cast<int64_t>(arguments.max_length_bytes);
  const std::string failure = FileExerciser(options).Run();
  if (!failure.empty()) std::fprintf(stderr, "DIFFERENCE with %s", failure.c_str());
  return failure.empty() ? 0 : 1;
}

int Run(const Arguments& arguments) {
  std::vector<pid_t> children;
  for (uint64_t process = 0; process < arguments.processes; ++process) {
    const pid_t child = fork();
    if (child == 0) _exit(Exercise(arguments, process));
    if (child < 0) {
      std::perror("fsx: fork");
      return 2;
    }
    children.push_back(child);
  }
  int result = 0;
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) result = 1;
  }
  std::printf("fsx: %llu operations on each of %llu files of up to %llu bytes, seed %llu: %s\n",
              static_cast<unsigned long long>(arguments.operations),
              static_cast<unsigned long long>(arguments.processes),
              static_cast<unsigned long long>(arguments.max_length_bytes),
              static_cast<unsigned long long>(arguments.seed),
              result == 0 ? "all agreed" : "a difference was found");
  return result;
}

}  // namespace
}  // namespace shuntfs::tests

int main(int argc, char** argv) {
  shuntfs::tests::Arguments arguments;
  if (!shuntfs::tests::Parse(argc, argv, &arguments)) return 2;
  return shuntfs::tests::Run(arguments);
}
