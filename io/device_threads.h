// The threads that read /dev/fuse: all requests in device mode; FORGET, INTERRUPT and what else
// does not pass over the rings otherwise.
//
// Floor 3. In device mode a thread that takes a request while no other is waiting starts one more,
// up to a limit: a request that blocks never keeps the next from being read. Each thread has its
// own clone of the descriptor, buffers, identity and counters.
#ifndef SHUNTFS_IO_DEVICE_THREADS_H_
#define SHUNTFS_IO_DEVICE_THREADS_H_

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/current_request.h"
#include "core/file_system.h"
#include "core/trace.h"
#include "io/connection.h"
#include "io/fuse_device.h"
#include "io/pulse.h"

namespace shuntfs {

struct DeviceThreadsOptions {
  int fd = -1;  // the mount's descriptor, borrowed
  uint32_t max_payload_bytes = 1U << 20;
  int first_threads = 1;
  int max_threads = 1;
  // Waits a moment after a FORGET, so that the kernel hands out those that follow together. For a
  // thread to which only FORGET and INTERRUPT come.
  bool gathers_forgets = false;
  WireFormat format;
};

class DeviceThreads {
 public:
  DeviceThreads(const DeviceThreadsOptions& options, FileSystem& fs, Connection& connection)
      : options_(options), fs_(fs), connection_(connection) {}
  ~DeviceThreads() { Join(); }

  // Starts the first threads. An error leaves none running.
  Outcome Start();
  // Waits until all threads have ended: on ENODEV, or after Connection::RequestStop, when each has
  // answered its request.
  void Join();
  std::vector<const Counters*> counters() const;
  // How many there are now.
  size_t threads() const;
  // Asks for a sign of life. Silent until a thread has come around, but for when one waits in the
  // kernel for a request: nothing wakes it there but a request (or a signal, which could hit a
  // request that it just got).
  void AskPulse() { pulse_.Ask(); }
  bool silent() const { return pulse_.silent() && waiting_.load() == 0; }
  // The requests in work. Any thread.
  void AddCurrent(std::vector<CurrentRequest::Seen>* seen) const;

 private:
  struct Thread {
    UniqueFd clone;
    Counters counters;
    CurrentRequest current;
    TracedName name;
    std::thread thread;
    std::atomic<bool> done{false};
  };

  Outcome StartThread();
  void Run(Thread& self, FuseDevice device);
  // True when the thread is to end.
  bool Turn(Thread& self, FuseDevice& device, ThreadIdentity& identity);
  // Answers the message; what it asked for.
  abi::Opcode Serve(Thread& self, FuseDevice& device, ThreadIdentity& identity,
                    std::span<std::byte> message);

  const DeviceThreadsOptions options_;
  FileSystem& fs_;
  Connection& connection_;
  mutable std::mutex mutex_;
  std::deque<Thread> threads_;  // guarded by mutex_; elements stay where they are
  std::atomic<int> waiting_{0};
  Pulse pulse_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_DEVICE_THREADS_H_
