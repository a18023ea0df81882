// A process beside the test that makes sure nothing hangs: when a deadline passes, or when the
// test process is gone, it aborts the FUSE connection, ends the daemon by its pid and puts back
// the kernel settings that the test had changed. It is a process and not a signal handler
// because a caller that waits for FUSE does not run handlers.
//
// Floor: tests. Owner: main() starts one before any thread; the state is a shared mapping.
// Threads: Arm and the setters may be called from the test's main thread only.
// Errors: Start returns false when the process cannot be made.
#ifndef SHUNTFS_TESTS_MOUNT_WATCHDOG_H_
#define SHUNTFS_TESTS_MOUNT_WATCHDOG_H_

#include <sys/types.h>

#include <string>

namespace shuntfs::mount_test {

class Watchdog {
 public:
  static bool Start();

  // From now on the test has `seconds`; 0 switches the deadline off.
  static void Arm(int seconds);

  // The daemon and the connection to end when the deadline passes; -1 is none.
  static void Guard(pid_t daemon, int connection);

  // Writes `value` to `path` if the test dies before Restored() is called.
  static void RestoreOnDeath(const std::string& path, const std::string& value);
  static void Restored();

  // True once the deadline has passed for the test that runs now.
  static bool Fired();
};

// Aborts FUSE connection `connection`; false when there is no such connection any more.
bool AbortConnection(int connection);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_WATCHDOG_H_
