// The threads that read /dev/fuse: all requests in device mode; FORGET, INTERRUPT and what else
// does not pass over the rings otherwise.
//
// Floor 3. In device mode a thread that takes a request while no other is waiting starts one more,
// up to a limit. What may wait for ever, and what takes long, is left to the slow pool
// (DeferredRequest), and so are transfers of a user who has three quarters of the threads already:
// there is always a thread that reads the next request. Each thread has its own clone of the
// descriptor, buffers, identity and counters.
#ifndef SHUNTFS_IO_DEVICE_THREADS_H_
#define SHUNTFS_IO_DEVICE_THREADS_H_

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "core/current_request.h"
#include "core/file_system.h"
#include "core/trace.h"
#include "io/connection.h"
#include "io/deferred_request.h"
#include "io/fuse_device.h"
#include "io/pulse.h"
#include "io/slow_pool.h"

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
  DeviceThreads(const DeviceThreadsOptions& options, FileSystem& fs, Connection& connection,
                SlowPool& slow_pool)
      : options_(options), fs_(fs), connection_(connection), slow_pool_(slow_pool) {
    given_up_.trace.Follow(&fs_.trace_switch());
  }
  ~DeviceThreads() { Join(); }

  // Starts the first threads. An error leaves none running.
  Outcome Start();
  // Waits until all threads have ended: on ENODEV, or after Connection::RequestStop, when each has
  // answered its request. Requests that the slow pool has are answered through descriptors of this
  // object: the pool has to be stopped before it goes.
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
  // Runs the handler and its transfer. Nothing: the slow pool has the request.
  std::optional<Action> RunOrDefer(Thread& self, FuseDevice& device, Call& call,
                                   std::span<const std::byte> message);
  void Defer(Thread& self, FuseDevice& device, const Request& request,
             std::span<const std::byte> message, WaitsFor waits_for,
             const std::optional<Transfer>& transfer);
  static void CountDeferred(const DeferredRequest& deferred, const Action& action,
                            Counters& counters);
  void AnswerDeferred(DeferredRequest& deferred, const Action& action);
  static void NoteReply(const Request& request, const Outcome& replied);

  const DeviceThreadsOptions options_;
  FileSystem& fs_;
  Connection& connection_;
  SlowPool& slow_pool_;
  mutable std::mutex mutex_;
  std::deque<Thread> threads_;  // guarded by mutex_; elements stay where they are
  std::atomic<int> waiting_{0};
  // Transfers that run on these threads, by user; some users share a place.
  std::array<std::atomic<int>, 256> transfers_{};
  mutable std::mutex deferred_mutex_;
  std::set<const DeferredRequest*> deferred_;  // guarded by deferred_mutex_; not answered yet
  Counters given_up_;  // guarded by deferred_mutex_; of those that never ran
  Pulse pulse_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_DEVICE_THREADS_H_
