// Entry point of every binary of the mount suite: reads what to test, starts the watchdog and
// builds the private tree before the first test runs.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/mount/private_tree.h"
#include "tests/mount/test_config.h"
#include "tests/mount/watchdog.h"

int main(int argc, char** argv) {
  namespace mt = shuntfs::mount_test;
  testing::InitGoogleTest(&argc, argv);
  std::string problem = mt::ParseTestConfig(argc, argv, &mt::Config());
  if (problem.empty()) {
    problem = mt::Tree().Create(mt::Config());
  }
  if (problem.empty() && !mt::Watchdog::Start()) {
    problem = "cannot start the watchdog process";
  }
  if (!problem.empty()) {
    std::fprintf(stderr, "mount test: %s\n", problem.c_str());
    mt::Tree().Remove();
    return 2;
  }
  const int result = RUN_ALL_TESTS();
  mt::Tree().Remove();
  return result;
}
