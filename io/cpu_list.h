// Which CPUs there are, and who serves whose queue.
//
// Floor 3. Pure but for ReadCpuList.
#ifndef SHUNTFS_IO_CPU_LIST_H_
#define SHUNTFS_IO_CPU_LIST_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"

namespace shuntfs {

// Parses the kernel's list format ("0-3,8"). Empty when malformed.
std::vector<int> ParseCpuList(std::string_view text);

// /sys/devices/system/cpu/<which>: "possible" or "online". Empty when it cannot be read.
std::vector<int> ReadCpuList(const std::string& which);

struct WorkerPlan {
  int cpu = -1;                 // where the worker's thread is pinned
  std::vector<QueueId> queues;  // whose requests it serves
};

// One worker per online CPU (or `workers`, if not 0), each with its own CPU's queue; the queues of
// the other possible CPUs are spread over them. The kernel needs an entry on every possible CPU's
// queue before it serves any request (fs/fuse/dev_uring.c). Empty when no CPU is online.
std::vector<WorkerPlan> PlanWorkers(const std::vector<int>& possible,
                                    const std::vector<int>& online, uint32_t workers);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_CPU_LIST_H_
