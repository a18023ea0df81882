#include "daemon/mount_session.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "config/metrics_address.h"
#include "config/reload.h"
#include "core/base/log.h"
#include "daemon/capability.h"
#include "daemon/compose.h"
#include "daemon/control_protocol.h"
#include "daemon/control_socket.h"
#include "daemon/data_path.h"
#include "daemon/dead_sockets.h"
#include "daemon/exit_code.h"
#include "daemon/fuse_mount.h"
#include "daemon/heartbeat.h"
#include "daemon/helper_thread.h"
#include "daemon/lifecycle.h"
#include "daemon/log_setup.h"
#include "daemon/metrics_page.h"
#include "daemon/metrics_server.h"
#include "daemon/path_probe.h"
#include "daemon/process_limits.h"
#include "daemon/serve.h"
#include "daemon/server_status.h"
#include "daemon/service_manager.h"
#include "daemon/start_watch.h"
#include "daemon/status_document.h"
#include "daemon/tracer.h"

namespace shuntfs {
namespace {

using Clock = std::chrono::steady_clock;

// How long a mount may take to answer its first request.
constexpr int kProofTimeoutMs = 10 * 1000;

// For the first request to reach the rings. The kernel holds all of them back until every queue is
// ready.
constexpr int kFirstRequestMs = 5 * 1000;

// For an unmount on the way out of a start that hangs.
constexpr int kLastWaitMs = 1000;

ServeOptions ToServeOptions(const MountRequest& request, bool privileged) {
  const Options& from = request.options;
  ServeOptions to;
  to.source = request.paths.source;
  to.mountpoint = request.paths.mountpoint;
  to.data_path = request.data_path;
  to.noatime = from.noatime;
  to.writeback = from.writeback;
  to.backing_direct = from.backing_direct;
  to.allow_pseudo_filesystems = from.allow_pseudo_filesystems;
  to.privileged = privileged;
  to.entry_timeout_s = from.entry_timeout_s;
  to.attr_timeout_s = from.attr_timeout_s;
  to.negative_timeout_s = from.negative_timeout_s;
  to.memory_budget_bytes = from.memory_budget_bytes;
  to.max_write_bytes = from.max_write_bytes;
  to.readahead_bytes = from.readahead_bytes;
  to.max_background = from.max_background;
  to.congestion_threshold = from.congestion_threshold;
  to.request_timeout_s = from.request_timeout_s;
  to.workers = from.workers;
  to.pin_workers = from.pin_workers;
  to.device_threads = from.device_threads;
  to.read_policy = from.read_policy;
  to.write_policy = from.write_policy;
  to.policy = request.policy;
  return to;
}

// Whether the mount or the file system that the directory is on takes no changes.
bool IsReadOnly(int fd) {
  struct statvfs info;
  return fstatvfs(fd, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

// Mounts and starts the server in the first mode that works.
class Starter {
 public:
  Starter(const MountRequest& request, bool privileged, int signal_fd, ReadyReport* report)
      : request_(request), privileged_(privileged), signal_fd_(signal_fd), report_(report) {}

  absl::Status Start() {
    absl::StatusOr<OpenMountPaths> paths = OpenPaths(request_.paths);
    if (!paths.ok()) return paths.status();
    source_read_only_ = IsReadOnly(paths->source.get());
    const std::vector<ModeProbe> probes = ProbeModes();
    absl::StatusOr<DataPathPlan> plan = DataPathPlan::Make(request_.data_path, probes);
    if (!plan.ok()) return plan.status();
    absl::Status last = absl::OkStatus();
    for (const std::string& mode : plan->candidates()) {
      last = TryMode(mode, *paths);
      if (last.ok()) {
        choice_ = plan->Choose(mode);
        description_ = DescribeChoice(choice_, probes);
        return last;
      }
      if (mount_failed_) return last;  // What mount(2) refuses, it refuses in every mode.
      plan->NoteFailure(mode, std::string(last.message()));
    }
    return absl::FailedPreconditionError(absl::StrFormat("data path %s could not be started: %s",
                                                         plan->candidates().back(),
                                                         std::string(last.message())));
  }

  // Sees the mount answer a request; only then does it count as mounted.
  void Prove() {
    const std::string& mountpoint = request_.paths.mountpoint;
    const StartWatch watch(signal_fd_, StartWatch::Limits(),
                           [this](const std::string& reason) { GiveUp(reason); });
    const int error = ProbePath(mountpoint, kProofTimeoutMs);
    if (error == ETIMEDOUT) {
      GiveUp(absl::StrFormat("the mount at %s does not answer within %d s; it was ended",
                             mountpoint, kProofTimeoutMs / 1000));
    } else if (error != 0) {
      GiveUp(absl::StrFormat("the mount at %s answers with an error: %s; it was ended", mountpoint,
                             std::strerror(error)));
    }
  }

  FuseMount& mount() { return *mount_; }
  Server& server() { return *server_; }
  const DataPathChoice& choice() const { return choice_; }
  const std::string& description() const { return description_; }
  bool source_read_only() const { return source_read_only_; }

 private:
  absl::Status TryMode(const std::string& mode, const OpenMountPaths& paths) {
    UniqueFd source(fcntl(paths.source.get(), F_DUPFD_CLOEXEC, 3));
    if (!source.valid()) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("no descriptor is free: %s; raise `ulimit -n`", std::strerror(errno)));
    }
    // fusermount3 opens the path itself, with the rights of the user.
    absl::StatusOr<std::unique_ptr<FuseMount>> mount =
        FuseMount::Mount(request_.paths.mountpoint, CanMount() ? paths.mountpoint.get() : -1,
                         MountWords(request_, privileged_, source_read_only_));
    mount_failed_ = !mount.ok();
    if (!mount.ok()) return mount.status();
    mount_ = *std::move(mount);
    absl::StatusOr<std::unique_ptr<Server>> server = absl::UnknownError("not started");
    {
      const StartWatch watch(signal_fd_, StartWatch::Limits(),
                             [this, &mode](const std::string& reason) {
                               GiveUp(absl::StrFormat("data path %s: %s", mode, reason));
                             });
      server = Server::Start(ToServeOptions(request_, privileged_), std::move(source),
                             mount_->TakeFd(), mode);
      if (server.ok()) {
        if (absl::Status asked = SeeItAsked(**server); !asked.ok()) server = asked;
      }
    }
    if (!server.ok()) {
      mount_.reset();  // Unmounts.
      return server.status();
    }
    server_ = *std::move(server);
    return absl::OkStatus();
  }

  // The kernel took the whole set-up; a request shows that it uses it as well. The answer may take
  // longer: that is the source's affair.
  absl::Status SeeItAsked(const Server& server) const {
    if (server.WasAsked()) return absl::OkStatus();
    const auto ask = [mountpoint = request_.paths.mountpoint] {
      struct statfs ignored {};
      statfs(mountpoint.c_str(), &ignored);
    };
    if (RunWithin(ask, kFirstRequestMs) || server.WasAsked()) return absl::OkStatus();
    return absl::DeadlineExceededError(absl::StrFormat(
        "the kernel took everything and sent no request within %d s", kFirstRequestMs / 1000));
  }

  // The start hangs, or led to nothing. Leaving closes /dev/fuse, so nobody waits for the mount any
  // more.
  [[noreturn]] void GiveUp(const std::string& text) {
    report_->Failed(kExitMount, text);
    mount_->Abort().IgnoreError();
    RunWithin([this] { mount_->Unmount(/*lazy=*/true); }, kLastWaitMs);
    _exit(kExitMount);
  }

  const MountRequest& request_;
  const bool privileged_;
  bool source_read_only_ = false;
  const int signal_fd_;
  ReadyReport* const report_;
  std::unique_ptr<FuseMount>
      mount_;  // Before the server: unmounting needs a server that still serves.
  std::unique_ptr<Server> server_;
  DataPathChoice choice_;
  std::string description_;
  bool mount_failed_ = false;
};

std::unique_ptr<ControlSocket> ListenForControl(const FuseMount& mount) {
  RemoveDeadSockets();
  const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
  std::vector<std::string> paths =
      ControlSocketDirectories(geteuid(), runtime_dir == nullptr ? "" : runtime_dir);
  for (std::string& path : paths)
    path += "/" + ControlSocketName(mount.major(), mount.minor(), getpid());
  absl::StatusOr<std::unique_ptr<ControlSocket>> socket = ControlSocket::Listen(paths);
  if (socket.ok()) return *std::move(socket);
  LOG(WARNING) << "no control socket, so `shuntfs status` cannot ask this mount: "
               << socket.status().ToString();
  return nullptr;
}

absl::Status ListenForMetrics(const std::string& text, std::unique_ptr<MetricsServer>* metrics) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<MetricsAddress> address = ParseMetricsAddress(text);
  if (!address.ok()) return address.status();
  absl::StatusOr<std::unique_ptr<MetricsServer>> server = MetricsServer::Listen(*address);
  if (server.ok()) *metrics = *std::move(server);
  return server.status();
}

// Writes dirty pages back while the mount still has its name.
void Flush(const FuseMount& mount) {
  const absl::StatusOr<UniqueFd> root = mount.OpenRoot();
  if (!root.ok()) return;
  if (syncfs(root->get()) != 0) PLOG(WARNING) << "writing back what is dirty";
}

Heartbeat::Hooks HooksOf(Server* server) {
  Heartbeat::Hooks hooks;
  hooks.ask = [server] { server->AskPulse(); };
  hooks.silent = [server] { return server->Silent(); };
  hooks.requests = [server] { return server->requests(); };
  hooks.tell = [](const std::string& lines) { TellServiceManager(lines); };
  return hooks;
}

StopSequence::Limits LimitsOf(const Options& options) {
  StopSequence::Limits limits;
  limits.graceful = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options.stop_timeout_s));
  return limits;
}

}  // namespace

std::vector<std::string> MountWords(const MountRequest& request, bool privileged,
                                    bool source_read_only) {
  const Options& options = request.options;
  std::vector<std::string> words = {"fsname=" + options.fsname.value_or(request.paths.source),
                                    "subtype=shuntfs"};
  words.emplace_back(options.read_only || source_read_only ? "ro" : "rw");
  // libfuse adds nosuid and nodev unless it is told otherwise; only root may tell. An owner that is
  // not SRC's own has set no set-user-ID bit.
  const bool nosuid = options.nosuid.value_or(request.policy.invents_owners());
  if (privileged || nosuid) words.emplace_back(nosuid ? "nosuid" : "suid");
  if (privileged || options.nodev) words.emplace_back(options.nodev ? "nodev" : "dev");
  if (options.noexec) words.emplace_back("noexec");
  if (options.noatime) words.emplace_back("noatime");
  if (options.allow_other.value_or(privileged && !options.allow_root)) {
    words.emplace_back("allow_other");
  }
  // Where everybody is squashed, SRC's file system checks and the kernel does not.
  const bool kernel_checks = privileged && request.policy.squash != Squash::kAll;
  if (options.default_permissions.value_or(kernel_checks))
    words.emplace_back("default_permissions");
  return words;
}

namespace {

// Applies what changed in the configuration and can change now; the report.
absl::StatusOr<std::string> Reload(Reloader* reloader, Server* server,
                                   StopSequence::Limits* limits) {
  const absl::StatusOr<ReloadReport> changes = reloader->Reload();
  if (!changes.ok()) return changes.status();
  const Options& options = reloader->options();
  server->SetTimeouts(options.entry_timeout_s, options.attr_timeout_s, options.negative_timeout_s);
  SetLogLevel(options.log_level);
  limits->graceful = LimitsOf(options).graceful;
  return changes->ToString();
}

}  // namespace

int RunMountSession(const MountRequest& request, ReadyReport report) {
  const bool privileged = CanActForOthers();
  const Clock::time_point started = Clock::now();
  const UniqueFd signals = TakeSignals();
  if (const absl::Status status =
          OpenLog(request.options.log_target, request.foreground, request.paths.mountpoint);
      !status.ok()) {
    report.Failed(ExitCodeOf(status), std::string(status.message()));
    return ExitCodeOf(status);
  }
  RaiseDescriptorLimit();
  if (privileged) BecomeIoFlusher();
  if (!privileged && geteuid() == 0) {
    LOG(WARNING) << "this mount is its owner's alone: to act for others, root needs CAP_SETUID, "
                    "CAP_SETGID and "
                    "setgroups(2), which a user namespace may deny";
  }

  // Before there is anything to undo.
  std::unique_ptr<MetricsServer> metrics;
  if (const absl::Status status = ListenForMetrics(request.options.metrics, &metrics);
      !status.ok()) {
    report.Failed(ExitCodeOf(status), std::string(status.message()));
    return ExitCodeOf(status);
  }

  Starter starter(request, privileged, signals.get(), &report);
  if (const absl::Status status = starter.Start(); !status.ok()) {
    report.Failed(ExitCodeOf(status), std::string(status.message()));
    return ExitCodeOf(status);
  }
  FuseMount& mount = starter.mount();
  Server& server = starter.server();
  const uint32_t readahead = request.options.readahead_bytes != 0 ? request.options.readahead_bytes
                                                                  : request.options.max_write_bytes;
  if (const absl::Status status = mount.RaiseReadAhead(readahead); !status.ok()) {
    VLOG(1) << "the readahead window stays as it is: " << status.ToString();
  }
  // Before the control socket, whose clients read a trace from it.
  Tracer tracer(server.trace_switch(), [&server] { return server.AllCounters(); });
  std::unique_ptr<ControlSocket> control = ListenForControl(mount);

  StatusFacts facts;
  facts.source = request.paths.source;
  facts.mountpoint = request.paths.mountpoint;
  facts.pid = getpid();
  facts.choice = starter.choice();

  LifecycleHooks hooks;
  hooks.ended_fd = server.ended_fd();
  hooks.idle_fd = server.idle_fd();
  hooks.close_idle = [&server] { server.CloseIdleDescriptors(); };
  hooks.begin_stop = [&server] { server.BeginStop(); };
  hooks.join = [&server] { return server.Join(); };
  hooks.unmount = [&mount](bool lazy) { return mount.Unmount(lazy); };
  hooks.flush = [&mount] { Flush(mount); };
  hooks.abort = [&mount] { return mount.Abort(); };
  hooks.is_mounted = [&mount] { return mount.IsMounted(); };
  hooks.status_json = [&facts, &server, started] {
    const double uptime_s = std::chrono::duration<double>(Clock::now() - started).count();
    return StatusDocument(facts, uptime_s,
                          LogStatusMember() + ", " + FormatServerStatus(server.Numbers()));
  };
  const bool managed = request.foreground && HasServiceManager();
  Reloader reloader(request.sources, request.configuration);
  hooks.reload = [&reloader, &server, managed](StopSequence::Limits* limits) {
    if (managed) TellServiceManagerOfReload();
    if (const absl::Status status = ReopenLog(); !status.ok()) LOG(WARNING) << status.message();
    absl::StatusOr<std::string> changes = Reload(&reloader, &server, limits);
    if (managed) TellServiceManager("READY=1");
    return changes;
  };
  hooks.release_names = [&control, &metrics] {
    if (control) unlink(control->path().c_str());
    if (metrics) metrics->RemoveFile();
  };
  if (metrics) {
    metrics->Provide([&facts, &server, started] {
      const double uptime_s = std::chrono::duration<double>(Clock::now() - started).count();
      return MetricsPage({facts.source, facts.mountpoint, facts.choice.mode, uptime_s},
                         server.Numbers());
    });
  }
  hooks.metrics = metrics.get();
  if (control) {
    control->OfferTrace(
        [&tracer](std::string_view operations) { return tracer.Start(operations); });
  }
  std::optional<Heartbeat> heartbeat;
  if (managed) {
    heartbeat.emplace(HooksOf(&server), "data path " + starter.choice().mode, WatchdogPeriod());
    hooks.beat = [&heartbeat] { heartbeat->Beat(Clock::now()); };
    hooks.beat_period = heartbeat->period();
    hooks.stopping = [&heartbeat] { heartbeat->Stopping(); };
  }
  Lifecycle lifecycle(std::move(hooks), LimitsOf(request.options), signals.get(), control.get());
  starter.Prove();
  report.Ready();
  if (heartbeat) heartbeat->Ready(Clock::now());
  if (starter.source_read_only() && !request.options.read_only) {
    LOG(INFO) << request.paths.source << " is read-only, and so is the mount; when that changes: "
              << "mount -o remount,rw " << request.paths.mountpoint;
  }
  LOG(INFO) << request.paths.source << " is mounted at " << request.paths.mountpoint << "; "
            << starter.description();
  const int exit_code = lifecycle.Run();
  FinishLog();
  return exit_code;
}

}  // namespace shuntfs
