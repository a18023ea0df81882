// Counts the operations of one job of the benchmark, their latencies, and its moves between CPUs.
//
// Floor: tests. A plain value in memory that the job's process shares with its parent; written by
// the job alone, read when the job has ended.
#ifndef SHUNTFS_TESTS_BENCH_METER_H_
#define SHUNTFS_TESTS_BENCH_METER_H_

#include <sched.h>
#include <time.h>

#include <cstdint>

#include "tests/bench/histogram.h"

namespace shuntfs::bench {

inline int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

class Meter {
 public:
  // Starts anew, for `duration_ms` from now.
  void Start(int64_t duration_ms) {
    start_ns_ = NowNs();
    last_ns_ = start_ns_;
    deadline_ns_ = start_ns_ + duration_ms * 1000000;
  }

  // The operation that began when the one before ended has ended. False when time is up.
  bool Count(uint64_t bytes) { return CountSince(last_ns_, bytes); }

  bool CountSince(int64_t began_ns, uint64_t bytes) {
    last_ns_ = NowNs();
    latencies_.Add(static_cast<uint64_t>(last_ns_ - began_ns));
    ++operations_;
    bytes_ += bytes;
    const int cpu = sched_getcpu();
    if (cpu != last_cpu_) ++cpu_changes_;
    last_cpu_ = cpu;
    return last_ns_ < deadline_ns_;
  }

  // What happened since the last count belongs to no operation.
  void Skip() { last_ns_ = NowNs(); }

  bool TimeIsUp() const { return NowNs() >= deadline_ns_; }
  void Stop() { elapsed_ns_ = NowNs() - start_ns_; }

  // Adds a job that ran beside this one.
  void Merge(const Meter& other) {
    latencies_.Merge(other.latencies_);
    operations_ += other.operations_;
    bytes_ += other.bytes_;
    cpu_changes_ += other.cpu_changes_;
    if (other.elapsed_ns_ > elapsed_ns_) elapsed_ns_ = other.elapsed_ns_;
  }

  int64_t last_ns() const { return last_ns_; }
  uint64_t operations() const { return operations_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t cpu_changes() const { return cpu_changes_; }
  int64_t elapsed_ns() const { return elapsed_ns_; }
  const Histogram& latencies() const { return latencies_; }

 private:
  Histogram latencies_{};
  uint64_t operations_ = 0;
  uint64_t bytes_ = 0;
  uint64_t cpu_changes_ = 0;
  int64_t start_ns_ = 0;
  int64_t last_ns_ = 0;
  int64_t deadline_ns_ = 0;
  int64_t elapsed_ns_ = 0;
  int last_cpu_ = -1;
};

}  // namespace shuntfs::bench

#endif  // SHUNTFS_TESTS_BENCH_METER_H_
