// What `shuntfs mount` refuses: the exit code, a sentence that names the thing, the reason and
// the remedy, and nothing left mounted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/daemon.h"
#include "tests/mount/files.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"
#include "tests/mount/setting.h"
#include "tests/mount/test_config.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kUsage = 1;
constexpr int kSystem = 2;
constexpr int kMountFailure = 32;
constexpr int kTestSeconds = 60;

class Refusal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Config().mode == Mode::kPlain) {
      GTEST_SKIP() << "nothing to refuse without the tool";
    }
    Watchdog::Arm(kTestSeconds);
    ASSERT_EQ(Tree().Reset(), "");
    ASSERT_FALSE(FindMount(mnt()).found);
  }

  void TearDown() override {
    if (Config().mode == Mode::kPlain) {
      return;
    }
    while (FindMount(mnt()).found) {
      RunCommand({Tree().binary(), "umount", mnt()});
      umount2(mnt().c_str(), MNT_DETACH);
    }
    Watchdog::Arm(0);
  }

  static std::string src() { return Tree().src(); }
  static std::string mnt() { return Tree().mnt(); }

  static std::vector<std::string> Command(const std::string& options, const std::string& source,
                                          const std::string& target) {
    std::vector<std::string> arguments = {Tree().binary(), "mount",
                                          std::string("--data-path=") + ModeName(Config().mode)};
    if (!options.empty()) {
      arguments.push_back("-o");
      arguments.push_back(options);
    }
    arguments.push_back(source);
    arguments.push_back(target);
    return arguments;
  }

  static std::vector<std::string> Forced(const std::string& data_path) {
    return {Tree().binary(), "mount", "--data-path=" + data_path, src(), mnt()};
  }

  // The command must fail with one of `codes` and say all of `words`.
  static void ExpectRefused(const std::vector<std::string>& command, const std::vector<int>& codes,
                            const std::vector<std::string>& words) {
    const CommandResult result = RunCommand(command);
    bool expected = false;
    for (const int code : codes) {
      expected = expected || result.exit_code == code;
    }
    EXPECT_TRUE(expected) << "exit code " << result.exit_code << ", stderr: " << result.err;
    for (const std::string& word : words) {
      EXPECT_NE(result.err.find(word), std::string::npos)
          << "no '" << word << "' in: " << result.err;
    }
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(FindMount(mnt()).found) << "something stayed mounted";
  }

  static void ExpectOptionRefused(const std::string& options,
                                  const std::vector<std::string>& words) {
    SCOPED_TRACE(options);
    ExpectRefused(Command(options, src(), mnt()), {kUsage}, words);
  }
};

TEST_F(Refusal, PoliciesThatContradictThemselvesOrNameNobody) {
  ExpectOptionRefused("force_user=1,map_users=1:2",
                      {"\"force_user\"", "contradicts \"map_users\"", "give one of them"});
  ExpectOptionRefused("squash=all,default_permissions",
                      {"\"default_permissions\"", "contradicts \"squash\""});
  ExpectOptionRefused("map_users=1:2/1:3", {"map_users", "1:3", "earlier range"});
  ExpectOptionRefused("force_user=no such user", {"force_user", "no such name"});
  ExpectOptionRefused("file_mode=9", {"file_mode", "octal"});
}

TEST_F(Refusal, SourceMissing) {
  ExpectRefused(Command("", src() + "/none", mnt()), {kMountFailure},
                {src() + "/none", "does not exist"});
}

TEST_F(Refusal, SourceIsNotADirectory) {
  ASSERT_TRUE(WriteFile(src() + "/file", ""));
  ExpectRefused(Command("", src() + "/file", mnt()), {kMountFailure},
                {src() + "/file", "not a directory"});
}

TEST_F(Refusal, SourceIsAnInterfaceOfTheKernel) {
  ExpectRefused(Command("", "/proc/sys", mnt()), {kMountFailure},
                {"/proc/sys", "type proc", "allow_pseudo_filesystems"});
  ExpectRefused(Command("", "/sys/kernel", mnt()), {kMountFailure}, {"type sysfs"});
  const CommandResult asked_for =
      RunCommand(Command("allow_pseudo_filesystems", "/proc/sys", mnt()));
  EXPECT_EQ(asked_for.exit_code, 0) << asked_for.err;
  EXPECT_TRUE(Exists(mnt() + "/kernel/ostype"));
}

TEST_F(Refusal, MountpointMissing) {
  ExpectRefused(Command("", src(), mnt() + "/none"), {kMountFailure}, {mnt() + "/none"});
}

TEST_F(Refusal, MountpointIsNotADirectory) {
  ASSERT_TRUE(WriteFile(Tree().plain() + "/file", ""));
  ExpectRefused(Command("", src(), Tree().plain() + "/file"), {kMountFailure},
                {Tree().plain() + "/file", "not a directory"});
}

TEST_F(Refusal, MountpointNotEmpty) {
  const std::string target = Tree().plain();
  ASSERT_TRUE(WriteFile(target + "/file", "kept"));
  ExpectRefused(Command("", src(), target), {kMountFailure}, {target, "not empty"});
  EXPECT_FALSE(FindMount(target).found);
  EXPECT_EQ(ReadFile(target + "/file"), "kept");
}

TEST_F(Refusal, MountpointAlreadyOurs) {
  ASSERT_TRUE(WriteFile(src() + "/file", "x"));
  Daemon daemon;
  ASSERT_EQ(daemon.Start(src(), mnt(), ""), "");
  const CommandResult again = RunCommand(Command("", Tree().plain(), mnt()));
  EXPECT_EQ(again.exit_code, kMountFailure) << again.err;
  EXPECT_NE(again.err.find(mnt()), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("already"), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("umount"), std::string::npos) << "no remedy in: " << again.err;
  EXPECT_EQ(ReadFile(mnt() + "/file"), "x") << "the first mount must go on";
  EXPECT_EQ(daemon.Stop(), "");
  EXPECT_FALSE(FindMount(mnt()).found);
}

TEST_F(Refusal, MountpointInsideTheSource) {
  const std::string inside = src() + "/below/mnt";
  ASSERT_EQ(mkdir((src() + "/below").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(inside.c_str(), 0755), 0);
  ExpectRefused(Command("", src(), inside), {kMountFailure}, {inside, src(), "inside"});
  EXPECT_FALSE(FindMount(inside).found);
}

TEST_F(Refusal, MountpointIsTheSource) {
  ExpectRefused(Command("", src(), src()), {kMountFailure}, {src(), "same"});
  EXPECT_FALSE(FindMount(src()).found);
}

TEST_F(Refusal, SourceInsideTheMountpoint) {
  const std::string source = Tree().plain() + "/below";
  ASSERT_EQ(mkdir(source.c_str(), 0755), 0);
  ExpectRefused(Command("", source, Tree().plain()), {kMountFailure},
                {source, Tree().plain(), "inside"});
  EXPECT_FALSE(FindMount(Tree().plain()).found);
}

TEST_F(Refusal, ContainmentThroughSymlinks) {
  ASSERT_EQ(mkdir((src() + "/mnt").c_str(), 0755), 0);
  const std::string link = Tree().plain() + "/link";
  ASSERT_EQ(symlink((src() + "/mnt").c_str(), link.c_str()), 0);
  ExpectRefused(Command("", src(), link), {kMountFailure}, {"inside"});
  EXPECT_FALSE(FindMount(src() + "/mnt").found);
}

TEST_F(Refusal, UnknownOption) {
  ExpectOptionRefused("no_such_option", {"no_such_option", "unknown"});
  ExpectOptionRefused("no_such_option=5", {"no_such_option", "unknown"});
  ExpectOptionRefused("entry_timeot=5", {"entry_timeot", "did you mean", "entry_timeout"});
}

TEST_F(Refusal, SubtypeIsFixed) { ExpectOptionRefused("subtype=other", {"subtype"}); }

TEST_F(Refusal, BadOptionValues) {
  ExpectOptionRefused("entry_timeout=soon", {"entry_timeout", "soon"});
  ExpectOptionRefused("attr_timeout=-1", {"attr_timeout", "-1"});
  ExpectOptionRefused("negative_timeout=", {"negative_timeout"});
  ExpectOptionRefused("max_write=7", {"max_write", "7"});
  ExpectOptionRefused("max_write=5000", {"max_write"});
  ExpectOptionRefused("max_write=1000G", {"max_write"});
  ExpectOptionRefused("memory_budget=lots", {"memory_budget", "lots"});
  ExpectOptionRefused("workers=-3", {"workers", "-3"});
  ExpectOptionRefused("workers=1.5", {"workers", "1.5"});
  ExpectOptionRefused("read_policy=fastest", {"read_policy", "fastest", "plain"});
  ExpectOptionRefused("write_policy=fastest", {"write_policy", "fastest", "fixed"});
  ExpectOptionRefused("stop_timeout=never", {"stop_timeout", "never"});
  ExpectOptionRefused("ro=yes", {"ro"});
}

TEST_F(Refusal, BadDataPath) {
  ExpectRefused(Forced("teleport"), {kUsage}, {"teleport", "per-entry", "device"});
}

TEST_F(Refusal, WrongUsage) {
  ExpectRefused({Tree().binary(), "mount"}, {kUsage}, {"mount"});
  ExpectRefused({Tree().binary(), "mount", src()}, {kUsage}, {"mount"});
  ExpectRefused({Tree().binary(), "mount", src(), mnt(), "third"}, {kUsage}, {"third"});
  ExpectRefused({Tree().binary(), "mount", "--no-such-flag", src(), mnt()}, {kUsage},
                {"no-such-flag"});
  ExpectRefused({Tree().binary(), "dismount", mnt()}, {kUsage}, {"dismount"});
}

TEST_F(Refusal, NoFuseDevice) {
  // Hidden for a child in a mount namespace of its own.
  const CommandResult result = [&] {
    CommandResult inner;
    const std::string out = Tree().base() + "/bin/stderr";
    inner.exit_code = RunAs(kRoot, [&] {
      if (unshare(CLONE_NEWNS) != 0 || mount("none", "/dev", "tmpfs", 0, "mode=0755") != 0 ||
          mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)) != 0) {
        return 200;
      }
      const CommandResult command = RunCommand(Command("", src(), mnt()));
      WriteFile(out, command.err);
      return command.exit_code < 0 ? 201 : command.exit_code;
    });
    inner.err = ReadFile(out);
    unlink(out.c_str());
    return inner;
  }();
  EXPECT_EQ(result.exit_code, kSystem) << result.err;
  EXPECT_NE(result.err.find("/dev/fuse"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("modprobe fuse"), std::string::npos) << "no remedy: " << result.err;
  EXPECT_FALSE(FindMount(mnt()).found);
}

TEST_F(Refusal, MountpointNotTheUsersOwn) {
  const CommandResult result = RunCommand(Command("", src(), mnt()), 20, kAlice);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.exit_code, kCannotBecome);
  EXPECT_NE(result.err, "");
  EXPECT_FALSE(FindMount(mnt()).found);
}

TEST_F(Refusal, PerEntryWhileTheKernelsRingIsOff) {
  const Setting off("/sys/module/fuse/parameters/enable_uring", "N");
  ASSERT_TRUE(off.changed());
  ExpectRefused(Forced("per-entry"), {kSystem, kMountFailure},
                {"per-entry", "enable_uring", "/sys/module/fuse/parameters/enable_uring"});
}

TEST_F(Refusal, PerEntryWhileIoUringIsForbidden) {
  const Setting forbidden("/proc/sys/kernel/io_uring_disabled", "2");
  ASSERT_TRUE(forbidden.changed());
  ExpectRefused(Forced("per-entry"), {kSystem, kMountFailure}, {"per-entry", "io_uring_disabled"});
}

TEST_F(Refusal, AutoServesWhileIoUringIsForbidden) {
  ASSERT_TRUE(WriteFile(src() + "/file", "x"));
  const Setting forbidden("/proc/sys/kernel/io_uring_disabled", "2");
  ASSERT_TRUE(forbidden.changed());
  const CommandResult mounted = RunCommand(Forced("auto"));
  EXPECT_EQ(mounted.exit_code, 0) << mounted.err;
  EXPECT_EQ(ReadFile(mnt() + "/file"), "x");
  const CommandResult status = RunCommand({Tree().binary(), "status", mnt(), "--json"});
  EXPECT_NE(status.out.find("sysctl kernel.io_uring_disabled=0"), std::string::npos) << status.out;
  EXPECT_EQ(RunCommand({Tree().binary(), "umount", mnt()}).exit_code, 0);
}

// What per-entry cannot have, auto does without: it says so and mounts all the same.
TEST_F(Refusal, AutoFallsBackInstead) {
  ASSERT_TRUE(WriteFile(src() + "/file", "x"));
  const Setting off("/sys/module/fuse/parameters/enable_uring", "N");
  ASSERT_TRUE(off.changed());
  const CommandResult mounted = RunCommand(Forced("auto"));
  EXPECT_EQ(mounted.exit_code, 0) << mounted.err;
  EXPECT_EQ(ReadFile(mnt() + "/file"), "x");
  const CommandResult status = RunCommand({Tree().binary(), "status", mnt(), "--json"});
  EXPECT_NE(status.out.find("enable_uring"), std::string::npos) << status.out;
  EXPECT_EQ(RunCommand({Tree().binary(), "umount", mnt()}).exit_code, 0);
  EXPECT_FALSE(FindMount(mnt()).found);
}

TEST_F(Refusal, UmountOfWhatIsNotOurs) {
  const CommandResult result = RunCommand({Tree().binary(), "umount", Tree().plain()});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.err.find(Tree().plain()), std::string::npos) << result.err;
}

TEST_F(Refusal, StatusOfWhatIsNotOurs) {
  const CommandResult result = RunCommand({Tree().binary(), "status", Tree().plain(), "--json"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.err.find(Tree().plain()), std::string::npos) << result.err;
}

TEST_F(Refusal, StatusWhileNothingAnswers) {
  // A mount whose daemon is gone: status and umount say so and come back.
  Daemon daemon;
  ASSERT_EQ(daemon.Start(src(), mnt(), ""), "");
  ASSERT_EQ(kill(daemon.pid(), SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] {
    struct stat info = {};
    return ErrorOf(stat(mnt().c_str(), &info)) == ENOTCONN;
  }));
  const CommandResult status = RunCommand({Tree().binary(), "status", mnt(), "--json"});
  EXPECT_NE(status.exit_code, 0);
  EXPECT_NE(status.err.find(mnt()), std::string::npos) << status.err;
}

}  // namespace
}  // namespace shuntfs::mount_test
