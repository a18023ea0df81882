#include "tests/mount/test_config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace shuntfs::mount_test {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Bazel starts a test in its runfiles; a binary started by hand stands in the tree.
std::string FindBinary() {
  if (std::string named = Environment("SHUNTFS_BINARY"); !named.empty()) {
    return named;
  }
  const std::string srcdir = Environment("TEST_SRCDIR");
  const std::string workspace = Environment("TEST_WORKSPACE");
  for (const std::string& candidate :
       {srcdir + "/" + workspace + "/daemon/shuntfs", std::string("daemon/shuntfs"),
        std::string("bazel-bin/daemon/shuntfs")}) {
    if (access(candidate.c_str(), X_OK) == 0) {
      return std::filesystem::absolute(candidate).string();
    }
  }
  return std::string();
}

}  // namespace

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kPlain:
      return "plain";
    case Mode::kDevice:
      return "device";
    case Mode::kPerEntry:
      return "per-entry";
    case Mode::kBufferPool:
      return "buffer-pool";
    case Mode::kZeroCopy:
      return "zero-copy";
    case Mode::kKernel:
      return "kernel";
  }
  return "?";
}

bool OverRing(Mode mode) {
  return mode == Mode::kPerEntry || mode == Mode::kBufferPool || mode == Mode::kZeroCopy;
}

namespace {

constexpr Mode kModes[] = {Mode::kPlain,      Mode::kDevice,   Mode::kPerEntry,
                           Mode::kBufferPool, Mode::kZeroCopy, Mode::kKernel};

// Returns an empty string, or what was wrong.
std::string ParseMode(const std::string& word, Mode* mode) {
  std::string known;
  for (const Mode each : kModes) {
    if (word == ModeName(each)) {
      *mode = each;
      return std::string();
    }
    known += std::string(" ") + ModeName(each);
  }
  return "--mode=" + word + ": must be one of" + known;
}

}  // namespace

std::string ParseTestConfig(int argc, char** argv, TestConfig* config) {
  std::string mode = Environment("SHUNTFS_MODE");
  std::string backing = Environment("SHUNTFS_BACKING");
  std::string shorten = Environment("SHUNTFS_SHORTEN");
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--mode=")) {
      mode = argument.substr(7);
    } else if (argument.starts_with("--backing=")) {
      backing = argument.substr(10);
    } else if (argument.starts_with("--shorten=")) {
      shorten = argument.substr(10);
    } else {
      return "unknown argument '" + std::string(argument) + "'";
    }
  }
  if (const std::string problem = ParseMode(mode.empty() ? "plain" : mode, &config->mode);
      !problem.empty()) {
    return problem;
  }
  if (backing.empty() || backing == "tmpfs") {
    config->backing = Backing::kTmpfs;
  } else if (backing == "disk") {
    config->backing = Backing::kDisk;
  } else {
    return "--backing=" + backing + ": must be tmpfs or disk";
  }
  if (!shorten.empty()) {
    config->shorten = std::atoi(shorten.c_str());
    if (config->shorten < 1) {
      return "--shorten=" + shorten + ": must be a number from 1 on";
    }
  }
  if (config->mode != Mode::kPlain) {
    config->binary = FindBinary();
    if (config->binary.empty()) {
      return "no shuntfs binary in the runfiles; name one with SHUNTFS_BINARY";
    }
  }
  return std::string();
}

TestConfig& Config() {
  static TestConfig config;
  return config;
}

int Shortened(int count) { return std::max(1, count / Config().shorten); }

}  // namespace shuntfs::mount_test
