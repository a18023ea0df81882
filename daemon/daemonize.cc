#include "daemon/daemonize.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_format.h"
#include "daemon/exit_code.h"
#include "daemon/log_setup.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

// Mounting, probing the kernel and pinning memory take milliseconds; a machine that swaps gets
// more.
constexpr int kStartTimeoutMs = 60 * 1000;
constexpr int kEndTimeoutMs = 5 * 1000;

void WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    done += static_cast<size_t>(count);
  }
}

void GiveUpStandardStreams() {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return;
  std::fflush(nullptr);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), fd);
}

// Until end of file; false when time is over first.
bool ReadReport(int fd, std::string* report) {
  std::array<char, 1024> buffer;
  while (true) {
    pollfd entry{fd, POLLIN, 0};
    const int ready = poll(&entry, 1, kStartTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    report->append(buffer.data(), static_cast<size_t>(count));
  }
}

bool WaitForEnd(pid_t child, int timeout_ms) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd entry{pidfd.get(), POLLIN, 0};
  return poll(&entry, 1, timeout_ms) > 0;
}

void EndDaemon(pid_t child) {
  kill(child, SIGTERM);
  if (!WaitForEnd(child, kEndTimeoutMs)) kill(child, SIGKILL);
  if (WaitForEnd(child, kEndTimeoutMs)) waitpid(child, nullptr, 0);
}

int Fail(int exit_code, const std::string& text) {
  PrintError(text);
  return exit_code;
}

std::string HowItEnded(pid_t child) {
  int status = 0;
  if (!WaitForEnd(child, kEndTimeoutMs) || waitpid(child, &status, 0) != child) return "hangs";
  if (WIFSIGNALED(status)) return absl::StrFormat("died of signal %d", WTERMSIG(status));
  return absl::StrFormat("ended with exit code %d", WEXITSTATUS(status));
}

// The report is the exit code as a byte, then the text.
int Wait(const DetachHooks& hooks, pid_t child, int pipe) {
  std::string report;
  if (!ReadReport(pipe, &report)) {
    EndDaemon(child);
    hooks.clean_up();
    return Fail(kExitSystem, absl::StrFormat("the daemon was not ready after %d s and was ended",
                                             kStartTimeoutMs / 1000));
  }
  if (report.empty()) {
    const std::string end = HowItEnded(child);
    hooks.clean_up();
    return Fail(kExitSystem, absl::StrFormat("the daemon %s before it was ready; its messages "
                                             "are above or in the system log",
                                             end));
  }
  const int exit_code = static_cast<unsigned char>(report[0]);
  if (exit_code != kExitOk) {
    // So that nothing of it is left when the caller goes on.
    if (WaitForEnd(child, kEndTimeoutMs)) waitpid(child, nullptr, 0);
    return Fail(exit_code, report.substr(1));
  }
  return kExitOk;
}

}  // namespace

// A closed standard stream's number would go to the next descriptor that is opened, /dev/fuse
// perhaps.
void OpenStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    const int null = open("/dev/null", O_RDWR);
    if (null >= 0 && null != fd) {
      dup2(null, fd);
      close(null);
    }
  }
}

void ReadyReport::Ready() {
  if (!pipe_.valid()) return;
  prctl(PR_SET_PDEATHSIG, 0);
  // Not before: while an automount waits for this mount, the kernel lets nobody but the process
  // group of who makes it (systemd runs mount(8) in its own) walk over the mountpoint.
  setsid();
  LeaveStderr();
  GiveUpStandardStreams();
  WriteAll(pipe_.get(), std::string(1, static_cast<char>(kExitOk)));
  pipe_.reset();
}

void ReadyReport::Failed(int exit_code, const std::string& text) {
  if (!pipe_.valid()) {
    Fail(exit_code, text);
    return;
  }
  WriteAll(pipe_.get(), std::string(1, static_cast<char>(exit_code)) + text);
  pipe_.reset();
}

int RunDetached(const DetachHooks& hooks) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Fail(kExitSystem, absl::StrFormat("pipe: %s", std::strerror(errno)));
  }
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) {
    return Fail(kExitSystem, absl::StrFormat("no process can be started: %s; see `ulimit -u`",
                                             std::strerror(errno)));
  }
  if (child > 0) {
    writer.reset();
    return Wait(hooks, child, reader.get());
  }
  reader.reset();
  const auto pipe = static_cast<unsigned>(writer.get());
  if (pipe > 3) close_range(3, pipe - 1, 0);
  close_range(pipe + 1, UINT_MAX, 0);
  // Until it is ready, nobody but the waiting process could end it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitSystem);
  if (chdir("/") != 0) _exit(kExitSystem);
  const int exit_code = hooks.serve(ReadyReport(std::move(writer)));
  std::exit(exit_code);
}

}  // namespace shuntfs
