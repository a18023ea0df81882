// The numbers of a running server as JSON.
//
// Floor 4. Pure.
#ifndef SHUNTFS_DAEMON_SERVER_STATUS_H_
#define SHUNTFS_DAEMON_SERVER_STATUS_H_

#include <string>

#include "daemon/server_numbers.h"

namespace shuntfs {

// So many current requests are shown, those in work for longest.
inline constexpr size_t kSlowestShown = 8;

// Members only, without outer braces; operations that never came are left out.
std::string FormatServerStatus(const ServerNumbers& numbers);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_SERVER_STATUS_H_
