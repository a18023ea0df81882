// Where the bytes of a request on a ring lie; see docs/kernel_interface.md for each kernel's offer.
//
// Floor 3. Pure.
#ifndef SHUNTFS_IO_RING_MODE_H_
#define SHUNTFS_IO_RING_MODE_H_

#include <cstdint>

namespace shuntfs {

enum class RingMode : uint8_t {
  kPerEntry,    // each entry has a payload area of its own (6.14)
  kBufferPool,  // the kernel picks a slice of the queue's pool for each request (7.3)
  kZeroCopy,    // as kBufferPool, and file data lies in the caller's pages (7.3)
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_MODE_H_
