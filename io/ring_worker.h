// One thread with one ring that serves the entries of its CPU's queue, and helps out another worker
// whose batch is long.
//
// Floor 3. Owned by RingGroup, which owns the entries and their memory. Start and the calls before
// it run on the control thread; HandBack and Poke may be called from any thread; all else is the
// worker's own thread. Set-up errors are told by the futures; after that an error ends the
// connection.
#ifndef SHUNTFS_IO_RING_WORKER_H_
#define SHUNTFS_IO_RING_WORKER_H_

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/file_system.h"
#include "io/caller_stay.h"
#include "io/connection.h"
#include "io/pulse.h"
#include "io/read_guess.h"
#include "io/ring.h"
#include "io/ring_entry.h"
#include "io/slow_pool.h"
#include "io/sync_transfer.h"

namespace shuntfs {

class RingGroup;

class RingWorker {
 public:
  // `entries`: those that this worker registers; `pools`: of the queues that it adds before.
  RingWorker(RingGroup& group, uint32_t index, int cpu, std::vector<RingEntry*> entries,
             std::vector<QueuePool*> pools);
  ~RingWorker();

  // Starts the thread and has it open its ring with the registered region. Waits for that.
  Outcome SetUp(int fuse_fd, const SharedRegion& region);
  // Has the thread add its queues and register its entries (INIT was answered) and waits until the
  // kernel took or refused them; then it serves. A sentence on what was refused, or empty.
  std::string Register();
  // Instead of Register: ends the thread.
  void Abandon();
  // Wakes the thread up to look at the connection's state and at what was offloaded.
  void Poke();
  // Has the thread answer by its pulse, when it next looks for work.
  void AskPulse();
  std::string name() const { return "shuntfs-q" + std::to_string(cpu_); }
  bool silent() const { return pulse_.silent(); }
  void Join();
  // After Join of all workers: closes the ring, and with it the worker's hold on the connection.
  void CloseRing() { ring_.Close(); }

  const Counters& counters() const { return counters_; }
  int cpu() const { return cpu_; }
  const std::vector<QueuePool*>& pools() const { return pools_; }
  int ring_fd() const { return ring_.fd(); }

 private:
  void Run(int fuse_fd, const SharedRegion& region);
  Outcome OpenRing(int fuse_fd, const SharedRegion& region);
  std::string RegisterEntries();
  void Loop();
  // Submits the COMMIT of a lone caller's request so that the caller stays on this CPU, if it
  // would wander.
  void CommitForLoneCaller();
  bool Finished() const;

  void OnCompletion(UserData data, int res);
  void OnCommand(RingEntry& entry, int res);
  void Arrived(RingEntry& entry);
  void OnTransfer(RingEntry& entry, int res);
  Counter& ReadCounter(const RingEntry& entry);
  void CountTransfer(const RingEntry& entry, uint64_t bytes);
  void OnEvent();

  // Looks who waits for the batch, and whether a lone caller came from another CPU.
  void NoteCallers();
  // Serves the requests that arrived since the last wait, or hands half of them to another worker.
  void ServeBatch();
  bool MaySend(RingEntry& entry);
  bool HandOver(RingEntry& entry);
  void Serve(RingEntry& entry);
  void Carry(RingEntry& entry, const Action& action);
  bool IsForKernelWorker(const RingEntry& entry) const;
  void StartTransfer(RingEntry& entry);
  void QueueTransfer(RingEntry& entry);
  bool MayLink(const RingEntry& entry);
  void ReadThenCommit(RingEntry& entry);
  void TakeBack(RingEntry& entry);
  SlowJob JobOf(RingEntry& entry, WaitsFor waits_for);
  void Offload(RingEntry& entry, WaitsFor waits_for);
  void OffloadTransfer(RingEntry& entry);
  // From any thread: the worker goes on with the entry as `action` says.
  void HandBack(RingEntry& entry, const Action& action);
  void CountReply(RingEntry& entry, const Action& action);
  void Answer(RingEntry& entry, const Action& action);
  void Commit(RingEntry& entry);
  Call CallFor(RingEntry& entry);

  RingGroup& group_;
  const uint32_t index_;
  const int cpu_;
  const std::vector<RingEntry*> entries_;
  const std::vector<QueuePool*> pools_;
  Ring ring_;
  UniqueFd event_;
  Pulse pulse_;
  std::thread thread_;
  std::promise<Outcome> set_up_;
  std::promise<bool> go_;
  std::promise<std::string> registered_;

  // The thread's own.
  std::optional<ThreadIdentity> identity_;
  Counters counters_;
  WritePacer pacer_;
  ReadGuess read_guess_;
  StayRule stay_rule_;
  bool may_stay_ = false;
  std::vector<RingEntry*> batch_;
  int64_t turn_ns_ = 0;       // when the completions in work were found
  uint32_t transfers_ = 0;    // on this ring, not completed; a linked READ is not counted
  uint32_t serving_ = 0;      // requests taken and not committed or handed on
  bool alone_ = true;         // the batch in work is one request
  bool lone_caller_ = false;  // one caller waits for the batch in work, and its request came here
  bool ends_turn_ = false;    // what is prepared now is submitted next, with nothing in between
  bool undecided_ = false;    // a READ was prepared together with its COMMIT, and not submitted yet

  // A request in work has a caller who waits: a hint for the other workers, on a cache line of its
  // own.
  alignas(64) std::atomic<bool> serving_caller_{false};

  std::mutex offloaded_mutex_;
  std::vector<std::pair<RingEntry*, Action>> offloaded_;  // guarded by offloaded_mutex_
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_WORKER_H_
