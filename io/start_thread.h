// Starting a thread where that may be refused.
//
// Floor 3. Any thread. The one place where an exception of the standard library becomes a value.
#ifndef SHUNTFS_IO_START_THREAD_H_
#define SHUNTFS_IO_START_THREAD_H_

#include <system_error>
#include <thread>
#include <utility>

#include "core/base/errno.h"

namespace shuntfs {

// EAGAIN: RLIMIT_NPROC, pids.max of the cgroup (TasksMax of a unit), or memory.
template <typename Body>
Result<std::thread> StartThread(Body&& body) {
  try {
    return std::thread(std::forward<Body>(body));
  } catch (const std::system_error& refused) {
    return Errno(refused.code().value());
  }
}

}  // namespace shuntfs

#endif  // SHUNTFS_IO_START_THREAD_H_
