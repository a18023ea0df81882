// Asks whether a path answers, without being caught by a file system that does not: the question is
// put by a child process, and the caller waits only so long.
//
// Floor 4. Forks, so call it only while the process has one thread, or accept that the child runs
// nothing but system calls (it does). Also home of the path comparisons that need no file system at
// all.
#ifndef SHUNTFS_DAEMON_PATH_PROBE_H_
#define SHUNTFS_DAEMON_PATH_PROBE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daemon/mount_table.h"

namespace shuntfs {

// 0 when statfs(2) and stat(2) on `path` succeed within `timeout_ms`, ETIMEDOUT when they do not
// return, else their errno.
int ProbePath(const std::string& path, int timeout_ms);

// Whether `inner` is `outer` or lies below it. Both canonical; compares whole components.
bool PathContains(std::string_view outer, std::string_view inner);

// The canonical form of a mountpoint. Its last component is not touched when it is a mount of
// `table`, so that a mount that does not answer can still be named.
absl::StatusOr<std::string> ResolveMountpoint(const std::string& path, const MountTable& table);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_PATH_PROBE_H_
