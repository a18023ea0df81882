#include "daemon/lifecycle.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "daemon/exit_code.h"

namespace shuntfs {
namespace {

using Clock = StopSequence::Clock;
using Action = StopSequence::Action;
using Phase = StopSequence::Phase;

// `umount -f` ends the connection a moment before the mount leaves the tree.
constexpr std::chrono::milliseconds kForcedUnmountGap{500};
constexpr std::chrono::milliseconds kLookAgain{20};

// Several lines at once are several lines of the log, each of which says what it belongs to.
std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// For an unmount that hangs on the way out.
constexpr int kLastWaitMs = 1000;

}  // namespace

UniqueFd TakeSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  // A file that grows beyond `ulimit -f` gives EFBIG to who writes to it, the log as well.
  sigaction(SIGXFSZ, &ignore, nullptr);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Lifecycle::Lifecycle(LifecycleHooks hooks, const StopSequence::Limits& limits, int signal_fd,
                     ControlSocket* control)
    : hooks_(std::move(hooks)),
      limits_(limits),
      sequence_(limits),
      signal_fd_(signal_fd),
      control_(control),
      next_beat_(Clock::now() + hooks_.beat_period) {}

int Lifecycle::Run() {
  while (!finished_) WaitForEvents();
  return Finish();
}

void Lifecycle::WaitForEvents() {
  std::array<pollfd, 7> fds = {{{signal_fd_, POLLIN, 0},
                                {unmounter_.poll_fd(), POLLIN, 0},
                                {joiner_.poll_fd(), POLLIN, 0},
                                // Stays readable for ever once it is: looked at only until then.
                                {ended_seen_ ? -1 : hooks_.ended_fd, POLLIN, 0},
                                {control_ ? control_->poll_fd() : -1, POLLIN, 0},
                                {hooks_.metrics ? hooks_.metrics->poll_fd() : -1, POLLIN, 0},
                                {hooks_.idle_fd, POLLIN, 0}}};
  int timeout_ms = -1;
  if (const std::optional<Clock::time_point> wake = NextWake()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - Clock::now()).count();
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, 3600 * 1000));
  }
  if (poll(fds.data(), fds.size(), timeout_ms) < 0 && errno != EINTR) {
    PLOG(ERROR) << "the control thread cannot wait for events";
    GiveUp();
  }
  if (fds[0].revents != 0) ReadSignals();
  if (fds[1].revents != 0) CollectUnmount();
  if (fds[2].revents != 0) CollectJoin();
  if (fds[3].revents != 0) ConnectionEnded();
  if (fds[6].revents != 0) hooks_.close_idle();
  if (control_ != nullptr) {
    control_->Serve([this](ControlCommand command) { return Answer(command); });
  }
  if (hooks_.metrics != nullptr) hooks_.metrics->Serve();
  const std::optional<Clock::time_point> deadline = sequence_.deadline();
  if (deadline && Clock::now() >= *deadline) Do(sequence_.OnDeadline(Clock::now()));
  BeatIfDue();
}

bool Lifecycle::IsServing() const { return sequence_.phase() == Phase::kServing && !ended_seen_; }

std::optional<Clock::time_point> Lifecycle::NextWake() const {
  std::optional<Clock::time_point> wake = sequence_.deadline();
  const auto no_later_than = [&wake](std::optional<Clock::time_point> other) {
    if (other && (!wake || *other < *wake)) wake = other;
  };
  if (control_ != nullptr) no_later_than(control_->deadline());
  if (hooks_.metrics != nullptr) no_later_than(hooks_.metrics->deadline());
  if (IsServing() && hooks_.beat_period.count() > 0) no_later_than(next_beat_);
  return wake;
}

void Lifecycle::BeatIfDue() {
  if (!IsServing()) {
    if (!stopping_told_ && hooks_.stopping) hooks_.stopping();
    stopping_told_ = true;
    return;
  }
  const Clock::time_point now = Clock::now();
  if (hooks_.beat_period.count() == 0 || now < next_beat_) return;
  hooks_.beat();
  next_beat_ = now + hooks_.beat_period;
}

void Lifecycle::ReadSignals() {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGHUP) {  // Never an end: a daemon outlives its terminal.
      Reload();
      continue;
    }
    LOG(INFO) << "signal " << info.ssi_signo << " from process " << info.ssi_pid
              << (sequence_.stop_requested() ? ": ending soon, in flight or not" : ": unmounting");
    Do(sequence_.OnSignal(Clock::now()));
  }
}

std::string Lifecycle::Answer(ControlCommand command) {
  switch (command) {
    case ControlCommand::kPing:
      return "pong\n";
    case ControlCommand::kStatus:
      return hooks_.status_json() + "\n";
    case ControlCommand::kReload:
      return Reload();
    default:
      break;
  }
  LOG(INFO) << "asked to end through the control socket: unmounting";
  Do(sequence_.OnStopRequest(Clock::now()));
  const auto longest = limits_.graceful + limits_.stopping + limits_.aborting + limits_.joining;
  return absl::StrFormat("ok %d\n", std::chrono::ceil<std::chrono::seconds>(longest).count());
}

std::string Lifecycle::Reload() {
  const absl::StatusOr<std::string> report = hooks_.reload(&limits_);
  if (!report.ok()) {
    for (const std::string& line : LinesOf(std::string(report.status().message())))
      LOG(WARNING) << "the configuration stays as it was: " << line;
    return absl::StrFormat("error the configuration stays as it was: %s\n",
                           std::string(report.status().message()));
  }
  sequence_.set_limits(limits_);
  for (const std::string& line : LinesOf(*report))
    LOG(INFO) << "the configuration was read again: " << line;
  return *report;
}

void Lifecycle::ConnectionEnded() {
  ended_seen_ = true;
  if (sequence_.phase() == Phase::kServing) {
    // Nobody asked us, so it was umount(8), or an abort, which leaves a dead mount in the tree.
    const Clock::time_point give_up = Clock::now() + kForcedUnmountGap;
    while ((aborted_outside_ = hooks_.is_mounted()) && Clock::now() < give_up) {
      poll(nullptr, 0, static_cast<int>(kLookAgain.count()));
    }
    if (!aborted_outside_) LOG(INFO) << "unmounted from outside";
  }
  Do(sequence_.OnConnectionEnded(Clock::now()));
}

void Lifecycle::Do(Action action) {
  switch (action) {
    case Action::kNone:
      return;
    case Action::kUnmount:
      StartUnmount(/*flush_and_detach=*/false);
      return;
    case Action::kFlushAndDetach:
      LOG(INFO) << "the mount is busy: detaching it, and serving those who use it for a while";
      StartUnmount(/*flush_and_detach=*/true);
      return;
    case Action::kBeginStop:
      LOG(INFO) << "ending the connection: what is in flight is finished, nothing new is taken";
      hooks_.begin_stop();
      StartJoin();
      return;
    case Action::kAbort:
      LOG(WARNING) << "what is in flight does not finish: aborting the connection";
      if (const absl::Status status = hooks_.abort(); !status.ok()) {
        LOG(WARNING) << "the connection cannot be aborted: " << status.ToString();
        hooks_.begin_stop();
        StartJoin();
      }
      return;
    case Action::kJoin:
      StartJoin();
      return;
    case Action::kFinish:
      finished_ = true;
      return;
    case Action::kGiveUp:
      GiveUp();
  }
}

void Lifecycle::StartUnmount(bool flush_and_detach) {
  detaching_ = flush_and_detach;
  unmount_outcome_ = std::make_shared<UnmountOutcome>();
  unmounter_.Run([outcome = unmount_outcome_, flush_and_detach, hooks = hooks_] {
    if (flush_and_detach) hooks.flush();
    *outcome = hooks.unmount(/*lazy=*/flush_and_detach);
  });
}

void Lifecycle::CollectUnmount() {
  unmounter_.Collect();
  if (!unmounter_.idle()) return;
  if (unmount_outcome_->kind == UnmountOutcome::Kind::kFailed) {
    LOG(WARNING) << "cannot unmount: " << unmount_outcome_->reason;
  }
  Do(detaching_ ? sequence_.OnDetached(Clock::now())
                : sequence_.OnUnmounted(unmount_outcome_->kind, Clock::now()));
}

void Lifecycle::StartJoin() {
  if (join_started_) return;
  join_started_ = true;
  join_result_ = std::make_shared<absl::Status>();
  joiner_.Run([result = join_result_, join = hooks_.join] { *result = join(); });
}

void Lifecycle::CollectJoin() {
  joiner_.Collect();
  if (joiner_.idle()) Do(sequence_.OnJoined());
}

int Lifecycle::Finish() {
  // The connection is gone, so nothing here waits for it for long.
  pollfd unmounted{unmounter_.poll_fd(), POLLIN, 0};
  if (!unmounter_.idle() && poll(&unmounted, 1, kLastWaitMs) > 0) unmounter_.Collect();
  if (hooks_.is_mounted()) {
    const UnmountOutcome outcome = hooks_.unmount(/*lazy=*/true);
    if (outcome.kind != UnmountOutcome::Kind::kDone) {
      LOG(WARNING) << "the mount stays behind: " << outcome.reason;
    }
  }
  if (aborted_outside_) {
    LOG(ERROR) << "the connection was aborted (through fusectl, umount -f, or the kernel's request "
                  "timeout); the mount is gone";
    return kExitUsage;
  }
  if (sequence_.forced()) {
    LOG(ERROR) << "ended by force; requests that were in flight have failed";
    return kExitUsage;
  }
  if (join_result_ && !join_result_->ok()) {
    LOG(ERROR) << "did not end in order: " << join_result_->ToString();
    return kExitUsage;
  }
  return kExitOk;
}

void Lifecycle::GiveUp() {
  LOG(ERROR) << "the threads do not end; leaving without them";
  hooks_.release_names();
  // Leaving closes /dev/fuse, which fails what is in flight, but the mount would stay behind dead.
  // Detaching it is worth a moment, not more.
  RunWithin([hooks = hooks_] { hooks.unmount(/*lazy=*/true); }, kLastWaitMs);
  _exit(kExitUsage);
}

}  // namespace shuntfs
