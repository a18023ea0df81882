// The numbers of a running server at one moment, as plain values: what the status document and the
// metrics are made from.
//
// Floor 4. Pure: threads' counters in, sums out.
#ifndef SHUNTFS_DAEMON_SERVER_NUMBERS_H_
#define SHUNTFS_DAEMON_SERVER_NUMBERS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/counters.h"
#include "core/current_request.h"
#include "io/load.h"

namespace shuntfs {

// In the order in which they are shown.
using NamedNumbers = std::vector<std::pair<std::string, uint64_t>>;

struct OperationNumbers {
  std::string name;
  uint64_t count = 0;
  uint64_t errors = 0;
  LatencySum latency;
};

struct ServerNumbers {
  NamedNumbers transport;
  std::vector<OperationNumbers> operations;  // those that came
  NamedNumbers errors;                       // by the errno's name
  NamedNumbers io;
  NamedNumbers resources;
  std::vector<WorkerLoad> workers;
  SlowPoolLoad slow_pool;
  std::vector<CurrentRequest::Seen> current;
  int64_t now_ns = 0;  // of the clock that current requests start by
  double cpu_s = 0;    // that the process has used
};

// Adds the counters of all threads up.
void AddCounters(const std::vector<const Counters*>& threads, ServerNumbers* numbers);

// "ENOENT"; "errno 200" where there is no name.
std::string ErrnoName(int error);

// The name of an operation, as the kernel spells it; "opcode 99" where there is none.
std::string OperationName(uint32_t opcode);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_SERVER_NUMBERS_H_
