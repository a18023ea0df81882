#include "tests/mount/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/control_client.h"
#include "daemon/mount_table.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"
#include "tests/mount/test_config.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

constexpr long kFuseMagic = 0x65735546;
constexpr int kReadyTimeoutMs = 15000;
constexpr int kExitTimeoutMs = 15000;
constexpr int kStatusTimeoutMs = 15000;

// What `shuntfs status --json` prints, without a process of its own: each test asks several times,
// and starting one takes a quarter of a second where this is emulated. (tests/seeing has the
// command.)
absl::StatusOr<std::string> AskStatus(const std::string& mountpoint) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const shuntfs::MountEntry* entry = shuntfs::FindMount(*table, mountpoint);
  if (entry == nullptr) return absl::NotFoundError("nothing is mounted at " + mountpoint);
  return AskDaemon(*entry, "status", kStatusTimeoutMs);
}

}  // namespace

uint64_t DaemonStatus::Count(const std::string& operation) const {
  const auto it = operations.find(operation);
  return it == operations.end() ? 0 : it->second.count;
}

uint64_t DaemonStatus::Errors(const std::string& operation) const {
  const auto it = operations.find(operation);
  return it == operations.end() ? 0 : it->second.errors;
}

uint64_t DaemonStatus::Io(const std::string& name) const {
  const auto it = io.find(name);
  return it == io.end() ? 0 : it->second;
}

Daemon::~Daemon() {
  ForceEnd();
  if (log_fd_ >= 0) {
    close(log_fd_);
  }
}

std::string Daemon::Start(const std::string& source, const std::string& target,
                          const std::string& options) {
  target_ = target;
  std::vector<std::string> arguments = {Tree().binary(), "mount", "-f",
                                        std::string("--data-path=") + ModeName(Config().mode)};
  if (!options.empty()) {
    arguments.push_back("-o");
    arguments.push_back(options);
  }
  arguments.push_back(source);
  arguments.push_back(target);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);

  if (log_fd_ >= 0) {
    close(log_fd_);
  }
  log_fd_ = memfd_create("shuntfs-log", MFD_CLOEXEC);
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log_fd_, STDOUT_FILENO);
    dup2(log_fd_, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  Watchdog::Guard(pid_, -1);

  const bool appeared = Eventually(
      [&] {
        const MountEntry entry = FindMount(target);
        if (entry.found && entry.type == "fuse.shuntfs") {
          connection_ = entry.connection;
          return true;
        }
        return HasExited();
      },
      kReadyTimeoutMs);
  Watchdog::Guard(pid_, connection_);
  if (!appeared || connection_ < 0) {
    const std::string log = Log();
    ForceEnd();
    return "the daemon did not mount " + target + "; it said:\n" + log;
  }
  // The mount answers once a request has come back; the watchdog bounds the wait.
  struct statfs info = {};
  DaemonStatus status;
  std::string problem;
  const bool ready = Eventually(
      [&] {
        if (HasExited()) {
          return true;
        }
        problem = Status(&status);
        return problem.empty() && statfs(target.c_str(), &info) == 0 && info.f_type == kFuseMagic;
      },
      kReadyTimeoutMs);
  if (!ready || HasExited()) {
    const std::string log = Log();
    ForceEnd();
    return "the mount does not answer; " + problem + "\nthe daemon said:\n" + log;
  }
  return std::string();
}

std::string Daemon::Stop() {
  if (!running()) {
    return std::string();
  }
  kill(pid_, SIGTERM);
  int status = 0;
  bool reaped = false;
  Eventually(
      [&] {
        reaped = waitpid(pid_, &status, WNOHANG) == pid_;
        return reaped;
      },
      kExitTimeoutMs);
  std::string problem;
  if (!reaped) {
    problem = "the daemon did not exit after SIGTERM; it said:\n" + Log();
    ForceEnd();
    return problem;
  }
  pid_ = -1;
  connection_ = -1;
  Watchdog::Guard(-1, -1);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    problem +=
        (WIFEXITED(status) ? "the daemon exited with " + std::to_string(WEXITSTATUS(status))
                           : "the daemon was ended by signal " + std::to_string(WTERMSIG(status))) +
        "; it said:\n" + Log();
  }
  if (FindMount(target_).found) {
    problem += target_ + " is still mounted\n";
    umount2(target_.c_str(), MNT_DETACH);
  }
  return problem;
}

std::string Daemon::Status(DaemonStatus* status) const {
  const absl::StatusOr<std::string> answer = AskStatus(target_);
  if (!answer.ok()) {
    return "the daemon does not tell its status: " + std::string(answer.status().message());
  }
  const nlohmann::json document = nlohmann::json::parse(*answer, nullptr, false);
  if (document.is_discarded() || !document.is_object()) {
    return "the status is no JSON object: " + *answer;
  }
  *status = DaemonStatus();
  status->source = document.value("source", "");
  status->mountpoint = document.value("mountpoint", "");
  status->data_path = document.value("data_path", "");
  status->pid = document.value("pid", -1);
  for (const char* member : {"source", "mountpoint", "pid", "uptime_s", "data_path",
                             "data_path_reasons", "operations", "transport", "io", "resources"}) {
    if (!document.contains(member)) {
      return std::string("the status document has no member ") + member + ": " + *answer;
    }
  }
  for (const auto& [mode, reason] : document["data_path_reasons"].items()) {
    status->reasons[mode] = reason.is_string() ? reason.get<std::string>() : reason.dump();
  }
  for (const auto& [name, numbers] : document["operations"].items()) {
    status->operations[name] = {numbers.value("count", uint64_t{0}),
                                numbers.value("errors", uint64_t{0})};
  }
  for (const auto& [name, number] : document["io"].items()) {
    status->io[name] = number.get<uint64_t>();
  }
  for (const auto& [name, number] : document["resources"].items()) {
    if (number.is_number()) {
      status->resources[name] = number.get<double>();
    }
  }
  status->ring_requests = document["transport"].value("ring_requests", uint64_t{0});
  status->device_requests = document["transport"].value("device_requests", uint64_t{0});
  status->offloaded = document["transport"].value("offloaded", uint64_t{0});
  status->refused_waits = document["transport"].value("refused_waits", uint64_t{0});
  const auto& slow_pool = document["load"]["slow_pool"];
  status->slow_pool_busy = slow_pool.value("busy", uint64_t{0});
  status->slow_pool_waiting = slow_pool.value("waiting", uint64_t{0});
  status->handed_over = document["transport"].value("handed_over", uint64_t{0});
  status->stay_commits = document["transport"].value("stay_commits", uint64_t{0});
  status->notices = document["transport"].value("notices", uint64_t{0});
  status->linked_reads = document["transport"].value("linked_reads", uint64_t{0});
  return std::string();
}

std::string Daemon::Log() const {
  std::string text;
  char buffer[4096];
  off_t offset = 0;
  ssize_t count;
  while ((count = pread(log_fd_, buffer, sizeof(buffer), offset)) > 0) {
    text.append(buffer, static_cast<size_t>(count));
    offset += count;
  }
  return text;
}

bool Daemon::HasExited() const {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

void Daemon::ForceEnd() {
  if (pid_ > 0) {
    if (connection_ >= 0 && FindMount(target_).connection == connection_) {
      AbortConnection(connection_);
    }
    kill(pid_, SIGKILL);
    Watchdog::Guard(-1, -1);
    Wait(pid_);
    pid_ = -1;
  }
  if (connection_ >= 0) {
    umount2(target_.c_str(), MNT_DETACH);
    connection_ = -1;
  }
}

}  // namespace shuntfs::mount_test
