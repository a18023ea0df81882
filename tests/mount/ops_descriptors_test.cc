// What the daemon keeps for the files and directories that programs use.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// Directories that SRC puts into each other after the mount has seen them the other way round.
TEST_F(Ops, DirectoriesThatSwapTheirPlacesInTheSourceAreForgotten) {
  Serves("LOOKUP");
  const double before = Status().resources["inodes"];
  for (int i = 0; i < 50; ++i) {
    const std::string a = "a" + std::to_string(i);
    const std::string b = "b" + std::to_string(i);
    ASSERT_EQ(mkdir(Src(b).c_str(), 0755), 0);
    ASSERT_EQ(mkdir(Src(b + "/" + a).c_str(), 0755), 0);
    const File held(Mnt(b + "/" + a), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(held.get(), 0);
    ASSERT_EQ(rename(Src(b + "/" + a).c_str(), Src(a).c_str()), 0);
    ASSERT_EQ(rename(Src(b).c_str(), Src(a + "/" + b).c_str()), 0);
    struct stat info = {};
    static_cast<void>(fstatat(held.get(), b.c_str(), &info, 0));
  }
  if (plain()) return;
  EXPECT_TRUE(Eventually([&] {
    WriteFile("/proc/sys/vm/drop_caches", "2");
    return Status().resources["inodes"] <= before;
  })) << Status().resources["inodes"];
}

// getxattr(2), which `ls -l` does for each file, opens it in SRC. The descriptor must not keep what
// is mounted there busy.
TEST_F(Ops, AFileSystemBelowTheSourceIsNotKeptBusy) {
  Serves("GETXATTR");
  ASSERT_EQ(mkdir(Src("inside").c_str(), 0755), 0);
  ASSERT_EQ(mount("tmpfs", Src("inside").c_str(), "tmpfs", 0, "size=1m,mode=0755"), 0);
  if (plain()) Remount("");
  WriteFile(Src("inside/file"), "content");
  char value[64];
  EXPECT_EQ(getxattr(Mnt("inside/file").c_str(), "user.none", value, sizeof(value)), -1);
  EXPECT_TRUE(Eventually([] {
    return umount2(Src("inside").c_str(), plain() ? MNT_DETACH : 0) == 0;
  })) << std::strerror(errno);
}

// The kernel asks each time.
class Uncached : public Ops {
 protected:
  std::string MountOptions() const override { return "entry_timeout=0,attr_timeout=0"; }
};

// A working directory, or what was opened with O_PATH, was only looked up: no request tells of it.
TEST_F(Uncached, WhatTheSourceMovesGoesOn) {
  Serves("OPEN");
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Src("d/e").c_str(), 0755), 0);
  WriteFile(Src("d/e/in"), "inside");
  WriteFile(Src("f"), "content");
  const File directory(Mnt("d/e"), O_PATH | O_DIRECTORY);
  const File file(Mnt("f"), O_PATH);
  ASSERT_GE(directory.get(), 0);
  ASSERT_GE(file.get(), 0);
  ASSERT_EQ(rename(Src("d").c_str(), Src("moved").c_str()), 0);
  ASSERT_EQ(rename(Src("f").c_str(), Src("moved/f").c_str()), 0);
  WriteFile(Src("f"), "another");
  struct stat info = {};
  EXPECT_EQ(fstatat(directory.get(), "", &info, AT_EMPTY_PATH), 0) << std::strerror(errno);
  EXPECT_EQ(fstatat(directory.get(), "in", &info, 0), 0) << std::strerror(errno);
  const File listing(openat(directory.get(), ".", O_RDONLY | O_DIRECTORY));
  EXPECT_GE(listing.get(), 0) << std::strerror(errno);
  EXPECT_EQ(fstatat(file.get(), "", &info, AT_EMPTY_PATH), 0) << std::strerror(errno);
  EXPECT_EQ(ReadFile("/proc/self/fd/" + std::to_string(file.get())), "content");
  EXPECT_EQ(ReadFile(Mnt("f")), "another");
}

// overlayfs copies a file when it is changed for the first time; it stays the same file, with the
// same locks.
TEST_F(Uncached, AFileThatOverlayfsCopiesUpStaysOneFile) {
  Serves("OPEN");
  for (const char* name : {"layers", "merged"}) ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0);
  ASSERT_EQ(mount("tmpfs", Src("layers").c_str(), "tmpfs", 0, "size=4m"), 0);
  for (const char* name : {"layers/lower", "layers/upper", "layers/work"})
    ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0);
  WriteFile(Src("layers/lower/f"), "content");
  const std::string layers = "lowerdir=" + Src("layers/lower") +
                             ",upperdir=" + Src("layers/upper") + ",workdir=" + Src("layers/work");
  ASSERT_EQ(mount("overlay", Src("merged").c_str(), "overlay", 0, layers.c_str()), 0)
      << std::strerror(errno);
  if (plain()) Remount("");
  {
    const File before(Mnt("merged/f"), O_RDONLY);
    ASSERT_EQ(flock(before.get(), LOCK_EX), 0);
    struct stat lower = {};
    struct stat upper = {};
    ASSERT_EQ(fstat(before.get(), &lower), 0);
    ASSERT_EQ(chmod(Mnt("merged/f").c_str(), 0600), 0) << std::strerror(errno);
    EXPECT_EQ(access(Src("layers/upper/f").c_str(), F_OK), 0) << "it was not copied up";
    const File after(Mnt("merged/f"), O_RDONLY);
    ASSERT_EQ(fstat(after.get(), &upper), 0);
    EXPECT_EQ(lower.st_ino, upper.st_ino);
    EXPECT_EQ(flock(after.get(), LOCK_EX | LOCK_NB), -1) << "two files";
    EXPECT_EQ(errno, EWOULDBLOCK);
  }
  EXPECT_TRUE(Eventually([] { return umount2(Src("merged").c_str(), MNT_DETACH) == 0; }));
  EXPECT_TRUE(Eventually([] { return umount2(Src("layers").c_str(), MNT_DETACH) == 0; }));
}

// A bind mount below SRC shows the same file a second time.
TEST_F(Uncached, AFileOnABindMountIsOneFile) {
  Serves("OPEN");
  for (const char* name : {"d", "again"}) ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0);
  WriteFile(Src("d/f"), "content");
  ASSERT_EQ(mount(Src("d").c_str(), Src("again").c_str(), nullptr, MS_BIND, nullptr), 0);
  if (plain()) Remount("");
  {
    const File one(Mnt("d/f"), O_RDWR);
    const File other(Mnt("again/f"), O_RDWR);
    ASSERT_EQ(flock(one.get(), LOCK_EX), 0);
    EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), -1) << "two files";
  }
  EXPECT_EQ(umount2(Src("again").c_str(), MNT_DETACH), 0);
}

// While it is open its own descriptor leads to it.
TEST_F(Uncached, AnOpenFileThatTheSourceRemovesGoesOn) {
  Serves("SETATTR");
  WriteFile(Src("f"), "content");
  const File file(Mnt("f"), O_RDWR);
  ASSERT_GE(file.get(), 0);
  ASSERT_EQ(unlink(Src("f").c_str()), 0);
  WriteFile(Src("f"), "another");
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0) << std::strerror(errno);
  EXPECT_EQ(fchmod(file.get(), 0600), 0) << std::strerror(errno);
  const timespec times[2] = {{1, 0}, {2, 0}};
  EXPECT_EQ(futimens(file.get(), times), 0) << std::strerror(errno);
  EXPECT_EQ(fstat(file.get(), &info), 0) << std::strerror(errno);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(info.st_mtime, 2);
}

}  // namespace
}  // namespace shuntfs::mount_test
