// Tells the kernel of queues with buffer pools (Linux 7.3; docs/kernel_interface.md).
//
// Floor 3. On the worker's thread, before its entries are registered.
#ifndef SHUNTFS_IO_ADD_QUEUES_H_
#define SHUNTFS_IO_ADD_QUEUES_H_

#include <string>
#include <vector>

#include "io/queue_pool.h"
#include "io/ring.h"

namespace shuntfs {

// Adds the queue of each pool and then the pool. A sentence on the first that the kernel refuses,
// or empty; what was added before stays until the connection ends.
std::string AddQueues(Ring& ring, const std::vector<QueuePool*>& pools, bool zero_copy);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_ADD_QUEUES_H_
