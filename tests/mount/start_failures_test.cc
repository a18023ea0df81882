// Each step of a start that can fail, made to fail: a mode that is asked for is refused with the
// reason, auto serves in the next one, and nothing hangs or stays mounted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"
#include "tests/mount/setting.h"
#include "tests/mount/test_config.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kSystem = 2;
constexpr int kMountFailure = 32;
constexpr int kTestSeconds = 240;
constexpr int kReadyMs = 60 * 1000;

constexpr char kEnableRing[] = "/sys/module/fuse/parameters/enable_uring";
// For RunApart: mounts, shows that it serves and in which mode, unmounts.
constexpr char kUseAuto[] =
    "\"$1\" mount --data-path=auto \"$2\" \"$3\" && cat \"$3/file\" && \"$1\" status \"$3\" --json "
    "&& "
    "exec \"$1\" umount \"$3\"";

// Opcodes of io_uring_register(2).
constexpr char kRegisterBuffers[] = "io_uring_register:1=0";
constexpr char kRegisterFiles[] = "io_uring_register:1=2";
constexpr char kCloneBuffers[] = "io_uring_register:1=30";

struct Step {
  const char* name;
  const char* call;   // as deny_syscall takes it
  const char* error;  // what the call answers
  const char* said;   // part of the reason
};

constexpr Step kRingSteps[] = {
    {"Setup", "io_uring_setup", "EPERM", "sysctl kernel.io_uring_disabled=0"},
    {"SetupWithoutMemory", "io_uring_setup", "ENOMEM", "no ring can be made"},
    {"Buffers", kRegisterBuffers, "ENOMEM", "raise it (ulimit -l)"},
    {"Files", kRegisterFiles, "EMFILE", "no ring can be made"},
    {"Clone", kCloneBuffers, "EINVAL", "a ring cannot be set up"},
    {"Enter", "io_uring_enter", "EPERM", "Operation not permitted"},
};

// A command of fs/fuse/dev_uring.c that the kernel refuses, or never sees.
struct SpoiledCommand {
  const char* name;
  const char* how;      // as spoil_command takes it
  const char* command;  // FUSE_IO_URING_CMD_*
  const char* said;     // part of the reason
  const char* next;     // what auto serves in
};

constexpr SpoiledCommand kEntrySteps[] = {
    {"Register", "refuse", "1", "the kernel refuses ring entries: ", "device"},
    {"RegisterLost", "lose", "1", "sent no request within 5 s", "device"},
};
constexpr SpoiledCommand kPoolSteps[] = {
    {"AddQueue", "refuse", "3", "queue: Invalid argument", "per-entry"},
    {"AddBufpool", "refuse", "4", "the kernel refuses a buffer pool: Invalid argument",
     "per-entry"},
};

class StartFailures : public ::testing::Test {
 protected:
  using Words = std::vector<std::string>;

  void SetUp() override {
    Watchdog::Arm(kTestSeconds);
    ASSERT_EQ(Tree().Reset(), "");
    ASSERT_TRUE(WriteFile(Tree().src() + "/file", "content"));
    if (OverRing(Config().mode)) {
      ASSERT_TRUE(WriteFile(kEnableRing, "Y"));
    }
  }
  void TearDown() override {
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
    EXPECT_FALSE(Watchdog::Fired());
    Watchdog::Arm(0);
  }

  static std::string ModeWord() { return ModeName(Config().mode); }
  static bool Pooled() {
    return Config().mode == Mode::kBufferPool || Config().mode == Mode::kZeroCopy;
  }

  static std::string Program(const std::string& name) {
    return std::filesystem::path(Config().binary).parent_path().parent_path() / "tests/mount" /
           name;
  }
  // What runs a program so that the step fails.
  static Words Failing(const Step& step) {
    return {Program("deny_syscall"), step.call, step.error};
  }
  static Words Failing(const SpoiledCommand& step) {
    // The last queue: others are registered already, or never will be.
    const long last = sysconf(_SC_NPROCESSORS_CONF) - 1;
    return {Program("spoil_command"), step.how, step.command, std::to_string(last)};
  }
  static Words Then(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static Words Mount(const std::string& data_path) {
    return {Tree().binary(), "mount", "--data-path=" + data_path, Tree().src(), Tree().mnt()};
  }

  // A mount in the mode under test is refused, and says so.
  static void ExpectRefused(const Words& failing, const std::string& said) {
    const CommandResult result = RunCommand(Then(failing, Mount(ModeWord())));
    EXPECT_TRUE(result.exit_code == kSystem || result.exit_code == kMountFailure)
        << result.exit_code << ": " << result.err;
    EXPECT_NE(result.err.find(said), std::string::npos) << result.err;
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
  }

  // auto serves all the same, in `next`; the status document and the log tell why not in the mode
  // under test.
  static void ExpectServes(const Words& failing, const std::string& next, const std::string& said) {
    Words command = Then(failing, Mount("auto"));
    command.insert(command.end() - 2, "-f");
    const std::string log = Tree().base() + "/log";
    const pid_t daemon = Spawn(kRoot, [&command, &log] { return Execute(command, log); });
    nlohmann::json status;
    EXPECT_TRUE(Eventually([&status] { return FindMount(Tree().mnt()).found && Answers(&status); },
                           kReadyMs))
        << ReadFile(log);
    if (status.is_object()) {
      EXPECT_EQ(ReadFile(Tree().mnt() + "/file"), "content");
      EXPECT_EQ(status.value("data_path", ""), next);
      EXPECT_NE(status["data_path_reasons"].value(ModeWord(), "").find(said), std::string::npos)
          << status["data_path_reasons"];
      EXPECT_EQ(RunCommand({Tree().binary(), "umount", Tree().mnt()}).exit_code, 0);
    } else {
      kill(daemon, SIGKILL);
    }
    EXPECT_EQ(Wait(daemon), 0);
    const std::string text = ReadFile(log);
    const size_t told = text.find("not " + ModeWord() + ": ");
    EXPECT_NE(text.find("data path " + next), std::string::npos) << text;
    ASSERT_NE(told, std::string::npos) << text;
    EXPECT_NE(text.find(said, told), std::string::npos) << text;
    unlink(log.c_str());
  }

  static bool Answers(nlohmann::json* status) {
    const CommandResult result = RunCommand({Tree().binary(), "status", Tree().mnt(), "--json"});
    *status = nlohmann::json::parse(result.out, nullptr, false);
    return result.exit_code == 0 && status->is_object();
  }

  static int Execute(const Words& command, const std::string& log) {
    const int fd = open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    dup2(fd, STDERR_FILENO);
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    return kCannotBecome;
  }

  // Runs `unshare ARGUMENTS sh -c SCRIPT`, where $1 is the tool, $2 SRC and $3 MNT.
  static CommandResult RunApart(const Words& arguments, const std::string& script) {
    return RunCommand(Then(Then({"unshare"}, arguments), {"sh", "-c", script, "sh", Tree().binary(),
                                                          Tree().src(), Tree().mnt()}));
  }
};

TEST_F(StartFailures, OfTheRing) {
  if (!OverRing(Config().mode)) {
    GTEST_SKIP() << "this mode has no ring that could fail";
  }
  for (const Step& step : kRingSteps) {
    SCOPED_TRACE(step.name);
    ExpectRefused(Failing(step), step.said);
    ExpectServes(Failing(step), "device", step.said);
  }
}

TEST_F(StartFailures, OfTheEntries) {
  if (!OverRing(Config().mode)) {
    GTEST_SKIP() << "this mode has no entries";
  }
  for (const SpoiledCommand& step : kEntrySteps) {
    SCOPED_TRACE(step.name);
    ExpectRefused(Failing(step), step.said);
    ExpectServes(Failing(step), step.next, step.said);
  }
}

TEST_F(StartFailures, OfThePools) {
  if (!Pooled()) {
    GTEST_SKIP() << "this mode has no pools";
  }
  for (const SpoiledCommand& step : kPoolSteps) {
    SCOPED_TRACE(step.name);
    ExpectRefused(Failing(step), step.said);
    ExpectServes(Failing(step), step.next, step.said);
  }
}

// The kernel's switch is off, though what the tool reads says otherwise: INIT does not offer the
// ring.
TEST_F(StartFailures, InitOffersNoRing) {
  if (!OverRing(Config().mode)) {
    GTEST_SKIP() << "this mode needs no offer";
  }
  const Setting off(kEnableRing, "N");
  ASSERT_TRUE(off.changed());
  const std::string lie = Tree().base() + "/lie";
  ASSERT_TRUE(WriteFile(lie, "Y\n"));
  const std::string hide = "mount --bind " + lie + " " + kEnableRing + " && ";
  const std::string said =
      Pooled() ? "boot Linux 7.3" : "echo Y > /sys/module/fuse/parameters/enable_uring";
  const CommandResult forced =
      RunApart({"-m"}, hide + "exec \"$1\" mount --data-path=" + ModeWord() + " \"$2\" \"$3\"");
  EXPECT_TRUE(forced.exit_code == kSystem || forced.exit_code == kMountFailure) << forced.err;
  EXPECT_NE(forced.err.find(said), std::string::npos) << forced.err;
  const CommandResult any = RunApart({"-m"}, hide + kUseAuto);
  EXPECT_EQ(any.exit_code, 0) << any.err;
  EXPECT_NE(any.out.find("content"), std::string::npos) << any.out;
  EXPECT_NE(any.out.find("\"data_path\": \"device\""), std::string::npos) << any.out;
  EXPECT_NE(any.out.find(said), std::string::npos) << any.out;
  unlink(lie.c_str());
}

// Root of a user namespace that has one user, and denies setgroups(2).
TEST_F(StartFailures, InAUserNamespace) {
  if (Config().mode == Mode::kPlain) {
    GTEST_SKIP() << "a bind mount asks for nothing";
  }
  if (RunApart({"-Ur"}, "true").exit_code != 0) {
    GTEST_SKIP() << "there are no user namespaces here; in a chroot there are none";
  }
  const bool roots = Config().mode == Mode::kZeroCopy || Config().mode == Mode::kKernel;
  const CommandResult any = RunApart({"-Urm"}, kUseAuto);
  EXPECT_EQ(any.exit_code, 0) << any.err;
  EXPECT_NE(any.out.find("content"), std::string::npos) << any.out;
  const CommandResult forced =
      RunApart({"-Urm"}, "\"$1\" mount --data-path=" + ModeWord() +
                             " \"$2\" \"$3\" && cat \"$3/file\" && exec \"$1\" umount \"$3\"");
  if (roots) {
    EXPECT_NE(forced.exit_code, 0);
    EXPECT_NE(forced.err.find("CAP_SYS_ADMIN"), std::string::npos) << forced.err;
    EXPECT_NE(forced.err.find("outside of user namespaces"), std::string::npos) << forced.err;
    EXPECT_NE(any.out.find("outside of user namespaces"), std::string::npos) << any.out;
  } else {
    EXPECT_EQ(forced.exit_code, 0) << forced.err;
    EXPECT_EQ(forced.out, "content");
  }
  // Others would act with root's rights.
  const CommandResult others = RunApart({"-Urm"}, "exec \"$1\" mount -o allow_other \"$2\" \"$3\"");
  EXPECT_NE(others.exit_code, 0);
  EXPECT_NE(others.err.find("CAP_SETGID"), std::string::npos) << others.err;
}

// A limit of processes refuses threads in every mode.
TEST_F(StartFailures, WithoutThreads) {
  const Step step{"Threads", "clone3", "EAGAIN", "thread cannot be started"};
  if (Config().mode == Mode::kPlain) {
    GTEST_SKIP() << "a bind mount has no threads";
  }
  ExpectRefused(Failing(step), step.said);
}

TEST_F(StartFailures, WithoutAnIdentity) {
  const Step step{"Capset", "capset", "EPERM", "may not take the identity"};
  if (Config().mode == Mode::kPlain) {
    GTEST_SKIP() << "a bind mount has no threads";
  }
  ExpectRefused(Failing(step), step.said);
}

}  // namespace
}  // namespace shuntfs::mount_test
