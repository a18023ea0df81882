// Opens of files in SRC that wait for the holder of a lease: however many one user has, the others
// go on, and a caller that is killed does not wait for the holder.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kFiles = 100;

void StayOn(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

std::vector<int> Cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 4; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

class Leases : public Ops {
 protected:
  void SetUp() override {
    Ops::SetUp();
    Serves("OPEN");
    ASSERT_EQ(mkdir(Src("alice").c_str(), 0755), 0);
    ASSERT_EQ(chown(Src("alice").c_str(), kAlice.uid, kAlice.gid), 0);
    ASSERT_EQ(mkdir(Src("bob").c_str(), 0755), 0);
    ASSERT_EQ(chown(Src("bob").c_str(), kBob.uid, kBob.gid), 0);
    void* shared =
        mmap(nullptr, sizeof(*answers_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    answers_ = new (shared) Answers();
  }
  void TearDown() override {
    for (const pid_t pid : children_) {
      kill(pid, SIGKILL);
      Wait(pid);
    }
    munmap(answers_, sizeof(*answers_));
    Ops::TearDown();
  }

  static std::string Name(int i) { return "alice/f" + std::to_string(i); }

  // A child of Alice's takes a lease of each file and does not give it back.
  void HoldLeases() {
    std::array<int, 2> ready = {-1, -1};
    ASSERT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
    children_.push_back(Spawn(kAlice, [&ready] {
      signal(SIGIO, SIG_IGN);
      for (int i = 0; i < kFiles; ++i) {
        // Open until the process ends.
        const int fd = open(Src(Name(i)).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
        if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return 1;
      }
      static_cast<void>(write(ready[1], "x", 1));
      while (true) pause();
    }));
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1) << "no leases";
    close(ready[0]);
  }

  // A child of Alice's opens all the files at once, on one CPU.
  pid_t OpenAll(int cpu) {
    Answers* answers = answers_;
    children_.push_back(Spawn(kAlice, [answers, cpu] {
      StayOn(cpu);
      std::vector<std::thread> threads;
      for (int i = 0; i < kFiles; ++i) {
        threads.emplace_back([answers, i] {
          const File file(Mnt(Name(i)), O_RDONLY);
          ++(file.ok() ? answers->opened : errno == EAGAIN ? answers->refused : answers->failed);
        });
      }
      for (std::thread& thread : threads) thread.join();
      return 0;
    }));
    return children_.back();
  }

  // Whether every open of OpenAll has been answered or waits in the daemon.
  bool AllWait() {
    const DaemonStatus status = Status();
    return answers_->refused + status.slow_pool_busy + status.slow_pool_waiting >= kFiles;
  }

  // What Bob does on a CPU with files of his own.
  static int Work(int cpu) {
    return RunAs(kBob, [cpu] {
      StayOn(cpu);
      for (int i = 0; i < 20; ++i) {
        const std::string path = Mnt("bob/f" + std::to_string(i));
        const File file(path, O_CREAT | O_RDWR);
        if (!file.ok() || !WriteAt(file.get(), "content", 0) || fsync(file.get()) != 0) return 1;
        if (fallocate(file.get(), 0, 0, 8192) != 0 || truncate(path.c_str(), 7) != 0) return 2;
        if (ReadFile(path) != "content" || unlink(path.c_str()) != 0) return 3;
      }
      return 0;
    });
  }

  struct Answers {
    std::atomic<uint64_t> opened{0};
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> failed{0};
  };
  Answers* answers_ = nullptr;  // of OpenAll, in memory that the child shares
  std::vector<pid_t> children_;
};

TEST_F(Leases, OneUserThatWaitsForManyStopsNobody) {
  HoldLeases();
  const std::vector<int> cpus = Cpus();
  const uint64_t errors = plain() ? 0 : Status().Errors("OPEN");
  const pid_t opener = OpenAll(cpus.front());
  if (!plain()) {
    ASSERT_TRUE(Eventually([this] { return AllWait(); }));
    EXPECT_EQ(answers_->refused, Status().refused_waits);
    if (OverRing(Config().mode))
      EXPECT_GT(answers_->refused, 0u) << "more than a share of the queue's entries waits";
    else
      EXPECT_EQ(answers_->refused, 0u) << "they hold no entries";
  }
  for (const int cpu : cpus) EXPECT_EQ(Work(cpu), 0) << "Bob, on CPU " << cpu;
  EXPECT_EQ(answers_->opened, 0u);
  EXPECT_EQ(answers_->failed, 0u);

  // Long before the kernel breaks the leases (fs.lease-break-time, 45 s): every open has failed.
  EXPECT_EQ(kill(opener, SIGKILL), 0);
  EXPECT_EQ(Wait(opener), kKilled);
  children_.pop_back();
  if (plain()) return;
  EXPECT_TRUE(Eventually([&] { return Status().Errors("OPEN") - errors == kFiles; }))
      << Status().Errors("OPEN") - errors;
  EXPECT_TRUE(Eventually([&] {
    const DaemonStatus status = Status();
    return status.slow_pool_busy + status.slow_pool_waiting == 0;
  }));
}

// A lease that is given back: the open goes on, whoever else waits.
TEST_F(Leases, AnotherUsersOpenWaitsForItsHolderAndGoesOn) {
  HoldLeases();
  const int cpu = Cpus().front();
  OpenAll(cpu);
  ASSERT_TRUE(plain() || Eventually([this] { return AllWait(); }));
  ASSERT_TRUE(WriteFile(Src("bob/leased"), "content", 0666));
  const File holder(Src("bob/leased"), O_RDWR);
  struct sigaction action = {};
  struct sigaction previous = {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGIO, &action, &previous), 0);
  ASSERT_EQ(fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);
  const pid_t reader = Spawn(kBob, [cpu] {
    StayOn(cpu);
    return ReadFile(Mnt("bob/leased")) == "content" ? 0 : 1;
  });
  // While the lease is being broken, this is what it is to become.
  EXPECT_TRUE(Eventually([&] { return fcntl(holder.get(), F_GETLEASE) != F_WRLCK; }));
  EXPECT_EQ(fcntl(holder.get(), F_SETLEASE, F_UNLCK), 0);
  EXPECT_EQ(Wait(reader), 0);
  sigaction(SIGIO, &previous, nullptr);
}

}  // namespace
}  // namespace shuntfs::mount_test
