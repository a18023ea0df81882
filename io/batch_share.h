// How much of a batch of requests a worker leaves to the next one.
//
// Floor 3. Pure.
#ifndef SHUNTFS_IO_BATCH_SHARE_H_
#define SHUNTFS_IO_BATCH_SHARE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/protocol/request.h"
#include "io/ring_entry.h"

namespace shuntfs {

// The bytes of file data or other payload that the request moves, to or from the caller.
uint64_t BytesOf(const Request& request);

// A read ahead of a buffered reader, who can copy what came before while another CPU fetches this.
bool IsReadAhead(const Request& request);

// How many of the entries, from the back of a batch that is not empty, another worker shall serve:
// half of a long one, a read ahead even when it came alone.
size_t SharedPartOf(const std::vector<RingEntry*>& batch);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_BATCH_SHARE_H_
