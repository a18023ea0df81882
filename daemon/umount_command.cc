#include "daemon/umount_command.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "config/values.h"
#include "core/base/unique_fd.h"
#include "core/sys/proc_fd.h"
#include "daemon/control_client.h"
#include "daemon/dead_sockets.h"
#include "daemon/exit_code.h"
#include "daemon/mount_checks.h"
#include "daemon/mount_table.h"
#include "daemon/our_mount.h"
#include "daemon/path_probe.h"
#include "daemon/printable.h"
#include "daemon/unmount.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 5000;

// Beyond what the daemon says that it may take: its process still has to be taken apart by the
// kernel.
constexpr int kExtraWaitMs = 10 * 1000;
constexpr uint64_t kLongestWaitS = 3600 + 60;

// Asks, and waits for the daemon's process to be gone.
absl::Status StopDaemon(ControlClient* client, const MountEntry& entry) {
  // Before asking: afterwards the number could belong to somebody else.
  UniqueFd pidfd;
  if (client->daemon_pid() > 0) {
    pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, client->daemon_pid(), 0)));
  }
  if (absl::Status status = client->Ask("stop"); !status.ok()) return status;
  const absl::StatusOr<std::string> answer = client->ReadLine(kAnswerTimeoutMs);
  if (!answer.ok()) return answer.status();
  int wait_ms = kExtraWaitMs;
  if (answer->starts_with("ok ")) {
    const uint64_t seconds = ParseCount(answer->substr(3)).value_or(0);
    wait_ms += static_cast<int>(std::min(seconds, kLongestWaitS)) * 1000;
  } else if (!answer->empty()) {  // Empty: it was ending already.
    return absl::FailedPreconditionError(
        absl::StrFormat("the daemon of %s refuses: %s", entry.mountpoint, *answer));
  }
  bool ended = false;
  if (pidfd.valid()) {
    pollfd waiting{pidfd.get(), POLLIN, 0};
    int ready = 0;
    do {
      ready = poll(&waiting, 1, wait_ms);
    } while (ready < 0 && errno == EINTR);
    ended = ready > 0;
  } else {
    ended = client->ReadToEnd(wait_ms).ok();
  }
  if (!ended) {
    return absl::DeadlineExceededError(absl::StrFormat(
        "the daemon of %s (pid %d) has not ended; its log tells why, and `kill -9 %d` ends it",
        entry.mountpoint, client->daemon_pid(), client->daemon_pid()));
  }
  return absl::OkStatus();
}

// Asks the mount itself, whatever is at its path by now.
bool IsDead(const std::string& mountpoint, const MountIdentity& identity) {
  const absl::StatusOr<OpenMount> there = OpenMountAt(mountpoint);
  if (!there.ok() || !there->identity.Matches(identity)) return false;
  const int error = ProbePath(FdPath(there->root.get()).c_str(), kAnswerTimeoutMs);
  return error == ENOTCONN || error == ECONNABORTED;
}

// No daemon listens: it died, or never had a control socket.
absl::Status UnmountWithoutDaemon(const MountEntry& entry, const MountIdentity& identity) {
  const bool dead = IsDead(entry.mountpoint, identity);
  UnmountOutcome outcome = Unmount(entry.mountpoint, identity, /*lazy=*/dead);
  if (outcome.kind == UnmountOutcome::Kind::kBusy)
    outcome = Unmount(entry.mountpoint, identity, /*lazy=*/true);
  if (outcome.kind != UnmountOutcome::Kind::kDone) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s cannot be unmounted: %s", entry.mountpoint, outcome.reason));
  }
  if (dead) RemoveDeadSockets();
  return absl::OkStatus();
}

absl::Status Umount(const std::string& path) {
  const absl::StatusOr<MountEntry> entry = FindOurMount(path);
  if (!entry.ok()) return entry.status();
  const absl::StatusOr<MountIdentity> identity = IdentityOf(*entry);
  if (!identity.ok()) return identity.status();
  absl::StatusOr<ControlClient> client = ControlClient::Connect(*entry);
  if (client.ok()) {
    if (absl::Status status = StopDaemon(&*client, *entry); !status.ok()) return status;
    if (!IsMounted(*identity)) return absl::OkStatus();
    // The daemon lives in another mount namespace, or was killed meanwhile.
    return UnmountWithoutDaemon(*entry, *identity);
  }
  if (client.status().code() != absl::StatusCode::kNotFound) return client.status();
  return UnmountWithoutDaemon(*entry, *identity);
}

// Nothing to do is no error: this follows whatever end a daemon came to.
absl::Status UmountDead(const std::string& path) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const absl::StatusOr<std::string> mountpoint = ResolveMountpoint(path, *table);
  if (!mountpoint.ok()) return mountpoint.status();
  const absl::Status status = RemoveDeadMounts(*mountpoint);
  RemoveDeadSockets();
  return status;
}

}  // namespace

int RunUmountCommand(const CommandLine& line) {
  const absl::Status status = line.dead ? UmountDead(line.operands[0]) : Umount(line.operands[0]);
  if (!status.ok()) PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

}  // namespace shuntfs
