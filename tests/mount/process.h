// Child processes of the mount tests: a function run with another user's credentials, and a
// program run to its end with its output kept.
//
// Floor: tests. Owner: every child is waited for before the call returns, but for Spawn's.
// Threads: call from the test's main thread. Errors: as values, see each function.
#ifndef SHUNTFS_TESTS_MOUNT_PROCESS_H_
#define SHUNTFS_TESTS_MOUNT_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace shuntfs::mount_test {

enum class Capabilities {
  kOfUser,  // root's all, of others none
  kAll,     // kept when the user changed (PR_SET_KEEPCAPS)
  kNone,
};

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  Capabilities capabilities = Capabilities::kOfUser;
};

inline const Identity kRoot{0, 0, {}};
inline const Identity kAlice{12345, 12345, {}};
inline const Identity kBob{23456, 23456, {}};

// Exit codes of children that could not do what was asked.
inline constexpr int kCannotBecome = 250;
inline constexpr int kKilled = 251;

// Starts `body` in a child that is `who`; what it returns is the exit code (0 to 249).
pid_t Spawn(const Identity& who, const std::function<int()>& body);
// Waits for a child: its exit code, or kKilled when a signal ended it.
int Wait(pid_t pid);
// Spawn and Wait.
int RunAs(const Identity& who, const std::function<int()>& body);

struct CommandResult {
  int exit_code = -1;  // -1: ended by a signal or overdue
  std::string out;
  std::string err;
};

// Runs a program found by path, at most `timeout_s`, as `who`.
CommandResult RunCommand(const std::vector<std::string>& arguments, int timeout_s = 20,
                         const Identity& who = kRoot);

// True once `condition` holds; false when `timeout_ms` has passed before.
bool Eventually(const std::function<bool()>& condition, int timeout_ms = 10000);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_PROCESS_H_
