#include "io/ring_worker.h"

#include <pthread.h>
#include <sched.h>

#include <cstring>
#include <string>

#include "core/base/log.h"
#include "io/add_queues.h"
#include "io/batch_share.h"
#include "io/ring_group.h"
#include "io/start_thread.h"

namespace shuntfs {
namespace {

// An answer with this much data is sent at once, though others of the batch are still to be served.
constexpr uint64_t kSendAtOnceBytes = 64U << 10;

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  // A CPU that went offline since: the thread runs elsewhere and is only slower.
  if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
    LOG(WARNING) << "CPU " << cpu << " cannot be pinned to";
}

}  // namespace

RingWorker::RingWorker(RingGroup& group, uint32_t index, int cpu, std::vector<RingEntry*> entries,
                       std::vector<QueuePool*> pools)
    : group_(group),
      index_(index),
      cpu_(cpu),
      entries_(std::move(entries)),
      pools_(std::move(pools)) {
  counters_.trace.Follow(&group_.fs_.trace_switch());
}

RingWorker::~RingWorker() { Join(); }

// ---- set-up, from the control thread ----

Outcome RingWorker::SetUp(int fuse_fd, const SharedRegion& region) {
  Result<UniqueFd> event = Connection::MakeEvent();
  if (!event.ok()) return event.error();
  event_ = std::move(*event);
  Result<std::thread> thread = StartThread([this, fuse_fd, &region] { Run(fuse_fd, region); });
  if (!thread.ok()) return thread.error();
  thread_ = std::move(*thread);
  return set_up_.get_future().get();
}

std::string RingWorker::Register() {
  go_.set_value(true);
  return registered_.get_future().get();
}

void RingWorker::Abandon() {
  if (thread_.joinable()) go_.set_value(false);
}

void RingWorker::Poke() {
  if (event_.valid()) eventfd_write(event_.get(), 1);
}

void RingWorker::AskPulse() {
  pulse_.Ask();
  Poke();
}

void RingWorker::Join() {
  if (thread_.joinable()) thread_.join();
}

// ---- the thread ----

void RingWorker::Run(int fuse_fd, const SharedRegion& region) {
  pthread_setname_np(pthread_self(), name().c_str());
  if (group_.pin_workers()) PinTo(cpu_);
  const Outcome opened = OpenRing(fuse_fd, region);
  set_up_.set_value(opened);
  if (go_.get_future().get() && opened.ok()) {
    std::string refused = AddQueues(ring_, pools_, group_.mode_ == RingMode::kZeroCopy);
    if (refused.empty()) refused = RegisterEntries();
    registered_.set_value(refused);
    if (refused.empty()) Loop();
  }
  ring_.LeaveRegion();
}

Outcome RingWorker::OpenRing(int fuse_fd, const SharedRegion& region) {
  Result<ThreadIdentity> identity = ThreadIdentity::Adopt(group_.fs_.options().privileged);
  if (!identity.ok()) return identity.error();
  identity_ = *identity;
  may_stay_ = MayLeaveIdlePolicy();
  const RingSetup setup{static_cast<uint32_t>(entries_.size()), fuse_fd};
  if (const Outcome done = ring_.Open(setup); !done.ok()) return done;
  return ring_.UseRegion(region);
}

std::string RingWorker::RegisterEntries() {
  for (RingEntry* entry : entries_) {
    entry->Submitted(RingCommand::kRegister);
    ring_.PrepareCommand(*entry);
  }
  ring_.PreparePoll(event_.get(), UserData{CompletionKind::kEvent});
  ring_.Submit();
  if (!ring_.health().ok())
    return std::string("io_uring_enter is refused: ") +
           std::strerror(ring_.health().error().value());
  turn_ns_ = MonotonicNs();
  // What the kernel refuses completes at once; what it takes waits for a request. The first refusal
  // tells the cause: those behind it may be its consequence.
  std::string refused;
  ring_.ForEachCompletion([this, &refused](UserData data, int res) {
    if (data.kind == CompletionKind::kCommand &&
        JudgeCommand(RingCommand::kRegister, res) == CommandVerdict::kBroken) {
      if (refused.empty())
        refused = std::string("the kernel refuses ring entries: ") + std::strerror(-res);
    } else {
      OnCompletion(data, res);
    }
  });
  return refused;
}

void RingWorker::Loop() {
  ServeBatch();
  while (!Finished()) {
    undecided_ = false;
    if (ring_.HasCompletions()) {
      ring_.Submit();
    } else {
      serving_caller_.store(false, std::memory_order_relaxed);
      if (lone_caller_ && stay_rule_.Wanted()) CommitForLoneCaller();
      ring_.SubmitAndWait();
    }
    if (!ring_.health().ok()) {
      group_.connection_.End(
          EndReason::kBroken,
          "io_uring_enter failed with errno " + std::to_string(ring_.health().error().value()));
      return;
    }
    turn_ns_ = MonotonicNs();
    ring_.ForEachCompletion([this](UserData data, int res) { OnCompletion(data, res); });
    ServeBatch();
  }
  ring_.Submit();
}

void RingWorker::CommitForLoneCaller() {
  // A transfer may have the kernel start a worker thread, which would keep the policy.
  if (transfers_ > 0) return;
  const int64_t begin_ns = MonotonicNs();
  if (stay_rule_.Paused(begin_ns) || !EnterIdlePolicy()) return;
  ring_.Submit();
  if (!LeaveIdlePolicy()) {
    may_stay_ = false;
    LOG(ERROR) << "a worker cannot leave SCHED_IDLE (errno " << errno
               << "), though it could when the mount began; requests of CPU " << cpu_
               << " wait for other threads";
  }
  counters_.stay_commits.Add();
  stay_rule_.Took(begin_ns, MonotonicNs());
}

bool RingWorker::Finished() const {
  if (group_.live_entries_.load() == 0) return true;
  return group_.connection_.stopping() && serving_ == 0 && !undecided_ &&
         group_.entries_away_.load() == 0;
}

// ---- completions ----

void RingWorker::OnCompletion(UserData data, int res) {
  if (data.kind == CompletionKind::kEvent) {
    OnEvent();
    return;
  }
  RingEntry& entry = group_.entries_[data.entry];
  switch (data.kind) {
    case CompletionKind::kCommand:
      OnCommand(entry, res);
      return;
    case CompletionKind::kTransfer:
      OnTransfer(entry, res);
      return;
    case CompletionKind::kServe:
    case CompletionKind::kServeUnsent:
      ++serving_;
      batch_.push_back(&entry);
      return;
    case CompletionKind::kCommit:
    case CompletionKind::kCommitUnsent:
      Commit(entry);
      return;
    case CompletionKind::kEvent:
    case CompletionKind::kQueue:
      return;
  }
}

void RingWorker::OnCommand(RingEntry& entry, int res) {
  switch (JudgeCommand(entry.command(), res)) {
    case CommandVerdict::kRequest:
      // After a stop nothing new is taken: the caller gets an error when the connection ends.
      if (group_.connection_.stopping()) return;
      counters_.ring_requests.Add();
      ++serving_;
      if (entry.linked()) read_guess_.WasRight();
      Arrived(entry);
      return;
    case CommandVerdict::kRetry:
      ring_.PrepareCommand(entry);
      return;
    case CommandVerdict::kBroken:
      group_.connection_.End(EndReason::kBroken, "the kernel refused a ring command with errno " +
                                                     std::to_string(-res));
      [[fallthrough]];
    case CommandVerdict::kEntryGone:
      entry.Returned();
      if (group_.live_entries_.fetch_sub(1) == 1) group_.PokeAll();
      return;
  }
}

void RingWorker::Arrived(RingEntry& entry) {
  const bool sound = entry.Arrived().ok();
  entry.current.Begin(entry.request().header, turn_ns_);
  if (!sound) {
    counters_.malformed.Add();
    Answer(entry, Action::Error(Errno(EINVAL)));
    return;
  }
  TraceArrival(counters_, entry.request(), &entry.name);
  if (entry.pool_dry()) counters_.pool_dry.Add();
  batch_.push_back(&entry);
}

void RingWorker::OnTransfer(RingEntry& entry, int res) {
  if (entry.linked()) {
    TakeBack(entry);
    if (res == -EAGAIN || res == -EOPNOTSUPP) {  // not in memory, or nobody can tell
      QueueTransfer(entry);
      return;
    }
  } else {
    --transfers_;
  }
  const bool moves =
      entry.transfer.kind == Transfer::Kind::kRead || entry.transfer.kind == Transfer::Kind::kWrite;
  const uint32_t bytes = moves ? entry.transfer.bytes : 0;
  const TransferVerdict verdict = JudgeTransfer(entry.done_bytes, bytes, entry.retries, res);
  if (res < 0 && moves && FallBackToBuffered(&entry.transfer, Errno(-res))) {
    QueueTransfer(entry);
    return;
  }
  if (verdict == TransferVerdict::kRetry) {
    // "Again" means that it would have to wait: then a kernel worker shall.
    entry.transfer.may_block = true;
    ++entry.retries;
    QueueTransfer(entry);
    return;
  }
  if (moves && res > 0) {
    entry.retries = 0;
    entry.done_bytes += static_cast<uint32_t>(res);
    CountTransfer(entry, static_cast<uint64_t>(res));
  }
  if (verdict == TransferVerdict::kMore) {
    QueueTransfer(entry);
    return;
  }
  const int64_t result =
      res < 0 && entry.done_bytes == 0 ? int64_t{res} : int64_t{entry.done_bytes};
  Answer(entry, group_.fs_.FinishTransfer(CallFor(entry), entry.transfer, result));
}

Counter& RingWorker::ReadCounter(const RingEntry& entry) {
  return entry.request().zero_copy ? counters_.zero_copy_read_bytes : counters_.fixed_read_bytes;
}

void RingWorker::CountTransfer(const RingEntry& entry, uint64_t bytes) {
  const bool reads = entry.transfer.kind == Transfer::Kind::kRead;
  if (reads)
    ReadCounter(entry).Add(bytes);
  else
    (entry.request().zero_copy ? counters_.zero_copy_write_bytes : counters_.fixed_write_bytes)
        .Add(bytes);
  if (entry.transfer.buffered_fd >= 0)
    (reads ? counters_.direct_read_bytes : counters_.direct_write_bytes).Add(bytes);
}

void RingWorker::OnEvent() {
  eventfd_t ignored;
  eventfd_read(event_.get(), &ignored);
  pulse_.Beat();
  std::vector<std::pair<RingEntry*, Action>> finished;
  {
    const std::lock_guard lock(offloaded_mutex_);
    finished.swap(offloaded_);
  }
  for (auto& [entry, action] : finished) Carry(*entry, action);
  ring_.PreparePoll(event_.get(), UserData{CompletionKind::kEvent});
}

// ---- requests ----

// Nobody waits for a RELEASE, which comes together with the caller's next request.
void RingWorker::NoteCallers() {
  const RingEntry* lone = nullptr;
  size_t callers = 0;
  for (const RingEntry* entry : batch_) {
    const abi::Opcode opcode = entry->request().opcode();
    if (opcode == abi::Opcode::kRelease || opcode == abi::Opcode::kReleasedir) continue;
    ++callers;
    lone = entry;
  }
  if (callers == 0) return;
  serving_caller_.store(true, std::memory_order_relaxed);
  if (callers > 1 || lone->home() != index_) return;
  lone_caller_ = true;
  const uint32_t before = group_.last_lone_.load(std::memory_order_relaxed);
  if (before == index_) return;
  group_.last_lone_.store(index_, std::memory_order_relaxed);
  const RingWorker& other = *group_.workers_[before];
  stay_rule_.CallerMoved(other.serving_caller_.load(std::memory_order_relaxed));
}

void RingWorker::ServeBatch() {
  if (batch_.empty()) return;
  lone_caller_ = false;
  if (may_stay_) NoteCallers();
  size_t to_hand = group_.workers_.size() > 1 ? SharedPartOf(batch_) : 0;
  bool handed = false;
  while (to_hand > 0 && HandOver(*batch_.back())) {
    batch_.pop_back();
    --to_hand;
    handed = true;
  }
  if (handed) ring_.Submit();  // the helper begins before we do
  alone_ = batch_.size() == 1;
  std::vector<RingEntry*> batch;
  batch.swap(batch_);
  ends_turn_ = alone_;
  for (RingEntry* entry : batch) {
    Serve(*entry);
    // A caller that waits for much data need not wait for the next one's as well.
    if (!alone_ && BytesOf(entry->request()) >= kSendAtOnceBytes) ring_.Submit();
  }
  ends_turn_ = false;
  batch.clear();
  batch_.swap(batch);  // keeps the capacity
}

// Counts the entry as away. The count goes up before the stop is looked at, and a worker that stops
// looks in the opposite order, so that none ends with an entry on its way to it. False: stopping,
// nothing is to be sent any more; or the caller's pages are in this ring's table, where alone they
// can be read, written and, by the COMMIT, taken out again (elsewhere: EBUSY for the slot's next
// user).
bool RingWorker::MaySend(RingEntry& entry) {
  if (entry.request().zero_copy) return false;
  if (entry.away) return true;  // counted already: every worker waits for it
  group_.entries_away_.fetch_add(1);
  if (group_.connection_.stopping()) {
    group_.entries_away_.fetch_sub(1);
    return false;
  }
  entry.away = true;
  return true;
}

// To the next worker, unless the entry is a guest here already or may not be sent: then it is
// served.
bool RingWorker::HandOver(RingEntry& entry) {
  if (entry.home() != index_ || !MaySend(entry)) return false;
  const RingWorker& helper = *group_.workers_[(index_ + 1) % group_.workers_.size()];
  ring_.PrepareMessage(helper.ring_fd(), UserData{CompletionKind::kServe, entry.index()},
                       UserData{CompletionKind::kServeUnsent, entry.index()});
  counters_.handed_over.Add();
  --serving_;
  return true;
}

Call RingWorker::CallFor(RingEntry& entry) {
  return Call{entry.request(), entry.payload(), *identity_, counters_, /*may_block=*/false};
}

void RingWorker::Serve(RingEntry& entry) {
  Call call = CallFor(entry);
  Carry(entry, group_.fs_.Dispatch(call));
}

void RingWorker::Carry(RingEntry& entry, const Action& action) {
  switch (action.kind) {
    case Action::Kind::kReply:
    case Action::Kind::kNoReply:  // a FORGET that came over the ring: it is committed like any
                                  // other
      Answer(entry, action);
      return;
    case Action::Kind::kTransfer:
      entry.transfer = action.transfer;
      entry.done_bytes = 0;
      entry.retries = 0;
      StartTransfer(entry);
      return;
    case Action::Kind::kOffload:
      Offload(entry, action.waits_for);
      return;
  }
}

// What the ring does at once keeps this CPU busy. Much data, with other requests waiting or ahead
// of a reader, is better moved by another one; zero-copied data cannot be handed to the next
// worker.
bool RingWorker::IsForKernelWorker(const RingEntry& entry) const {
  return entry.transfer.at_once && entry.request().zero_copy && group_.workers_.size() > 1 &&
         entry.transfer.bytes >= kSendAtOnceBytes && (!alone_ || IsReadAhead(entry.request()));
}

void RingWorker::StartTransfer(RingEntry& entry) {
  if (IsForKernelWorker(entry)) entry.transfer.may_block = true;
  const Transfer& transfer = entry.transfer;
  const bool writes = transfer.kind == Transfer::Kind::kWrite;
  if (MayLink(entry)) {
    ReadThenCommit(entry);
    return;
  }
  if (transfer.by_call && !entry.request().zero_copy) {
    OffloadTransfer(entry);
    return;
  }
  if (transfer.policy == IoPolicy::kFixed || transfer.may_block || entry.request().zero_copy) {
    QueueTransfer(entry);
    return;
  }
  const int64_t start_ns = writes ? MonotonicNs() : 0;
  if (writes && !pacer_.MayWriteInline(start_ns)) {
    entry.transfer.may_block = true;
    QueueTransfer(entry);
    return;
  }
  const int64_t result = RunTransfer(transfer, entry.payload(), *identity_, counters_);
  if (writes) pacer_.Took(start_ns, MonotonicNs());
  Answer(entry, group_.fs_.FinishTransfer(CallFor(entry), transfer, result));
}

void RingWorker::QueueTransfer(RingEntry& entry) {
  ring_.PrepareTransfer(entry);
  ++transfers_;
  if (entry.transfer.kind != Transfer::Kind::kWrite) return;
  // The kernel takes the thread's credentials when the write is submitted: now, under those that it
  // is meant for, unless nobody changes them before the turn's own submission.
  identity_->SetStripsSuid(entry.transfer.strips_suid, entry.transfer.group);
  if (!ends_turn_) ring_.Submit();
}

// The policy tells that the file system reads what is in memory at once. A guest goes home by a
// message, and a stopping worker wants to know the outcome of everything; so does a trace.
bool RingWorker::MayLink(const RingEntry& entry) {
  const Transfer& transfer = entry.transfer;
  return transfer.kind == Transfer::Kind::kRead &&
         (transfer.policy == IoPolicy::kFixed || transfer.at_once) && !transfer.may_block &&
         transfer.buffered_fd < 0 && entry.home() == index_ && !group_.connection_.stopping() &&
         read_guess_.InMemory() && !counters_.trace.on();
}

// Answers for the case that all bytes are in memory, which saves the thread one more entry into the
// kernel. Everything is counted now: nothing completes when that was right.
void RingWorker::ReadThenCommit(RingEntry& entry) {
  const Action all =
      group_.fs_.FinishTransfer(CallFor(entry), entry.transfer, entry.transfer.bytes);
  CountReply(entry, all);
  ReadCounter(entry).Add(entry.transfer.bytes);
  counters_.linked_reads.Add();
  entry.Answer(all);
  entry.CommittedBehindRead();
  --serving_;
  undecided_ = true;
  ring_.PrepareReadThenCommit(entry);
}

// The READ gave less than was counted and answered for, and there was no COMMIT.
void RingWorker::TakeBack(RingEntry& entry) {
  read_guess_.WasWrong();
  entry.Withdrawn();
  ++serving_;
  FileSystem::UncountReply(counters_, entry.request(), entry.latency_ns);
  entry.current.Begin(entry.request().header, entry.current.start_ns());
  counters_.linked_reads.Remove();
  ReadCounter(entry).Remove(entry.transfer.bytes);
}

SlowJob RingWorker::JobOf(RingEntry& entry, WaitsFor waits_for) {
  const Request& request = entry.request();
  SlowJob job;
  job.use = {request.header.uid, entry.qid().value(), waits_for};
  job.refusable = MayBeRefused(request);
  job.watch = std::make_shared<Interrupts::Watch>(group_.fs_.interrupts(), request.unique());
  job.give_up = [this, &entry](Errno error) { HandBack(entry, Action::Error(error)); };
  return job;
}

void RingWorker::Offload(RingEntry& entry, WaitsFor waits_for) {
  SlowJob job = JobOf(entry, waits_for);
  job.run = [this, &entry, watch = job.watch.get()](ThreadIdentity& identity, Counters& counters) {
    counters.offloaded.Add();
    Call call{entry.request(), entry.payload(), identity, counters, /*may_block=*/true, watch};
    HandBack(entry, group_.fs_.Dispatch(call));
  };
  group_.slow_pool_.Submit(std::move(job));
}

void RingWorker::OffloadTransfer(RingEntry& entry) {
  SlowJob job = JobOf(entry, WaitsFor::kServer);
  job.run = [this, &entry](ThreadIdentity& identity, Counters& counters) {
    counters.offloaded.Add();
    Call call{entry.request(), entry.payload(), identity, counters, /*may_block=*/true};
    const int64_t result = RunTransfer(entry.transfer, entry.payload(), identity, counters);
    HandBack(entry, group_.fs_.FinishTransfer(call, entry.transfer, result));
  };
  group_.slow_pool_.Submit(std::move(job));
}

void RingWorker::HandBack(RingEntry& entry, const Action& action) {
  {
    const std::lock_guard lock(offloaded_mutex_);
    offloaded_.emplace_back(&entry, action);
  }
  Poke();
}

void RingWorker::CountReply(RingEntry& entry, const Action& action) {
  const int64_t end_ns = MonotonicNs();
  entry.latency_ns = static_cast<uint64_t>(end_ns - entry.current.start_ns());
  entry.current.End();
  FileSystem::CountReply(counters_, entry.request(), action, entry.latency_ns);
  TraceReply(counters_, entry.request(), action, entry.name, end_ns, entry.latency_ns);
}

void RingWorker::Answer(RingEntry& entry, const Action& action) {
  CountReply(entry, action);
  entry.Answer(action);
  --serving_;
  // A guest that came alone goes home, so that its queue's next lone request meets the worker of
  // its own CPU.
  if (entry.home() != index_ && alone_ && !IsReadAhead(entry.request()) && MaySend(entry)) {
    ring_.PrepareMessage(group_.workers_[entry.home()]->ring_fd(),
                         UserData{CompletionKind::kCommit, entry.index()},
                         UserData{CompletionKind::kCommitUnsent, entry.index()});
    return;
  }
  Commit(entry);
}

void RingWorker::Commit(RingEntry& entry) {
  if (entry.away) {
    entry.away = false;
    group_.entries_away_.fetch_sub(1);
    if (group_.connection_.stopping()) group_.PokeAll();
  }
  entry.Committed();
  ring_.PrepareCommand(entry);
}

}  // namespace shuntfs
