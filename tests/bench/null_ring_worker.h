// One thread with one io_uring that answers a FUSE connection's ring requests without touching
// data.
//
// Floor: tests. Owns its ring, its thread and the memory of its entries. Run() is called once, on
// the worker's own thread; everything else before that thread starts. Set-up failures return a
// message; a completion that is not a request ends Run() (the connection is gone).
//
// The switches are experiments, not features: where the thread runs, how it waits, and whose
// requests it serves.
#ifndef SHUNTFS_TESTS_BENCH_NULL_RING_WORKER_H_
#define SHUNTFS_TESTS_BENCH_NULL_RING_WORKER_H_

#include <liburing.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/protocol/abi.h"

namespace shuntfs::bench {

struct NullOptions {
  enum class Ring { kDefer, kCoop, kPlain };
  Ring ring = Ring::kDefer;
  int64_t spin_us = 0;   // poll this long before sleeping
  int64_t share_us = 0;  // hand over half of a batch that would take longer; 0: never
  bool pin = true;
  int entries = 8;  // of each queue
  int spill = 0;    // entries of each queue that sit on the next worker's ring
  uint32_t payload_bytes = 1 << 20;
  uint64_t file_bytes = uint64_t{1} << 30;
  int readahead_kb = 0;  // 0 leaves the kernel's default
  int data_fd = -1;      // READ fills its payload from here when it is not -1
};

class NullRingWorker {
 public:
  NullRingWorker(int index, int device_fd, const NullOptions& options)
      : index_(index), device_fd_(device_fd), options_(options) {}
  NullRingWorker(const NullRingWorker&) = delete;
  NullRingWorker& operator=(const NullRingWorker&) = delete;

  // Adds `count` entries of the kernel's queue `qid`.
  void AddEntries(uint16_t qid, int count);

  // Other workers, to whom entries may be handed; may contain this one.
  void SetPeers(std::vector<NullRingWorker*> peers) { peers_ = std::move(peers); }

  // Serves until the connection ends. `ready` is incremented once every entry is with the kernel.
  // Returns an empty string, or what went wrong.
  std::string Run(int cpu, std::atomic<int>* ready);

  // Requests answered for each queue, and waits that slept; read them when Run() has returned.
  const std::vector<uint64_t>& served() const { return served_; }
  uint64_t waits() const { return waits_; }
  uint64_t completions() const { return completions_; }
  uint64_t handed() const { return handed_; }

 private:
  struct Entry {
    abi::UringReqHeader* header;
    unsigned char* payload;
    iovec iov[2];
    uint16_t qid;
    NullRingWorker* home;
  };

  std::string SetUp(int cpu);
  bool Submit(Entry* entry, uint32_t command);
  void Answer(Entry* entry);
  // Serves the `requests` that one wait brought, or has another worker serve some.
  void ServeBatch(const std::vector<Entry*>& requests);
  // Lets `to` commit the entry, after which the entry's next request goes to that worker's ring.
  bool Hand(Entry* entry, NullRingWorker* to, bool answered);
  int64_t EstimateNs(const Entry& entry) const;
  bool Wait();

  const int index_;
  const int device_fd_;
  const NullOptions options_;
  std::vector<Entry> entries_;
  std::vector<uint64_t> served_;
  uint64_t waits_ = 0;
  uint64_t completions_ = 0;
  uint64_t handed_ = 0;
  size_t away_ = 0;  // own entries that other rings hold
  std::vector<NullRingWorker*> peers_;
  std::atomic<int> ring_fd_{-1};
  io_uring ring_{};
};

// Writes the answer to `in` behind `payload`; returns its length, or -errno. Shared with the
// device loop, whose requests carry their first argument in `op_in` as well.
int64_t AnswerRequest(const abi::InHeader& in, const void* op_in, unsigned char* payload,
                      const NullOptions& options);

}  // namespace shuntfs::bench

#endif  // SHUNTFS_TESTS_BENCH_NULL_RING_WORKER_H_
