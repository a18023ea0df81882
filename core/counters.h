// What was served: requests, errors and latency by operation, errors by errno, bytes by path.
//
// Floor 2. One object per thread; only its thread adds, anyone may read (each number is exact, a
// set of them is a snapshot of no single moment).
#ifndef SHUNTFS_CORE_COUNTERS_H_
#define SHUNTFS_CORE_COUNTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/counter.h"
#include "core/latency_histogram.h"
#include "core/protocol/abi.h"
#include "core/trace_buffer.h"

namespace shuntfs {

// Errors by errno: the numbers of Linux end at 133 (EHWPOISON), and what is above shares the last
// place.
inline constexpr size_t kErrnoEnd = 135;

struct alignas(64) Counters {
  struct Operation {
    Counter count;
    Counter errors;
    LatencyHistogram latency;
  };
  std::array<Operation, abi::kOpcodeEnd> operations;
  std::array<Counter, kErrnoEnd> errnos;
  TraceTap trace;

  Counter ring_requests;
  Counter device_requests;
  Counter fixed_read_bytes;
  Counter fixed_write_bytes;
  Counter zero_copy_read_bytes;
  Counter zero_copy_write_bytes;
  Counter plain_read_bytes;
  Counter plain_write_bytes;
  Counter direct_read_bytes;  // of all those above: past the page cache of the backing file system
  Counter direct_write_bytes;
  Counter pool_dry;          // requests that took the last slice of their queue's pool
  Counter linked_reads;      // reads that went to the kernel together with their answer
  Counter stay_commits;      // answers whose caller was kept on its CPU
  Counter handed_over;       // requests that were left to another worker
  Counter offloaded;         // requests that the slow pool served
  Counter late_closes;       // files that the slow pool closes after the answer
  Counter refused_waits;     // requests beyond the share of their user in what may wait
  Counter malformed;         // requests that the decoder refused
  Counter notices;           // told to the kernel about what it caches
  Counter notices_failed;    // of these: the kernel refused them
  Counter notices_declined;  // write-backs not asked for, since too many were under way
  Counter odd_forgets;       // FORGETs of more lookups than were counted
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_COUNTERS_H_
