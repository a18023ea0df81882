#include "tests/mount/watchdog.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/mount/private_tree.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kPollMs = 100;
// How long the test has to notice that its connection is gone before it is ended too.
constexpr int kGraceSeconds = 15;

struct Shared {
  std::atomic<int64_t> deadline_ms;  // CLOCK_MONOTONIC; 0: none
  std::atomic<int> daemon;
  std::atomic<int> connection;
  std::atomic<bool> fired;
  std::atomic<bool> restore;
  char restore_path[256];
  char restore_value[64];
};

Shared* g_shared = nullptr;

int64_t NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

bool WriteText(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const ssize_t written = write(fd, text, std::strlen(text));
  close(fd);
  return written >= 0;
}

void EndGuarded() {
  // The kernel gives a number to the next connection as soon as it is free: only what still
  // stands on the test's own mountpoint is aborted.
  const int connection = g_shared->connection.load();
  if (connection >= 0 && FindMount(Tree().mnt()).connection == connection) {
    AbortConnection(connection);
  }
  const pid_t daemon = g_shared->daemon.load();
  if (daemon > 0) {
    kill(daemon, SIGKILL);
  }
  if (g_shared->restore.exchange(false)) {
    WriteText(g_shared->restore_path, g_shared->restore_value);
  }
}

[[noreturn]] void Watch(pid_t test) {
  const timespec pause = {0, kPollMs * 1000000L};
  while (getppid() == test) {
    nanosleep(&pause, nullptr);
    const int64_t deadline_ms = g_shared->deadline_ms.load();
    if (deadline_ms == 0 || NowMs() < deadline_ms) {
      continue;
    }
    if (!g_shared->fired.exchange(true)) {
      std::fprintf(stderr, "watchdog: the test is overdue, its mount is aborted\n");
      EndGuarded();
    } else if (NowMs() > deadline_ms + kGraceSeconds * 1000) {
      std::fprintf(stderr, "watchdog: the test does not end, it is killed\n");
      EndGuarded();
      kill(test, SIGKILL);
      break;
    }
  }
  EndGuarded();
  _exit(0);
}

void CopyText(const std::string& from, char* to, size_t size) {
  const size_t length = std::min(from.size(), size - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

}  // namespace

bool Watchdog::Start() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return false;
  }
  g_shared = new (memory) Shared{};
  g_shared->connection = -1;
  g_shared->daemon = -1;
  const pid_t test = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    // A Ctrl-C at the terminal reaches the whole group; the watchdog ends with the test.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    Watch(test);
  }
  return pid > 0;
}

void Watchdog::Arm(int seconds) {
  g_shared->fired = false;
  g_shared->deadline_ms = seconds == 0 ? 0 : NowMs() + int64_t{seconds} * 1000;
}

void Watchdog::Guard(pid_t daemon, int connection) {
  g_shared->daemon = daemon;
  g_shared->connection = connection;
}

void Watchdog::RestoreOnDeath(const std::string& path, const std::string& value) {
  CopyText(path, g_shared->restore_path, sizeof(g_shared->restore_path));
  CopyText(value, g_shared->restore_value, sizeof(g_shared->restore_value));
  g_shared->restore = true;
}

void Watchdog::Restored() { g_shared->restore = false; }

bool Watchdog::Fired() { return g_shared->fired.load(); }

bool AbortConnection(int connection) {
  const std::string path = "/sys/fs/fuse/connections/" + std::to_string(connection) + "/abort";
  return WriteText(path.c_str(), "1");
}

}  // namespace shuntfs::mount_test
