// The supplementary groups of another process, which a FUSE request does not carry.
//
// Floor 0. Any thread. They are read from /proc. A thread that waits for the reply to a request
// cannot change its groups and does not end before the reply, so its number stays its own.
#ifndef SHUNTFS_CORE_SYS_PROCESS_GROUPS_H_
#define SHUNTFS_CORE_SYS_PROCESS_GROUPS_H_

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

#include "core/base/errno.h"

namespace shuntfs {

// The groups of the thread `pid`. ESRCH: there is no such thread here, or /proc is that of another
// pid namespace.
Result<std::vector<gid_t>> GroupsOfProcess(pid_t pid);

// The groups that a text in the form of /proc/PID/status lists; no value: the line is not there, or
// not complete.
std::optional<std::vector<gid_t>> ParseGroups(std::string_view status);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_PROCESS_GROUPS_H_
