// The randomized model test: sequences of operations are carried out on the mount and on a plain
// directory; every outcome and the final states must agree. See model.sh for how it is run.
//
//   model --mount=DIR --plain=DIR [--backing=DIR] [--seed=N] [--sequences=N] [--processes=N]
//   [--operations=N]
//
// DIR of --mount and --plain should lie on file systems of the same type. With --backing, the
// directory that the mount shows, the state seen through the mount must also be the state
// underneath. Sequence number i uses the seed `seed + i`, so a failure is repeated by the printed
// seed with one sequence.
//
// Exit status: 0 all agreed, 1 a difference was found, 2 wrong usage.
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "tests/integrity/operation.h"
#include "tests/integrity/subject.h"
#include "tests/integrity/tree_state.h"

namespace shuntfs::tests {
namespace {

struct Options {
  std::string mount;
  std::string plain;
  std::string backing;
  uint64_t seed = 1;
  uint64_t sequences = 200;
  uint64_t processes = 1;
  uint64_t operations = 100;
};

bool ParseText(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name)) return false;
  *value = argument.substr(name.size());
  return true;
}

bool ParseNumber(std::string_view argument, std::string_view name, uint64_t* value) {
  std::string text;
  if (!ParseText(argument, name, &text)) return false;
  char* end = nullptr;
  *value = std::strtoull(text.c_str(), &end, 10);
  return !text.empty() && *end == '\0';
}

bool Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!ParseText(argument, "--mount=", &options->mount) &&
        !ParseText(argument, "--plain=", &options->plain) &&
        !ParseText(argument, "--backing=", &options->backing) &&
        !ParseNumber(argument, "--seed=", &options->seed) &&
        !ParseNumber(argument, "--sequences=", &options->sequences) &&
        !ParseNumber(argument, "--processes=", &options->processes) &&
        !ParseNumber(argument, "--operations=", &options->operations)) {
      std::fprintf(stderr, "model: unknown or malformed argument %s\n", argv[i]);
      return false;
    }
  }
  if (options->mount.empty() || options->plain.empty()) {
    std::fprintf(stderr, "model: --mount=DIR and --plain=DIR are needed\n");
    return false;
  }
  return true;
}

void MakeRoot(const std::string& path) {
  if (mkdir(path.c_str(), 0777) != 0 || chmod(path.c_str(), 0777) != 0) {
    std::fprintf(stderr, "model: cannot make %s: %s\n", path.c_str(), std::strerror(errno));
    std::exit(2);
  }
}

struct Step {
  Operation operation;
  Outcome on_mount;
  Outcome on_plain;
};

// What came of one sequence: empty `what` when mount and plain directory agreed.
struct Verdict {
  std::string what;
  std::vector<Step> history;
};

std::vector<Operation> Generate(uint64_t seed, uint64_t count) {
  OperationGenerator generator(seed);
  std::vector<Operation> operations;
  for (uint64_t i = 0; i < count; ++i) operations.push_back(generator.Next());
  return operations;
}

std::string CompareStates(const std::string& mount_root, const std::string& plain_root,
                          const std::string& backing_root) {
  const TreeState mount_state = CaptureTree(mount_root);
  const std::string beside = Difference(mount_state, "mount", CaptureTree(plain_root), "plain");
  const std::string below =
      backing_root.empty() ? ""
                           : Difference(mount_state, "mount", CaptureTree(backing_root), "backing");
  std::string text;
  if (!beside.empty()) text += "the final states differ\n" + beside;
  if (!below.empty()) text += "the mount does not show what is underneath\n" + below;
  return text;
}

// Carries out the operations in a directory of their own, on both sides.
Verdict RunOperations(const Options& options, const std::string& name,
                      const std::vector<Operation>& operations, bool compare_while_open) {
  const std::string mount_root = options.mount + "/" + name;
  const std::string plain_root = options.plain + "/" + name;
  MakeRoot(mount_root);
  MakeRoot(plain_root);
  Verdict verdict;
  {
    Subject on_mount(mount_root);
    Subject on_plain(plain_root);
    for (const Operation& operation : operations) {
      Step step{operation, on_mount.Perform(operation), on_plain.Perform(operation)};
      const bool same = step.on_mount == step.on_plain;
      verdict.history.push_back(std::move(step));
      if (same) continue;
      verdict.what =
          "operation " + std::to_string(verdict.history.size() - 1) + " has different outcomes";
      break;
    }
    if (!compare_while_open) on_mount.CloseAll();
    if (verdict.what.empty()) {
      verdict.what = CompareStates(mount_root, plain_root,
                                   options.backing.empty() ? "" : options.backing + "/" + name);
    }
  }
  for (const std::string& root : {mount_root, plain_root}) {
    std::error_code error;
    std::filesystem::remove_all(root, error);
    if (error && verdict.what.empty()) {
      verdict.what = "removing " + root + " failed: " + error.message();
    }
  }
  return verdict;
}

// Leaves out whatever the difference does not need. Operations do not depend on each other when
// they are generated, so any subset of them is a sequence too.
Verdict Shrink(const Options& options, const std::string& name, std::vector<Operation> operations,
               bool compare_while_open, Verdict verdict) {
  uint64_t attempt = 0;
  for (size_t piece = operations.size() / 2; piece > 0; piece /= 2) {
    for (size_t end = operations.size(); end >= piece && end > 0; end -= std::min(piece, end)) {
      std::vector<Operation> fewer = operations;
      const auto last = fewer.begin() + static_cast<std::ptrdiff_t>(end);
      fewer.erase(last - static_cast<std::ptrdiff_t>(piece), last);
      Verdict next =
          RunOperations(options, name + "." + std::to_string(attempt++), fewer, compare_while_open);
      if (next.what.empty()) continue;
      operations = std::move(fewer);
      verdict = std::move(next);
    }
  }
  return verdict;
}

void Report(const Options& options, uint64_t seed, const Verdict& first, const Verdict& shrunk) {
  std::string text;
  for (size_t i = 0; i < shrunk.history.size(); ++i) {
    const Step& step = shrunk.history[i];
    text += std::to_string(i) + ": " + Describe(step.operation) + "\n      -> " +
            Describe(step.on_mount) + "\n";
    if (step.on_mount != step.on_plain) text += "   plain " + Describe(step.on_plain) + "\n";
  }
  std::fprintf(stderr,
               "\nDIFFERENCE with seed %llu after %zu operations: %s\n"
               "The same with what is needed of them (outcomes on the mount):\n%s%s\n"
               "Repeat with: --seed=%llu --sequences=1 --operations=%llu\n",
               static_cast<unsigned long long>(seed), first.history.size(), first.what.c_str(),
               text.c_str(), shrunk.what.c_str(), static_cast<unsigned long long>(seed),
               static_cast<unsigned long long>(options.operations));
}

bool RunSequence(const Options& options, uint64_t seed) {
  const std::string name = "s" + std::to_string(seed);
  const std::vector<Operation> operations = Generate(seed, options.operations);
  // Half of the sequences are compared with their files still open.
  const bool compare_while_open = seed % 2 != 0;
  const Verdict verdict = RunOperations(options, name, operations, compare_while_open);
  if (verdict.what.empty()) return true;
  Report(options, seed, verdict, Shrink(options, name, operations, compare_while_open, verdict));
  return false;
}

int RunProcess(const Options& options, uint64_t process) {
  // Callers have no supplementary groups, whatever this program was started with.
  if (setgroups(0, nullptr) != 0) {
    std::perror("model: setgroups (must run as root)");
    return 2;
  }
  umask(0);
  for (uint64_t i = process; i < options.sequences; i += options.processes) {
    if (!RunSequence(options, options.seed + i)) return 1;
  }
  return 0;
}

int Run(const Options& options) {
  std::vector<pid_t> children;
  for (uint64_t process = 0; process < options.processes; ++process) {
    const pid_t child = fork();
    if (child == 0) _exit(RunProcess(options, process));
    if (child < 0) {
      std::perror("model: fork");
      return 2;
    }
    children.push_back(child);
  }
  int worst = 0;
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
      std::fprintf(stderr, "model: process %d ended abnormally\n", child);
      worst = 1;
    } else if (WEXITSTATUS(status) != 0) {
      worst = WEXITSTATUS(status);
    }
  }
  std::printf("model: %llu sequences of %llu operations from seed %llu in %llu processes: %s\n",
              static_cast<unsigned long long>(options.sequences),
              static_cast<unsigned long long>(options.operations),
              static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.processes),
              worst == 0 ? "all agreed" : "a difference was found");
  return worst;
}

}  // namespace
}  // namespace shuntfs::tests

int main(int argc, char** argv) {
  shuntfs::tests::Options options;
  if (!shuntfs::tests::Parse(argc, argv, &options)) return 2;
  return shuntfs::tests::Run(options);
}
