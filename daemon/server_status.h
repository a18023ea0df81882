// The numbers of a running server as JSON.
//
// Floor 4. Pure.
#ifndef SHUNTFS_DAEMON_SERVER_STATUS_H_
#define SHUNTFS_DAEMON_SERVER_STATUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/counters.h"

namespace shuntfs {

struct ResourceNumbers {
  uint64_t inodes = 0;
  uint64_t handles = 0;
  uint64_t path_fds = 0;
  uint64_t path_fd_limit = 0;
  uint64_t fd_limit = 0;
  uint64_t region_bytes = 0;
  uint64_t workers = 0;
  uint64_t entries_per_queue = 0;
  uint64_t max_write_bytes = 0;
};

// Adds the counters of all threads up. Members only, without outer braces; operations that never
// came are left out.
std::string FormatServerStatus(const std::vector<const Counters*>& threads,
                               const ResourceNumbers& resources);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_SERVER_STATUS_H_
