// What one run of the mount suite tests: which data path, over which kind of backing file
// system, with which binary. Read once from the command line, before anything else.
//
// Floor: tests. Owner: main() fills it, everybody reads it. Threads: read-only after main().
// Errors: ParseTestConfig returns a message that names the argument and what it may be.
#ifndef SHUNTFS_TESTS_MOUNT_TEST_CONFIG_H_
#define SHUNTFS_TESTS_MOUNT_TEST_CONFIG_H_

#include <string>

namespace shuntfs::mount_test {

enum class Mode {
  kPlain,   // no daemon: a bind mount in its place, which proves the tests themselves
  kDevice,  // the daemon, with --data-path=device, and so on
  kPerEntry,
  kBufferPool,
  kZeroCopy,
  kKernel,
};

enum class Backing {
  kTmpfs,  // a tmpfs of the test's own
  kDisk,   // a directory of the file system that holds the test's temporary files
};

struct TestConfig {
  Mode mode = Mode::kPlain;
  Backing backing = Backing::kTmpfs;
  std::string binary;  // the shuntfs under test; empty in Mode::kPlain
  int shorten = 1;     // by how much less of what only repeats itself is done
};

// The word that --data-path and the status document use for `mode`.
const char* ModeName(Mode mode);
// Whether requests come over io_uring in this mode.
bool OverRing(Mode mode);

// Reads --mode=, --backing=, --shorten= (or SHUNTFS_MODE, SHUNTFS_BACKING, SHUNTFS_SHORTEN) and
// finds the binary in the runfiles (or at SHUNTFS_BINARY). Returns an empty string, or what was
// wrong.
std::string ParseTestConfig(int argc, char** argv, TestConfig* config);

// The configuration of this process.
TestConfig& Config();

// How many rounds, files, bytes a test takes that takes `count` on a machine of ordinary speed.
int Shortened(int count);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_TEST_CONFIG_H_
