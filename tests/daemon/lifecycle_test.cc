// The control thread's loop with a server and a mount that only pretend.
#include "daemon/lifecycle.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>

namespace shuntfs {
namespace {

class LifecycleTest : public testing::Test {
 protected:
  LifecycleTest()
      : ended_(eventfd(0, EFD_CLOEXEC)), signals_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    limits_.graceful = std::chrono::milliseconds(50);
    limits_.forced = std::chrono::milliseconds(50);
    hooks_.ended_fd = ended_.get();
    hooks_.begin_stop = [this] {
      ++begin_stops_;
      if (begin_stop_ends_) Stop();
    };
    hooks_.join = [this] {
      ++joins_;
      std::unique_lock lock(mutex_);
      stopped_changed_.wait(lock, [this] { return stopped_; });
      return join_result_;
    };
    hooks_.unmount = [this](bool lazy) {
      ++(lazy ? detaches_ : unmounts_);
      if (lazy || unmount_.kind == UnmountOutcome::Kind::kDone) mounted_ = false;
      if (!lazy && unmount_.kind == UnmountOutcome::Kind::kDone && unmount_ends_) End();
      return lazy ? UnmountOutcome() : unmount_;
    };
    hooks_.flush = [this] { ++flushes_; };
    hooks_.abort = [this] {
      ++aborts_;
      End();
      return absl::OkStatus();
    };
    hooks_.is_mounted = [this] { return mounted_.load(); };
    hooks_.status_json = [] { return std::string("{}"); };
    hooks_.reload = [this](StopSequence::Limits*) -> absl::StatusOr<std::string> {
      ++reloads_;
      End();
      return std::string("nothing changed\n");
    };
    hooks_.release_names = [] {};
  }

  // The server's threads end.
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stopped_changed_.notify_all();
  }

  // The kernel ends the connection, and with it the threads.
  void End() {
    Stop();
    const uint64_t one = 1;
    ASSERT_EQ(write(ended_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }

  // The signal is pending before the loop starts, as when it comes during the start.
  int RunAfterSignal(int number = SIGTERM) {
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    const UniqueFd signals = TakeSignals();
    kill(getpid(), number);
    const int exit_code = Lifecycle(hooks_, limits_, signals.get(), nullptr).Run();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return exit_code;
  }

  int Run() { return Lifecycle(hooks_, limits_, signals_.get(), nullptr).Run(); }

  std::mutex mutex_;
  std::condition_variable stopped_changed_;
  bool stopped_ = false;
  UniqueFd ended_;
  UniqueFd signals_;
  LifecycleHooks hooks_;
  StopSequence::Limits limits_;
  std::atomic<bool> mounted_ = true;
  std::atomic<int> begin_stops_ = 0, joins_ = 0, unmounts_ = 0, detaches_ = 0, flushes_ = 0,
                   aborts_ = 0, reloads_ = 0;
  bool begin_stop_ends_ = true;
  bool unmount_ends_ = true;
  UnmountOutcome unmount_;
  absl::Status join_result_ = absl::OkStatus();
};

TEST_F(LifecycleTest, ASignalUnmountsAndTheExitCodeIsZero) {
  EXPECT_EQ(RunAfterSignal(), 0);
  EXPECT_EQ(unmounts_, 1);
  EXPECT_EQ(joins_, 1);
  EXPECT_EQ(begin_stops_, 0);
  EXPECT_EQ(detaches_, 0);
}

TEST_F(LifecycleTest, AHangupReloadsAndEndsNothing) {
  mounted_ = false;  // The hook ends the connection as umount(8) would, so that Run() returns.
  EXPECT_EQ(RunAfterSignal(SIGHUP), 0);
  EXPECT_EQ(reloads_, 1);
  EXPECT_EQ(unmounts_ + begin_stops_ + aborts_, 0);
}

// The first deadline is the new one: with the old one the test would not end.
TEST_F(LifecycleTest, AReloadedStopTimeoutHolds) {
  unmount_ = {UnmountOutcome::Kind::kBusy, "busy"};
  limits_.graceful = std::chrono::hours(10);
  hooks_.reload = [this](StopSequence::Limits* limits) -> absl::StatusOr<std::string> {
    ++reloads_;
    limits->graceful = std::chrono::milliseconds(1);
    kill(getpid(), SIGTERM);
    return std::string("applied\n");
  };
  EXPECT_EQ(RunAfterSignal(SIGHUP), 0);
  EXPECT_EQ(reloads_, 1);
  EXPECT_EQ(begin_stops_, 1);
}

TEST_F(LifecycleTest, ABusyMountIsFlushedDetachedAndStopped) {
  unmount_ = {UnmountOutcome::Kind::kBusy, "busy"};
  EXPECT_EQ(RunAfterSignal(), 0);
  EXPECT_EQ(flushes_, 1);
  EXPECT_EQ(detaches_, 1);
  EXPECT_EQ(begin_stops_, 1);
  EXPECT_EQ(aborts_, 0);
}

TEST_F(LifecycleTest, AServerThatDoesNotStopIsAborted) {
  unmount_ends_ = false;
  begin_stop_ends_ = false;
  limits_.stopping = std::chrono::milliseconds(20);
  EXPECT_NE(RunAfterSignal(), 0);
  EXPECT_EQ(begin_stops_, 1);
  EXPECT_EQ(aborts_, 1);
  EXPECT_EQ(joins_, 1);
}

TEST_F(LifecycleTest, BeatsWhileItServesAndTellsOnceThatItEnds) {
  int beats = 0;
  int told = 0;
  hooks_.beat_period = std::chrono::milliseconds(1);
  hooks_.beat = [this, &beats, &told] {
    EXPECT_EQ(told, 0);
    if (++beats < 3) return;
    mounted_ = false;
    End();
  };
  hooks_.stopping = [&told] { ++told; };
  EXPECT_EQ(Run(), 0);
  EXPECT_EQ(beats, 3);
  EXPECT_EQ(told, 1);
}

// The unmount waits for a connection that only the server's end takes away.
TEST_F(LifecycleTest, AnUnmountThatHangsDoesNotKeepTheServerFromEnding) {
  hooks_.unmount = [this](bool lazy) {
    if (lazy) mounted_ = false;
    std::unique_lock lock(mutex_);
    stopped_changed_.wait(lock, [this] { return stopped_; });
    return UnmountOutcome();
  };
  EXPECT_EQ(RunAfterSignal(), 0);
  EXPECT_EQ(begin_stops_, 1);
  EXPECT_EQ(aborts_, 0);
}

TEST_F(LifecycleTest, AnOutsideUnmountIsInOrder) {
  mounted_ = false;
  End();
  EXPECT_EQ(Run(), 0);
  EXPECT_EQ(unmounts_ + detaches_, 0);
  EXPECT_EQ(joins_, 1);
}

TEST_F(LifecycleTest, AnAbortIsNotAndItsMountIsRemoved) {
  End();
  EXPECT_NE(Run(), 0);
  EXPECT_EQ(detaches_, 1);
  EXPECT_FALSE(mounted_);
}

TEST_F(LifecycleTest, TheServersReasonIsInTheExitCode) {
  mounted_ = false;
  join_result_ = absl::InternalError("a worker failed");
  End();
  EXPECT_NE(Run(), 0);
}

TEST_F(LifecycleTest, ThreadsThatNeverEndAreLeftBehind) {
  const auto hang = [this] {
    limits_.joining = std::chrono::milliseconds(20);
    mounted_ = false;
    hooks_.join = [] {
      std::mutex mutex;
      std::condition_variable never;
      std::unique_lock<std::mutex> lock(mutex);
      never.wait(lock, [] { return false; });
      return absl::OkStatus();
    };
    End();
    Run();
  };
  EXPECT_EXIT(hang(), testing::ExitedWithCode(1), "leaving without them");
}

}  // namespace
}  // namespace shuntfs
