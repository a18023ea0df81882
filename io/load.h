// What is in work at this moment, as the status shows it.
//
// Floor 3. Plain values.
#ifndef SHUNTFS_IO_LOAD_H_
#define SHUNTFS_IO_LOAD_H_

#include <cstdint>

namespace shuntfs {

// Of the queues of one ring worker.
struct WorkerLoad {
  int cpu = 0;
  uint64_t in_flight = 0;    // requests that arrived and are not answered
  uint64_t entries = 0;      // so many can be in flight
  uint64_t slices_used = 0;  // of the queues' pools; nothing where entries have their own memory
  uint64_t slices = 0;
};

struct SlowPoolLoad {
  uint64_t threads = 0;
  uint64_t busy = 0;
  uint64_t waiting = 0;  // requests that no thread has taken yet
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_LOAD_H_
