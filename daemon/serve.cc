#include "daemon/serve.h"

#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/protocol/init.h"
#include "daemon/ring_plan.h"
#include "io/fuse_device.h"
#include "io/sync_transfer.h"

namespace shuntfs {
namespace {

constexpr int kInitTimeoutMs = 10'000;

uint64_t DescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

PolicyWish WishOf(const std::string& word) {
  if (word == "fixed") return PolicyWish::kFixed;
  if (word == "plain") return PolicyWish::kPlain;
  return PolicyWish::kAuto;
}

// What is not stacked itself can be passed through at depth 1, and our mount can then be a layer of
// overlayfs; two levels are all there is (FILESYSTEM_MAX_STACK_DEPTH).
uint32_t PassthroughDepth(const std::string& source) {
  struct statfs status {};
  const bool stacked =
      statfs(source.c_str(), &status) == 0 &&
      (status.f_type == OVERLAYFS_SUPER_MAGIC || status.f_type == ECRYPTFS_SUPER_MAGIC);
  return stacked ? 2 : 1;
}

absl::Status Failed(const std::string& what, Errno error) {
  return absl::InternalError(absl::StrFormat("%s: %s", what, std::strerror(error.value())));
}

}  // namespace

std::optional<RingMode> RingModeOf(const std::string& mode) {
  if (mode == "zero-copy") return RingMode::kZeroCopy;
  if (mode == "buffer-pool") return RingMode::kBufferPool;
  if (mode == "per-entry") return RingMode::kPerEntry;
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServeOptions& options,
                                                      UniqueFd source_fd, UniqueFd fuse_fd,
                                                      const std::string& mode) {
  std::unique_ptr<Server> server(new Server());
  server->fuse_fd_ = std::move(fuse_fd);
  server->max_pages_limit_ = MaxPagesLimit();
  server->sizes_ = SizesOf(options.max_write_bytes, server->max_pages_limit_);
  Result<UniqueFd> event = Connection::MakeEvent();
  if (!event.ok()) return Failed("an eventfd cannot be made", event.error());
  server->connection_ = std::make_unique<Connection>(*std::move(event));
  const std::optional<RingMode> ring_mode = RingModeOf(mode);
  if (absl::Status done = server->CreateFileSystem(options, std::move(source_fd), ring_mode);
      !done.ok())
    return done;
  if (ring_mode) {
    if (absl::Status done = server->CreateRings(options, *ring_mode); !done.ok()) return done;
  }
  const bool passthrough = mode == "kernel";
  if (absl::Status done = server->AnswerInit(options, ring_mode, passthrough); !done.ok())
    return done;
  if (passthrough) {
    if (absl::Status done = server->UsePassthrough(options); !done.ok()) return done;
  }
  if (absl::Status done = server->StartThreads(options); !done.ok()) return done;
  return server;
}

absl::Status Server::CreateFileSystem(const ServeOptions& options, UniqueFd source_fd,
                                      std::optional<RingMode> ring_mode) {
  FileSystemOptions fs;
  fs.zero_copy = ring_mode == RingMode::kZeroCopy;
  fs.noatime = options.noatime;
  fs.writeback = options.writeback;
  fs.backing_direct = options.backing_direct;
  fs.allow_pseudo_filesystems = options.allow_pseudo_filesystems;
  fs.privileged = options.privileged;
  fs.timeouts.entry = CacheTimeout::FromSeconds(options.entry_timeout_s);
  fs.timeouts.attr = CacheTimeout::FromSeconds(options.attr_timeout_s);
  fs.timeouts.negative = CacheTimeout::FromSeconds(options.negative_timeout_s);
  fs.path_fd_limit = DescriptorLimit() * kPathFdShareNumerator / kPathFdShareDenominator;
  fs.read_policy = WishOf(options.read_policy);
  fs.write_policy = WishOf(options.write_policy);
  fs.policy = options.policy;
  Result<std::unique_ptr<FileSystem>> created = FileSystem::Create(std::move(source_fd), fs);
  if (!created.ok())
    return Failed("the source " + options.source + " cannot be used", created.error());
  fs_ = *std::move(created);
  slow_pool_ =
      std::make_unique<SlowPool>(kSlowPoolThreads, options.privileged, &fs_->trace_switch());
  fs_->inodes().closer().UseLater(
      [this](UniqueFd fd, WaitsFor waits_for) { slow_pool_->Close(std::move(fd), waits_for); });
  fs_->interrupts().OnRaise([this](Unique unique) { slow_pool_->Interrupted(unique); });
  const Outcome started = slow_pool_->Start();
  if (started.ok()) return absl::OkStatus();
  if (started.error() == Errno(EAGAIN))
    return Failed("a thread cannot be started; raise RLIMIT_NPROC or the cgroup's pids.max",
                  started.error());
  return Failed(
      "a thread may not take the identity that it serves with; allow unshare(2), setgroups(2) and "
      "capset(2) where a filter forbids them",
      started.error());
}

absl::Status Server::CreateRings(const ServeOptions& options, RingMode mode) {
  absl::StatusOr<RingPlan> plan =
      PlanRings(mode, options.memory_budget_bytes, sizes_, options.workers);
  if (!plan.ok()) return plan.status();
  RingGroupOptions group;
  group.mode = mode;
  group.fuse_fd = fuse_fd_.get();
  group.pin_workers = options.pin_workers;
  group.workers = std::move(plan->workers);
  group.memory = plan->memory;
  sizes_ = SizesOf(plan->memory.data_bytes, max_pages_limit_);
  // The kernel puts this much into an entry's area, and cuts pools into slices of this size.
  CHECK(sizes_.payload_bytes == plan->memory.payload_bytes);
  entries_per_queue_ = plan->memory.entries_per_queue;
  slow_pool_->SetEntriesPerQueue(std::min(entries_per_queue_, plan->memory.slices_per_queue));
  rings_ = std::make_unique<RingGroup>(*fs_, *connection_, *slow_pool_);
  const std::string error = rings_->Create(group);
  return error.empty() ? absl::OkStatus() : absl::UnavailableError(error);
}

absl::Status Server::AnswerInit(const ServeOptions& options, std::optional<RingMode> ring_mode,
                                bool passthrough) {
  Result<FuseDevice> device = FuseDevice::Create(fuse_fd_.get(), sizes_.payload_bytes);
  if (!device.ok()) return Failed("a request buffer cannot be mapped", device.error());
  pollfd ready{fuse_fd_.get(), POLLIN, 0};
  const int polled = poll(&ready, 1, kInitTimeoutMs);
  if (polled <= 0)
    return absl::DeadlineExceededError("the kernel sent no INIT request within 10 seconds");
  const Result<std::span<std::byte>> message = device->Read();
  if (!message.ok()) return Failed("INIT cannot be read from /dev/fuse", message.error());
  Request request;
  const Result<Unit> decoded = DecodeMessage(*message, format_, &request);
  if (!decoded.ok() || request.opcode() != abi::Opcode::kInit) {
    return absl::InternalError("the kernel's first request is not INIT");
  }
  InitWishes wishes;
  wishes.over_io_uring = ring_mode.has_value();
  wishes.writeback_cache = options.writeback;
  // With it the kernel would check permissions by itself.
  wishes.posix_acl = options.policy.squash != Squash::kAll;
  if (passthrough) wishes.passthrough_depth = PassthroughDepth(options.source);
  wishes.max_write_bytes = sizes_.data_bytes;
  wishes.max_pages_limit = max_pages_limit_;
  wishes.max_readahead_bytes =
      options.readahead_bytes != 0 ? options.readahead_bytes : sizes_.data_bytes;
  wishes.max_background = options.max_background;
  wishes.congestion_threshold = options.congestion_threshold;
  wishes.request_timeout_s = options.request_timeout_s;
  const InitResult result = NegotiateInit(request.payload, wishes);
  if (!result.error.empty()) return absl::FailedPreconditionError(result.error);
  const InitAgreement& agreed = result.agreement;
  if (options.request_timeout_s != 0 && agreed.reply.request_timeout == 0) {
    return absl::UnavailableError(
        "this kernel has no request timeout (Linux 6.15 has); leave out request_timeout");
  }
  if (ring_mode && !agreed.over_io_uring) {
    return absl::UnavailableError(
        "this kernel does not offer FUSE over io_uring; "
        "echo Y > /sys/module/fuse/parameters/enable_uring enables it on Linux 6.14 and later");
  }
  const bool pooled = ring_mode && *ring_mode != RingMode::kPerEntry;
  if (pooled && (agreed.kernel_flags & abi::kInitHasIoUringBufpool) == 0)
    return absl::UnavailableError("this kernel does not offer buffer pools; Linux 7.3 does");
  if (passthrough && !agreed.passthrough) {
    return absl::UnavailableError(
        options.writeback
            ? "passthrough and the writeback cache exclude each other; leave out writeback"
            : "this kernel does not offer passthrough; Linux 6.9 does");
  }
  std::memcpy(device->reply_area().data(), &agreed.reply, agreed.reply_bytes);
  const Outcome replied = device->Reply(request.header.unique, Action::Reply(agreed.reply_bytes));
  if (!replied.ok()) return Failed("the kernel refused the reply to INIT", replied.error());
  if ((agreed.flags & abi::kInitDirectIoAllowMmap) != 0) fs_->OpenDirectFilesAsSuch();
  format_ = agreed.format;
  CHECK(agreed.sizes.payload_bytes == sizes_.payload_bytes);
  return absl::OkStatus();
}

// Sees that the kernel takes files of the source, as far as a file can be had to try it with.
absl::Status Server::UsePassthrough(const ServeOptions& options) {
  auto files = std::make_unique<BackingFiles>(fuse_fd_.get());
  const UniqueFd sample(open(options.source.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (sample.valid()) {
    const Outcome tried = files->Try(sample.get());
    if (!tried.ok()) {
      const std::string why = tried.error() == Errno(ELOOP)
                                  ? "its file system is stacked on others already"
                                  : std::strerror(tried.error().value());
      return absl::FailedPreconditionError("the kernel does not pass files of " + options.source +
                                           " through: " + why);
    }
  }
  fs_->UseBackingFiles(std::move(files));
  return absl::OkStatus();
}

// Write-backs wait for other threads: for workers, which are never among those that wait, or for
// device threads, of which one is left over. (Those that are started later may be refused.)
int Server::MostWriteBacks() const {
  // Of 3 entries one has to be left for a request that may wait for ever, and one for the WRITEs.
  if (rings_ != nullptr)
    return std::clamp(static_cast<int>(entries_per_queue_) - 2, 0, kMaxWriteBacks);
  return std::clamp(static_cast<int>(device_->threads()) - 1, 0, kMaxWriteBacks);
}

absl::Status Server::StartThreads(const ServeOptions& options) {
  fs_->UseNotices(std::make_unique<KernelNotices>(fuse_fd_.get()));
  DeviceThreadsOptions device;
  device.fd = fuse_fd_.get();
  device.max_payload_bytes = sizes_.payload_bytes;
  device.format = format_;
  if (rings_ == nullptr) {
    device.first_threads =
        options.device_threads == 0 ? 2 : static_cast<int>(options.device_threads);
    device.max_threads =
        options.device_threads == 0 ? kMaxDeviceThreads : static_cast<int>(options.device_threads);
  }
  device.gathers_forgets = rings_ != nullptr;
  device_ = std::make_unique<DeviceThreads>(device, *fs_, *connection_, *slow_pool_);
  const Outcome started = device_->Start();
  if (!started.ok())
    return Failed("the threads that read /dev/fuse cannot be started", started.error());
  fs_->notices()->AllowWriteBacks(MostWriteBacks());
  if (rings_ == nullptr) return absl::OkStatus();
  const std::string error = rings_->Register();
  return error.empty() ? absl::OkStatus() : absl::UnavailableError(error);
}

bool Server::WasAsked() const {
  if (rings_ == nullptr) return true;
  for (const Counters* counters : rings_->counters()) {
    if (counters->ring_requests.value() > 0) return true;
  }
  return false;
}

Server::~Server() {
  if (joined_) return;
  BeginStop();
  Join().IgnoreError();
}

// A write-back under way needs threads that serve.
void Server::BeginStop() {
  const auto stop = [this] {
    connection_->RequestStop();
    if (fs_ != nullptr) fs_->interrupts().EndWaits();
    if (rings_ != nullptr) rings_->PokeAll();
  };
  if (fs_ == nullptr || fs_->notices() == nullptr)
    stop();
  else
    fs_->notices()->Close(stop);
}

absl::Status Server::Join() {
  if (!joined_) {
    joined_ = true;
    if (fs_ != nullptr) fs_->interrupts().EndWaits();
    if (rings_ != nullptr) rings_->Join();
    if (device_ != nullptr) device_->Join();
    if (slow_pool_ != nullptr) slow_pool_->Stop();
    fuse_fd_.reset();
  }
  if (connection_->reason() == EndReason::kBroken) return absl::InternalError(connection_->what());
  return absl::OkStatus();
}

void Server::SetTimeouts(double entry_s, double attr_s, double negative_s) {
  fs_->SetTimeouts({CacheTimeout::FromSeconds(entry_s), CacheTimeout::FromSeconds(attr_s),
                    CacheTimeout::FromSeconds(negative_s)});
}

void Server::AskPulse() {
  slow_pool_->AskPulse();
  if (rings_ != nullptr) rings_->AskPulse();
  device_->AskPulse();
}

std::vector<std::string> Server::Silent() const {
  std::vector<std::string> silent;
  if (rings_ != nullptr) silent = rings_->Silent();
  if (device_->silent()) silent.emplace_back("the threads that read /dev/fuse");
  if (slow_pool_->silent()) silent.emplace_back("the slow pool");
  return silent;
}

std::vector<const Counters*> Server::AllCounters() const {
  std::vector<const Counters*> all = slow_pool_->counters();
  if (rings_ != nullptr) {
    for (const Counters* counters : rings_->counters()) all.push_back(counters);
  }
  if (device_ != nullptr) {
    for (const Counters* counters : device_->counters()) all.push_back(counters);
  }
  return all;
}

uint64_t Server::requests() const {
  uint64_t sum = 0;
  for (const Counters* counters : AllCounters())
    sum += counters->ring_requests.value() + counters->device_requests.value();
  return sum;
}

ServerNumbers Server::Numbers() const {
  ServerNumbers numbers;
  if (rings_ != nullptr) {
    numbers.workers = rings_->loads();
    rings_->AddCurrent(&numbers.current);
  }
  if (device_ != nullptr) device_->AddCurrent(&numbers.current);
  numbers.now_ns = MonotonicNs();
  AddCounters(AllCounters(), &numbers);
  numbers.slow_pool = slow_pool_->load();
  numbers.resources = {
      {"inodes", fs_->inodes().count()},
      {"handles", fs_->handles().count()},
      {"path_fds", fs_->inodes().path_fds()},
      {"path_fd_limit", fs_->inodes().path_fd_limit()},
      {"fd_limit", DescriptorLimit()},
      {"region_bytes", rings_ == nullptr ? 0 : rings_->region_bytes()},
      {"workers", rings_ == nullptr ? 0 : rings_->workers()},
      {"entries_per_queue", entries_per_queue_},
      {"max_write_bytes", sizes_.data_bytes},
  };
  numbers.cpu_s = CpuSeconds();
  return numbers;
}

}  // namespace shuntfs
