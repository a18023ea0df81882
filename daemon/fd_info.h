// Numbers that /proc tells of an open descriptor.
//
// Floor 4. Any thread. Reading them sends no request to the file's file system. See
// proc_pid_fdinfo(5).
#ifndef SHUNTFS_DAEMON_FD_INFO_H_
#define SHUNTFS_DAEMON_FD_INFO_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace shuntfs {

// The number behind `name` (with its colon) in /proc/self/fdinfo/FD; no value where there is none.
std::optional<uint64_t> FdInfoNumber(int fd, std::string_view name);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_FD_INFO_H_
