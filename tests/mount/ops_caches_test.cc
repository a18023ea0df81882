// FORGET, BATCH_FORGET, INTERRUPT, what is known of file systems below SRC, and what the kernel may
// keep for how long.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/mount/fixture.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

void DropDentriesAndInodes() { std::ofstream("/proc/sys/vm/drop_caches") << "2"; }

class Caches : public Ops {
 protected:
  void SetUp() override {
    if (plain()) {
      GTEST_SKIP() << "a bind mount has no caches of its own";
    }
    Ops::SetUp();
  }
  void TearDown() override {
    if (!plain()) {
      Ops::TearDown();
    }
  }
};

TEST_F(Caches, Forget) {
  ServesAny({"FORGET", "BATCH_FORGET"});
  int i = 0;
  EXPECT_TRUE(Eventually([&] {
    const std::string name = Mnt("f" + std::to_string(i++));
    WriteFile(name, "x");
    unlink(name.c_str());
    return Served("FORGET") + Served("BATCH_FORGET") > 0;
  }));
}

// FORGETs are gathered for a moment where nothing else comes through /dev/fuse: none may be lost by
// that. How many come together depends on how fast files are removed, which the benchmark shows.
TEST_F(Caches, ForgetsOfManyFilesAllArrive) {
  ServesAny({"FORGET", "BATCH_FORGET"});
  constexpr uint64_t kFiles = 2000;
  for (uint64_t i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(WriteFile(Src("f" + std::to_string(i)), ""));
  }
  const double before = Status().resources["inodes"];
  for (uint64_t i = 0; i < kFiles; ++i) {
    ASSERT_EQ(unlink(Mnt("f" + std::to_string(i)).c_str()), 0);
  }
  EXPECT_TRUE(Eventually([&] { return Status().resources["inodes"] <= before; }));
}

TEST_F(Caches, BatchForget) {
  Serves("BATCH_FORGET");
  constexpr int kFiles = 5000;
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(WriteFile(Src("f" + std::to_string(i)), ""));
  }
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(Exists(Mnt("f" + std::to_string(i))));
  }
  const double walked = Status().resources["inodes"];
  EXPECT_GE(walked, kFiles);
  // The daemon keeps what the kernel keeps, and no more.
  EXPECT_TRUE(Eventually([&] {
    DropDentriesAndInodes();
    return Served("BATCH_FORGET") > 0 && Status().resources["inodes"] < walked / 10;
  }));
  // What was forgotten is found again.
  EXPECT_TRUE(Exists(Mnt("f77")));
}

// A tmpfs below SRC was seen and is gone, and a FUSE mount that nobody serves has got its device
// number. Lookups in it wait on threads that may wait, and others are served meanwhile.
TEST_F(Caches, ARecycledDeviceNumberStopsNobody) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("place").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Src("other"), "answers"));
  File silent;
  // The kernel gives out the lowest number that is free; others on the machine take some, too.
  const bool recycled = Eventually([&] {
    if (mount("tmpfs", Src("place").c_str(), "tmpfs", 0, "size=1m,mode=0755") != 0) return false;
    const unsigned number = minor(StatOf(Src("place")).st_dev);
    WriteFile(Src("place/seen"), "x");
    EXPECT_EQ(ReadFile(Mnt("place/seen")), "x");
    EXPECT_TRUE(Eventually([&] {
      DropDentriesAndInodes();
      return umount2(Src("place").c_str(), 0) == 0;
    }));
    silent = File("/dev/fuse", O_RDWR);
    const std::string options =
        "fd=" + std::to_string(silent.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
    if (mount("silent", Src("place").c_str(), "fuse", 0, options.c_str()) != 0) return false;
    if (FindMount(Src("place")).connection == static_cast<int>(number)) return true;
    umount2(Src("place").c_str(), MNT_DETACH);
    return false;
  });
  ASSERT_TRUE(recycled);
  const uint64_t offloaded = Status().offloaded;
  const pid_t child = Spawn(kRoot, [&] {
    silent.Close();
    struct stat info = {};
    stat(Mnt("place/file").c_str(), &info);
    return 0;
  });
  if (OverRing(Config().mode)) {
    EXPECT_TRUE(Eventually([&] { return Status().offloaded > offloaded; }));
  }
  EXPECT_EQ(ReadFile(Mnt("other")), "answers");
  EXPECT_TRUE(AbortConnection(FindMount(Src("place")).connection));
  EXPECT_EQ(Wait(child), 0);
  EXPECT_EQ(umount2(Src("place").c_str(), MNT_DETACH), 0);
}

// A request that waits for a file system that does not answer: the caller's signal must reach
// the daemon as INTERRUPT even then.
TEST_F(Caches, Interrupt) {
  Serves("INTERRUPT");
  ASSERT_EQ(mkdir(Src("silent").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Src("other"), "answers"));
  // A FUSE mount that nobody serves.
  File silent("/dev/fuse", O_RDWR);
  ASSERT_TRUE(silent.ok());
  const std::string options =
      "fd=" + std::to_string(silent.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  ASSERT_EQ(mount("silent", Src("silent").c_str(), "fuse", 0, options.c_str()), 0);
  const int connection = FindMount(Src("silent")).connection;
  ASSERT_GE(connection, 0);

  // Installed before the child exists, so that no signal can come too early.
  struct sigaction action = {};
  struct sigaction previous = {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &previous), 0);
  const uint64_t offloaded = Status().offloaded;
  const pid_t child = Spawn(kRoot, [&] {
    silent.Close();
    struct stat info = {};
    while (stat(Mnt("silent/file").c_str(), &info) != 0 && errno == EINTR) {
    }
    return 0;
  });
  // Of a signal that comes before the daemon has the request, the ring tells nothing, nor of later
  // ones: the kernel notes only the first (docs/kernel_interface.md).
  if (OverRing(Config().mode)) {
    EXPECT_TRUE(Eventually([&] { return Status().offloaded > offloaded; }));
  }
  // The child may not wait yet when the first signal comes: ask until the daemon has heard one.
  EXPECT_TRUE(Eventually([&] { return kill(child, SIGUSR1) != 0 || Served("INTERRUPT") > 0; }));
  EXPECT_TRUE(AbortConnection(connection));
  EXPECT_EQ(Wait(child), 0);
  sigaction(SIGUSR1, &previous, nullptr);
  EXPECT_EQ(umount2(Src("silent").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(ReadFile(Mnt("other")), "answers");
}

TEST_F(Caches, EntriesAndAttributesAreKeptForTheirTimeouts) {
  Remount("entry_timeout=600,attr_timeout=600");
  Serves("LOOKUP");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  ASSERT_TRUE(Exists(Mnt("f")));
  const uint64_t lookups = Served("LOOKUP");
  const uint64_t getattrs = Served("GETATTR");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Exists(Mnt("f")));
  }
  EXPECT_EQ(Served("LOOKUP"), lookups);
  EXPECT_EQ(Served("GETATTR"), getattrs);
}

TEST_F(Caches, NothingIsKeptWhenTheTimeoutsAreZero) {
  Remount("entry_timeout=0,attr_timeout=0");
  Serves("LOOKUP");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(chmod(Src("f").c_str(), 0600 + static_cast<mode_t>(i)), 0);
    ASSERT_EQ(ModeOf(Mnt("f")), 0600u + static_cast<mode_t>(i));
    ASSERT_EQ(rename(Src("f").c_str(), Src("g").c_str()), 0);
    ASSERT_FALSE(Exists(Mnt("f")));
    ASSERT_EQ(rename(Src("g").c_str(), Src("f").c_str()), 0);
  }
}

TEST_F(Caches, AbsenceIsKeptForItsTimeout) {
  Remount("negative_timeout=600");
  Serves("LOOKUP");
  ASSERT_FALSE(Exists(Mnt("f")));
  const uint64_t lookups = Served("LOOKUP");
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(Exists(Mnt("f")));
  }
  EXPECT_EQ(Served("LOOKUP"), lookups);
  // The kernel knows of what is created through the mount.
  ASSERT_TRUE(WriteFile(Mnt("f"), "x"));
  EXPECT_TRUE(Exists(Mnt("f")));
}

TEST_F(Caches, ContentChangedInTheSourceIsRead) {
  Serves("READ");
  ASSERT_TRUE(WriteFile(Src("f"), "first content"));
  EXPECT_EQ(ReadFile(Mnt("f")), "first content");
  ASSERT_TRUE(WriteFile(Src("f"), "second, longer content"));
  EXPECT_TRUE(Eventually([&] { return ReadFile(Mnt("f")) == "second, longer content"; }));
  // The same size, so that the time alone tells.
  ASSERT_TRUE(WriteFile(Src("f"), "third,  longer content"));
  EXPECT_TRUE(Eventually([&] { return ReadFile(Mnt("f")) == "third,  longer content"; }));
}

TEST_F(Caches, UnchangedContentStaysInTheCache) {
  Serves("READ");
  ASSERT_TRUE(WriteFile(Src("f"), Pattern(1 << 20)));
  ASSERT_TRUE(ReadFile(Mnt("f")) == Pattern(1 << 20));
  // At first the daemon cannot tell an old file from one that changes within a clock tick.
  EXPECT_TRUE(Eventually([&] {
    const uint64_t reads = Served("READ");
    return ReadFile(Mnt("f")) == Pattern(1 << 20) && Served("READ") == reads;
  }));
}

}  // namespace
}  // namespace shuntfs::mount_test
