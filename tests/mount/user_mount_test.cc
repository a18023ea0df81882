// What an ordinary user gets: a mount through fusermount3, minus what needs privilege.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
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

constexpr int kTestSeconds = 60;
constexpr char kIoUringDisabled[] = "/proc/sys/kernel/io_uring_disabled";

// fusermount3 asks the password file for the user's name, so it must be a user who is in there.
Identity User() {
  const passwd* entry = getpwnam("nobody");
  return entry == nullptr ? kAlice : Identity{entry->pw_uid, entry->pw_gid, {}};
}

class UserMount : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Config().mode == Mode::kPlain) {
      GTEST_SKIP() << "a bind mount is root's";
    }
    ASSERT_NO_FATAL_FAILURE(Prepare());
    std::vector<std::string> words = {Tree().binary(), "mount",
                                      std::string("--data-path=") + DataPath()};
    for (const std::string& option : MountOptions()) words.push_back(option);
    words.push_back(Tree().src());
    words.push_back(Tree().mnt());
    const CommandResult mounted = RunCommand(words, 20, User());
    ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
    const MountEntry entry = FindMount(Tree().mnt());
    ASSERT_TRUE(entry.found);
    Watchdog::Guard(-1, entry.connection);
    before_ = Status();
  }

  void TearDown() override {
    if (Config().mode == Mode::kPlain) {
      return;
    }
    if (FindMount(Tree().mnt()).found) {
      const nlohmann::json after = Status();
      const CommandResult unmounted =
          RunCommand({Tree().binary(), "umount", Tree().mnt()}, 20, User());
      EXPECT_EQ(unmounted.exit_code, 0) << unmounted.err;
      EXPECT_FALSE(FindMount(Tree().mnt()).found);
      ASSERT_TRUE(after.is_object());
      CheckDataPath(after);
      const pid_t daemon = after.value("pid", -1);
      // The daemon has left its caller; init collects it when it likes.
      EXPECT_TRUE(Eventually([&] {
        const std::string stat = ReadFile("/proc/" + std::to_string(daemon) + "/stat");
        return stat == "<ENOENT>" || stat.find(") Z ") != std::string::npos;
      }));
    }
    Watchdog::Guard(-1, -1);
    umount2(Tree().mnt().c_str(), MNT_DETACH);
    EXPECT_EQ(chown(Tree().mnt().c_str(), 0, 0), 0);
    Watchdog::Arm(0);
  }

  virtual std::vector<std::string> MountOptions() const { return {}; }

  static void Prepare() {
    Watchdog::Arm(kTestSeconds);
    ASSERT_NO_FATAL_FAILURE(OpenFuseDeviceToUsers());
    ASSERT_EQ(Tree().Reset(), "");
    ASSERT_EQ(chown(Tree().src().c_str(), User().uid, User().gid), 0);
    ASSERT_EQ(chown(Tree().mnt().c_str(), User().uid, User().gid), 0);
    if (OverRing(Config().mode)) {
      std::ofstream("/sys/module/fuse/parameters/enable_uring") << "Y";
    }
  }

  // Modes that are root's are passed over by auto, for that reason.
  static bool IsRootsAlone() {
    return Config().mode == Mode::kZeroCopy || Config().mode == Mode::kKernel;
  }
  static const char* DataPath() { return IsRootsAlone() ? "auto" : ModeName(Config().mode); }

  static void CheckDataPath(const nlohmann::json& status) {
    const std::string mode = ModeName(Config().mode);
    const std::string used = status.value("data_path", "");
    if (IsRootsAlone()) {
      EXPECT_NE(used, mode);
      EXPECT_NE(status["data_path_reasons"].value(mode, "").find("CAP_SYS_ADMIN"),
                std::string::npos)
          << status["data_path_reasons"];
    } else {
      EXPECT_EQ(used, mode);
    }
    const uint64_t ring = status["transport"].value("ring_requests", uint64_t{0});
    EXPECT_EQ(ring > 0, used != "device");
  }

  // udev gives everybody access to /dev/fuse; where no udev runs, a node of our own lies over it,
  // in this process's mount namespace only.
  static void OpenFuseDeviceToUsers() {
    const struct stat device = StatOf("/dev/fuse");
    if ((device.st_mode & 0666) == 0666) {
      return;
    }
    const std::string own = Tree().base() + "/dev";
    ASSERT_EQ(mkdir(own.c_str(), 0755), 0);
    ASSERT_EQ(mount("dev", own.c_str(), "tmpfs", 0, "mode=0755"), 0);
    const std::string node = own + "/fuse";
    ASSERT_EQ(mknod(node.c_str(), S_IFCHR, device.st_rdev), 0);
    ASSERT_EQ(chmod(node.c_str(), 0666), 0);
    ASSERT_EQ(mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr), 0);
    // The bind mount holds the node; the directory has done its service.
    ASSERT_EQ(umount2(own.c_str(), MNT_DETACH), 0);
    ASSERT_EQ(rmdir(own.c_str()), 0);
  }

  static nlohmann::json Status() {
    const CommandResult result =
        RunCommand({Tree().binary(), "status", Tree().mnt(), "--json"}, 20, User());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    nlohmann::json document = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_TRUE(document.is_object()) << result.out;
    return document;
  }

  static uint64_t Count(const nlohmann::json& status, const char* operation) {
    const auto& operations = status["operations"];
    return operations.contains(operation) ? operations[operation].value("count", uint64_t{0}) : 0;
  }

  nlohmann::json before_;
};

// The mount is not there yet.
class UserRefusal : public UserMount {
 protected:
  void SetUp() override {
    if (Config().mode == Mode::kPlain) {
      GTEST_SKIP() << "a bind mount is root's";
    }
    ASSERT_NO_FATAL_FAILURE(Prepare());
  }
};

// What an ordinary user may be refused: the mode that is asked for says so, auto serves in another.
class UserStart : public UserRefusal {
 protected:
  void SetUp() override {
    if (!OverRing(Config().mode) || IsRootsAlone()) {
      GTEST_SKIP() << "nothing of this mode is refused to users alone";
    }
    UserRefusal::SetUp();
  }

  // `before`: words before those of the command.
  static void ExpectDeviceInstead(const std::vector<std::string>& before, const std::string& said) {
    const std::string mode = ModeName(Config().mode);
    const CommandResult forced = MountAs(mode, before);
    EXPECT_GT(forced.exit_code, 0);
    EXPECT_NE(forced.err.find(said), std::string::npos) << forced.err;
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
    const CommandResult any = MountAs("auto", before);
    ASSERT_EQ(any.exit_code, 0) << any.err;
    const nlohmann::json status = Status();
    EXPECT_EQ(status.value("data_path", ""), "device");
    EXPECT_NE(status["data_path_reasons"].value(mode, "").find(said), std::string::npos)
        << status["data_path_reasons"];
    EXPECT_EQ(RunCommand({Tree().binary(), "umount", Tree().mnt()}, 20, User()).exit_code, 0);
    EXPECT_FALSE(FindMount(Tree().mnt()).found);
  }

 private:
  static CommandResult MountAs(const std::string& data_path, std::vector<std::string> words) {
    for (const std::string& word : {Tree().binary(), std::string("mount"),
                                    "--data-path=" + data_path, Tree().src(), Tree().mnt()}) {
      words.push_back(word);
    }
    return RunCommand(words, 20, User());
  }
};

TEST_F(UserStart, WhileIoUringIsForTheAdministrator) {
  const Setting setting(kIoUringDisabled, "1");
  ASSERT_TRUE(setting.changed());
  ExpectDeviceInstead({}, "sysctl kernel.io_uring_disabled=0");
}

TEST_F(UserStart, WhileIoUringIsForbidden) {
  const Setting setting(kIoUringDisabled, "2");
  ASSERT_TRUE(setting.changed());
  ExpectDeviceInstead({}, "sysctl kernel.io_uring_disabled=0");
}

TEST_F(UserStart, WithLittleMemoryToLock) {
  ExpectDeviceInstead({"prlimit", "--memlock=65536:65536", "--"},
                      "RLIMIT_MEMLOCK allows 65536: raise it (ulimit -l)");
}

TEST_F(UserMount, ReadsAndWrites) {
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string mnt = Tree().mnt();
                    const std::string content = Pattern(3000001);
                    if (!WriteFile(mnt + "/f", content)) return 1;
                    if (ReadFile(mnt + "/f") != content) return 2;
                    if (mkdir((mnt + "/d").c_str(), 0700) != 0) return 3;
                    if (rename((mnt + "/f").c_str(), (mnt + "/d/g").c_str()) != 0) return 4;
                    if (symlink("d", (mnt + "/s").c_str()) != 0) return 5;
                    if (ReadFile(mnt + "/s/g") != content) return 6;
                    const File file(mnt + "/d/g", O_RDWR);
                    if (unlink((mnt + "/d/g").c_str()) != 0) return 7;
                    if (ftruncate(file.get(), 100) != 0) return 8;
                    if (ReadAll(file.get()) != content.substr(0, 100)) return 9;
                    if (rmdir((mnt + "/d").c_str()) != 0) return 10;
                    return 0;
                  }),
            0);
  EXPECT_EQ(ListDirectory(Tree().src()), std::vector<std::string>{"s"});
  EXPECT_EQ(OwnerOf(Tree().src() + "/s"),
            std::to_string(User().uid) + ":" + std::to_string(User().gid));
}

TEST_F(UserMount, HasTheRightsOfTheUserAndNoMore) {
  const std::string secret = Tree().src() + "/secret";
  ASSERT_TRUE(WriteFile(secret, "root's"));
  ASSERT_EQ(chmod(secret.c_str(), 0600), 0);
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string mnt = Tree().mnt();
                    return ErrorOf(File(mnt + "/secret", O_RDONLY).get());
                  }),
            EACCES);
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string mnt = Tree().mnt();
                    return ErrorOf(chmod((mnt + "/secret").c_str(), 0666));
                  }),
            EPERM);
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string mnt = Tree().mnt();
                    return ErrorOf(chown((mnt + "/secret").c_str(), User().uid, User().gid));
                  }),
            EPERM);
  EXPECT_EQ(ModeOf(secret), 0600u);
}

TEST_F(UserMount, OthersAreKeptOut) {
  for (const Identity& who : {kBob, kRoot}) {
    EXPECT_EQ(RunAs(who, [] { return ErrorOf(access(Tree().mnt().c_str(), R_OK)); }), EACCES);
  }
}

TEST_F(UserMount, Access) {
  ASSERT_TRUE(WriteFile(Tree().src() + "/f", "x"));
  ASSERT_EQ(chmod((Tree().src() + "/f").c_str(), 0644), 0);
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string f = Tree().mnt() + "/f";
                    if (ErrorOf(access(f.c_str(), R_OK)) != 0) return 1;
                    if (ErrorOf(access(f.c_str(), W_OK)) != EACCES) return 2;
                    if (ErrorOf(access(f.c_str(), X_OK)) != EACCES) return 3;
                    return 0;
                  }),
            0);
  // Without default_permissions the kernel leaves the question to the daemon.
  if (FindMount(Tree().mnt()).options.find("default_permissions") == std::string::npos) {
    EXPECT_GT(Count(Status(), "ACCESS"), Count(before_, "ACCESS"));
  }
}

TEST_F(UserMount, IsNosuidAndNodev) {
  const std::string options = "," + FindMount(Tree().mnt()).options + ",";
  EXPECT_NE(options.find(",nosuid,"), std::string::npos) << options;
  EXPECT_NE(options.find(",nodev,"), std::string::npos) << options;
}

// A policy that needs no privilege holds for a user's mount as for root's.
class UserPolicy : public UserMount {
 protected:
  std::vector<std::string> MountOptions() const override {
    return {"--hide=*.key", "--file-mode=750", "--create-file-mode=640"};
  }
};

TEST_F(UserPolicy, HidesNamesAndForcesBits) {
  ASSERT_TRUE(WriteFile(Tree().src() + "/private.key", "secret"));
  ASSERT_TRUE(WriteFile(Tree().src() + "/f", "x"));
  ASSERT_EQ(chown((Tree().src() + "/f").c_str(), User().uid, User().gid), 0);
  ASSERT_EQ(chmod((Tree().src() + "/f").c_str(), 0666), 0);
  EXPECT_EQ(RunAs(User(),
                  [] {
                    const std::string mnt = Tree().mnt();
                    if (ListDirectory(mnt) != std::vector<std::string>{"f"}) return 1;
                    if (ErrorOf(File(mnt + "/private.key", O_RDONLY).get()) != ENOENT) return 2;
                    if (ErrorOf(File(mnt + "/new.key", O_CREAT | O_RDWR).get()) != EACCES) return 3;
                    if (ModeOf(mnt + "/f") != 0640) return 4;
                    if (!WriteFile(mnt + "/new", "y")) return 5;
                    return 0;
                  }),
            0);
  EXPECT_EQ(ModeOf(Tree().src() + "/new"), 0640u);
}

// Owners other than the user's own cannot be given without privilege: refused before the mount.
TEST_F(UserRefusal, OwnersThatTakePrivilege) {
  const CommandResult refused = RunCommand(
      {Tree().binary(), "mount", "--create-user=0", Tree().src(), Tree().mnt()}, 20, User());
  EXPECT_GT(refused.exit_code, 0);
  EXPECT_NE(refused.err.find("create_user"), std::string::npos) << refused.err;
  EXPECT_FALSE(FindMount(Tree().mnt()).found);
}

}  // namespace
}  // namespace shuntfs::mount_test
