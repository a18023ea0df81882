// Each step of a start that can fail, made to fail: a mode that is asked for is refused with the
// reason, auto serves in the next one, and nothing hangs or stays mounted.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"
#include "tests/mount/test_config.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kSystem = 2;
constexpr int kMountFailure = 32;
constexpr int kTestSeconds = 60;

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
    {"Setup", "io_uring_setup", "EPERM", "io_uring is not allowed here"},
    {"SetupWithoutMemory", "io_uring_setup", "ENOMEM", "no ring can be made"},
    {"Buffers", kRegisterBuffers, "ENOMEM", "RLIMIT_MEMLOCK"},
    {"Files", kRegisterFiles, "EMFILE", "no ring can be made"},
    {"Clone", kCloneBuffers, "EINVAL", "a ring cannot be set up"},
    {"Enter", "io_uring_enter", "EPERM", "Operation not permitted"},
};

class StartFailures : public ::testing::Test {
 protected:
  void SetUp() override {
    Watchdog::Arm(kTestSeconds);
    ASSERT_EQ(Tree().Reset(), "");
    ASSERT_TRUE(WriteFile(Tree().src() + "/file", "content"));
    if (OverRing(Config().mode)) {
      ASSERT_TRUE(WriteFile("/sys/module/fuse/parameters/enable_uring", "Y"));
    }
  }
  void TearDown() override {
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
    EXPECT_FALSE(Watchdog::Fired());
    Watchdog::Arm(0);
  }

  static std::string Denier() {
    return std::filesystem::path(Config().binary).parent_path().parent_path() /
           "tests/mount/deny_syscall";
  }
  static CommandResult Mount(const Step& step, const std::string& data_path) {
    return RunCommand({Denier(), step.call, step.error, Tree().binary(), "mount",
                       "--data-path=" + data_path, Tree().src(), Tree().mnt()});
  }

  // A mount in the mode under test is refused, and says so.
  static void ExpectRefused(const Step& step) {
    const CommandResult result = Mount(step, ModeName(Config().mode));
    EXPECT_TRUE(result.exit_code == kSystem || result.exit_code == kMountFailure)
        << result.exit_code << ": " << result.err;
    EXPECT_NE(result.err.find(step.said), std::string::npos) << result.err;
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
  }

  // auto serves all the same, without the ring, and tells why.
  static void ExpectDevice(const Step& step) {
    const CommandResult result = Mount(step, "auto");
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(ReadFile(Tree().mnt() + "/file"), "content");
    const CommandResult status = RunCommand({Tree().binary(), "status", Tree().mnt(), "--json"});
    const nlohmann::json document = nlohmann::json::parse(status.out, nullptr, false);
    ASSERT_TRUE(document.is_object()) << status.out << status.err;
    EXPECT_EQ(document.value("data_path", ""), "device");
    EXPECT_NE(document["data_path_reasons"].value(ModeName(Config().mode), "").find(step.said),
              std::string::npos)
        << document["data_path_reasons"];
    EXPECT_EQ(RunCommand({Tree().binary(), "umount", Tree().mnt()}).exit_code, 0);
  }
};

TEST_F(StartFailures, OfTheRing) {
  if (!OverRing(Config().mode)) {
    GTEST_SKIP() << "this mode has no ring that could fail";
  }
  for (const Step& step : kRingSteps) {
    SCOPED_TRACE(step.name);
    ExpectRefused(step);
    ExpectDevice(step);
  }
}

// A limit of processes refuses threads in every mode.
TEST_F(StartFailures, WithoutThreads) {
  const Step step{"Threads", "clone3", "EAGAIN", "thread cannot be started"};
  if (Config().mode == Mode::kPlain) {
    GTEST_SKIP() << "a bind mount has no threads";
  }
  ExpectRefused(step);
}

}  // namespace
}  // namespace shuntfs::mount_test
