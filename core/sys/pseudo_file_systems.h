// File systems whose files are interfaces of the kernel: procfs, sysfs and their like.
//
// Floor 0. Any thread. What a program may read or write there depends on who opened the file. Of a
// backing file that is the daemon, so permissions that are checked by owner and mode do not hold.
#ifndef SHUNTFS_CORE_SYS_PSEUDO_FILE_SYSTEMS_H_
#define SHUNTFS_CORE_SYS_PSEUDO_FILE_SYSTEMS_H_

#include <cstdint>
#include <string_view>

#include "core/base/errno.h"

namespace shuntfs {

// Whether the type, as /proc/self/mountinfo spells it, is such a file system.
bool IsPseudoType(std::string_view type);

// The type of the file system with this number (f_type of statfs(2)); empty: not such a one.
std::string_view PseudoTypeOf(uint64_t number);

// The same for the file system that `name` in `dir_fd` is on ("": `dir_fd` itself). Asks the file
// system, so it waits for one that does not answer.
Result<std::string_view> PseudoTypeAt(int dir_fd, const char* name);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_PSEUDO_FILE_SYSTEMS_H_
