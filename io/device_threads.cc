#include "io/device_threads.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <chrono>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "io/start_thread.h"
#include "io/sync_transfer.h"

namespace shuntfs {
namespace {

// A BATCH_FORGET can fill the whole buffer.
constexpr size_t kLongMessageBytes = 64U << 10;

// Interrupts a thread's read; it does nothing else.
int WakeSignal() { return SIGRTMIN + 4; }

void InstallWakeSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  CHECK(sigaction(WakeSignal(), &action, nullptr) == 0);
}

void UnblockWakeSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, WakeSignal());
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

Outcome DeviceThreads::Start() {
  InstallWakeSignal();
  for (int i = 0; i < options_.first_threads; ++i) {
    const Outcome started = StartThread();
    if (!started.ok() && i == 0) return started;
  }
  return Ok();
}

Outcome DeviceThreads::StartThread() {
  const std::lock_guard lock(mutex_);
  if (threads_.size() >= static_cast<size_t>(options_.max_threads)) return Errno(EAGAIN);
  int fd = options_.fd;
  UniqueFd clone;
  if (!threads_.empty()) {
    Result<UniqueFd> cloned = FuseDevice::Clone(options_.fd);
    if (cloned.ok()) {
      clone = std::move(*cloned);
      fd = clone.get();
    }
  }
  Result<FuseDevice> device = FuseDevice::Create(fd, options_.max_payload_bytes);
  if (!device.ok()) return device.error();
  Thread& thread = threads_.emplace_back();
  thread.clone = std::move(clone);
  thread.counters.trace.Follow(&fs_.trace_switch());
  waiting_.fetch_add(1);
  Result<std::thread> started = shuntfs::StartThread(
      [this, &thread, moved = std::make_shared<FuseDevice>(std::move(*device))] {
        Run(thread, std::move(*moved));
      });
  if (!started.ok()) {
    waiting_.fetch_sub(1);
    threads_.pop_back();
    return started.error();
  }
  thread.thread = std::move(*started);
  return Ok();
}

void DeviceThreads::Run(Thread& self, FuseDevice device) {
  pthread_setname_np(pthread_self(), "shuntfs-dev");
  UnblockWakeSignal();
  Result<ThreadIdentity> identity = ThreadIdentity::Adopt(fs_.options().privileged);
  if (!identity.ok()) {
    connection_.End(EndReason::kBroken,
                    "a thread may not take the identity that it serves with: errno " +
                        std::to_string(identity.error().value()));
  }
  while (identity.ok() && !connection_.stopping() && !Turn(self, device, *identity)) {
  }
  waiting_.fetch_sub(1);
  self.done.store(true);
}

bool DeviceThreads::Turn(Thread& self, FuseDevice& device, ThreadIdentity& identity) {
  pulse_.Beat();
  const Result<std::span<std::byte>> message = device.Read();
  if (!message.ok()) {
    switch (message.error().value()) {
      case EINTR:
      case EAGAIN:
      case ENOENT:
        return false;
      case ENODEV:
      case ECONNABORTED:
        connection_.End(EndReason::kUnmounted);
        return true;
      default:
        connection_.End(EndReason::kBroken, "reading /dev/fuse failed with errno " +
                                                std::to_string(message.error().value()));
        return true;
    }
  }
  if (waiting_.fetch_sub(1) == 1)
    static_cast<void>(StartThread());  // at the limit, the others have to do
  const abi::Opcode opcode = Serve(self, device, identity, *message);
  const bool forgets = opcode == abi::Opcode::kForget || opcode == abi::Opcode::kBatchForget;
  if (forgets && options_.gathers_forgets) {
    const timespec moment{0, kGatherForgetsMs * 1'000'000};
    nanosleep(&moment, nullptr);  // a stop's signal ends it
  }
  waiting_.fetch_add(1);
  return false;
}

abi::Opcode DeviceThreads::Serve(Thread& self, FuseDevice& device, ThreadIdentity& identity,
                                 std::span<std::byte> message) {
  const int64_t start_ns = MonotonicNs();
  Request request;
  const Result<Unit> decoded = DecodeMessage(message, options_.format, &request);
  if (!decoded.ok()) {
    self.counters.malformed.Add();
    self.counters.device_requests.Add();
    if (request.header.unique != 0)
      static_cast<void>(device.Reply(request.header.unique, Action::Error(decoded.error())));
    return request.opcode();
  }
  self.current.Begin(request.header, start_ns);
  TraceArrival(self.counters, request, &self.name);
  Call call{request, device.reply_area(), identity, self.counters};
  const std::optional<Action> done = RunOrDefer(self, device, call, message);
  if (!done) {
    self.counters.device_requests.Add();
    self.current.End();
    return request.opcode();
  }
  const Action& action = *done;
  const int64_t end_ns = MonotonicNs();
  const auto latency_ns = static_cast<uint64_t>(end_ns - start_ns);
  FileSystem::CountReply(self.counters, request, action, latency_ns);
  TraceReply(self.counters, request, action, self.name, end_ns, latency_ns);
  self.counters.device_requests.Add();
  self.current.End();
  if (action.kind == Action::Kind::kNoReply) {
    if (message.size() > kLongMessageBytes) device.ReleaseMessage();
    return request.opcode();
  }
  NoteReply(request, device.Reply(request.header.unique, action));
  return request.opcode();
}

void DeviceThreads::NoteReply(const Request& request, const Outcome& replied) {
  // ENOENT: the caller was killed meanwhile. ENODEV: the next read ends this thread.
  if (!replied.ok() && replied.error() != Errno(ENOENT) && replied.error() != Errno(ENODEV)) {
    LOG(ERROR) << "the kernel refused the reply to " << InfoOf(request.header.opcode).name
               << ": errno " << replied.error().value();
  }
}

std::optional<Action> DeviceThreads::RunOrDefer(Thread& self, FuseDevice& device, Call& call,
                                                std::span<const std::byte> message) {
  const Request& request = call.request;
  const Action action = fs_.Dispatch(call);
  if (action.kind == Action::Kind::kOffload) {
    Defer(self, device, request, message, action.waits_for, std::nullopt);
    return std::nullopt;
  }
  if (action.kind != Action::Kind::kTransfer) return action;
  const Transfer& transfer = action.transfer;
  std::atomic<int>& of_user = transfers_[request.header.uid % transfers_.size()];
  const int most = options_.max_threads < 4 ? options_.max_threads : options_.max_threads * 3 / 4;
  const bool too_many = of_user.fetch_add(1, std::memory_order_relaxed) >= most;
  if (too_many || transfer.may_block) {
    of_user.fetch_sub(1, std::memory_order_relaxed);
    Defer(self, device, request, message, transfer.by_call ? WaitsFor::kServer : WaitsFor::kItsWork,
          transfer);
    return std::nullopt;
  }
  const bool writes = transfer.kind == Transfer::Kind::kWrite;
  const std::span<std::byte> data = writes ? request.payload : call.reply;
  const int64_t result = RunTransfer(transfer, data, call.identity, call.counters);
  of_user.fetch_sub(1, std::memory_order_relaxed);
  return fs_.FinishTransfer(call, transfer, result);
}

void DeviceThreads::Defer(Thread& self, FuseDevice& device, const Request& request,
                          std::span<const std::byte> message, WaitsFor waits_for,
                          const std::optional<Transfer>& transfer) {
  const auto forget = [this](DeferredRequest* gone) {
    {
      const std::lock_guard lock(deferred_mutex_);
      deferred_.erase(gone);
    }
    delete gone;
  };
  const std::shared_ptr<DeferredRequest> deferred(
      new DeferredRequest(request, message, device.fd(), transfer, self.name), forget);
  deferred->current.Begin(request.header, self.current.start_ns());
  {
    const std::lock_guard lock(deferred_mutex_);
    deferred_.insert(deferred.get());
  }
  SlowJob job;
  job.use = {request.header.uid, ShareUse::kNoQueue, waits_for};
  job.refusable = MayBeRefused(request);
  job.bytes = deferred->bytes();
  job.watch = std::make_shared<Interrupts::Watch>(fs_.interrupts(), request.unique());
  job.run = [this, deferred, watch = job.watch.get()](ThreadIdentity& identity,
                                                      Counters& counters) {
    counters.offloaded.Add();
    const Action action = deferred->Run(fs_, identity, counters, watch, options_.max_payload_bytes);
    CountDeferred(*deferred, action, counters);
    AnswerDeferred(*deferred, action);
  };
  job.give_up = [this, deferred](Errno error) {
    const Action action = Action::Error(error);
    {
      const std::lock_guard lock(deferred_mutex_);
      CountDeferred(*deferred, action, given_up_);
    }
    AnswerDeferred(*deferred, action);
  };
  slow_pool_.Submit(std::move(job));
}

void DeviceThreads::CountDeferred(const DeferredRequest& deferred, const Action& action,
                                  Counters& counters) {
  const int64_t end_ns = MonotonicNs();
  const auto latency_ns = static_cast<uint64_t>(end_ns - deferred.current.start_ns());
  FileSystem::CountReply(counters, deferred.request(), action, latency_ns);
  TraceReply(counters, deferred.request(), action, deferred.name(), end_ns, latency_ns);
}

void DeviceThreads::AnswerDeferred(DeferredRequest& deferred, const Action& action) {
  deferred.current.End();
  if (action.kind != Action::Kind::kNoReply) NoteReply(deferred.request(), deferred.Reply(action));
}

void DeviceThreads::Join() {
  while (true) {
    Thread* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      for (Thread& thread : threads_) {
        if (thread.thread.joinable()) {
          next = &thread;
          break;
        }
      }
    }
    if (next == nullptr) return;
    // A signal that comes just before the read does not interrupt it: once more, until the thread
    // has seen the stop.
    while (!next->done.load()) {
      pthread_kill(next->thread.native_handle(), WakeSignal());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    next->thread.join();
  }
}

std::vector<const Counters*> DeviceThreads::counters() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Counters*> all;
  for (const Thread& thread : threads_) all.push_back(&thread.counters);
  all.push_back(&given_up_);
  return all;
}

size_t DeviceThreads::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void DeviceThreads::AddCurrent(std::vector<CurrentRequest::Seen>* seen) const {
  const std::lock_guard lock(mutex_);
  for (const Thread& thread : threads_) {
    if (const auto current = thread.current.Look()) seen->push_back(*current);
  }
  const std::lock_guard deferred_lock(deferred_mutex_);
  for (const DeferredRequest* deferred : deferred_) {
    if (const auto current = deferred->current.Look()) seen->push_back(*current);
  }
}

}  // namespace shuntfs
