#include "tests/mount/process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace shuntfs::mount_test {
namespace {

// Makes all permitted capabilities effective, or gives all up.
bool SetCapabilities(bool all) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (all) {
    if (syscall(SYS_capget, &header, data) != 0) {
      return false;
    }
    for (__user_cap_data_struct& word : data) {
      word.effective = word.permitted;
    }
  }
  return syscall(SYS_capset, &header, data) == 0;
}

bool Become(const Identity& who) {
  const bool is_root = who.uid == 0 && who.gid == 0 && who.groups.empty();
  const bool keeps = who.capabilities == Capabilities::kAll;
  if (keeps && prctl(PR_SET_KEEPCAPS, 1) != 0) {
    return false;
  }
  if (!is_root &&
      (setgroups(who.groups.size(), who.groups.data()) != 0 ||
       setresgid(who.gid, who.gid, who.gid) != 0 || setresuid(who.uid, who.uid, who.uid) != 0)) {
    return false;
  }
  return who.capabilities == Capabilities::kOfUser || SetCapabilities(keeps);
}

std::string ReadFromStart(int fd) {
  std::string text;
  char buffer[4096];
  off_t offset = 0;
  ssize_t count;
  while ((count = pread(fd, buffer, sizeof(buffer), offset)) > 0) {
    text.append(buffer, static_cast<size_t>(count));
    offset += count;
  }
  return text;
}

}  // namespace

pid_t Spawn(const Identity& who, const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!Become(who)) {
      _exit(kCannotBecome);
    }
    const int code = body();
    std::fflush(nullptr);
    _exit(code);
  }
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return kKilled;
    }
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled;
}

int RunAs(const Identity& who, const std::function<int()>& body) { return Wait(Spawn(who, body)); }

CommandResult RunCommand(const std::vector<std::string>& arguments, int timeout_s,
                         const Identity& who) {
  CommandResult result;
  // Files, not pipes: a daemon that inherits them keeps nobody waiting for the end.
  const int out = memfd_create("stdout", MFD_CLOEXEC);
  const int err = memfd_create("stderr", MFD_CLOEXEC);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    if (!Become(who)) {
      _exit(kCannotBecome);
    }
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended = {pidfd, POLLIN, 0};
  if (poll(&ended, 1, timeout_s * 1000) <= 0) {
    kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) {
    result.exit_code = WEXITSTATUS(status);
  }
  result.out = ReadFromStart(out);
  result.err = ReadFromStart(err);
  close(pidfd);
  close(out);
  close(err);
  return result;
}

bool Eventually(const std::function<bool()>& condition, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  const timespec pause = {0, 5 * 1000 * 1000};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return condition();
    }
    nanosleep(&pause, nullptr);
  }
  return true;
}

}  // namespace shuntfs::mount_test
