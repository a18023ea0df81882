// What the benchmark's client can do, by name.
//
// Floor: tests. Functions without state, run in a process per job. An error ends the process with a
// message: a benchmark that goes on after one would measure nothing.
#ifndef SHUNTFS_TESTS_BENCH_WORKLOAD_H_
#define SHUNTFS_TESTS_BENCH_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/meter.h"

namespace shuntfs::bench {

struct WorkloadOptions {
  std::string dir;     // where the work is done
  std::string native;  // the same directory on the backing file system; default: dir
  std::string file = "f0";
  int job = 0;
  int depth = 1;
  size_t block_bytes = 4096;
  int64_t duration_ms = 500;
  int files = 4096;  // at most so many are made, or looked at
  bool keep_cache = false;
};

struct Workload {
  std::string_view name;
  // Makes what the work needs, on the backing file system, so that the mount has not seen it. May
  // be null.
  void (*prepare)(const WorkloadOptions& options);
  // Works until the meter's time is up, or all files are done; the meter is started.
  void (*run)(const WorkloadOptions& options, Meter* meter);
};

// Null when there is none of that name.
const Workload* FindDataWorkload(std::string_view name);
const Workload* FindNameWorkload(std::string_view name);

[[noreturn]] void Die(const std::string& what, int error);

// xorshift64: fast, and the same sequence for the same job in every run.
class Random {
 public:
  explicit Random(int job) : state_(0x9e3779b97f4a7c15u * (static_cast<uint64_t>(job) + 1)) {}

  uint64_t Below(uint64_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % limit;
  }

 private:
  uint64_t state_;
};

}  // namespace shuntfs::bench

#endif  // SHUNTFS_TESTS_BENCH_WORKLOAD_H_
