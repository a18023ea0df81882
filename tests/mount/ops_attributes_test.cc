// GETATTR, STATX, SETATTR, ACCESS, STATFS, SYNCFS.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

void ExpectSameStat(const struct stat& mounted, const struct stat& source) {
  EXPECT_EQ(mounted.st_ino, source.st_ino);
  EXPECT_EQ(mounted.st_mode, source.st_mode);
  EXPECT_EQ(mounted.st_nlink, source.st_nlink);
  EXPECT_EQ(mounted.st_uid, source.st_uid);
  EXPECT_EQ(mounted.st_gid, source.st_gid);
  EXPECT_EQ(mounted.st_rdev, source.st_rdev);
  EXPECT_EQ(mounted.st_size, source.st_size);
  EXPECT_EQ(mounted.st_blocks, source.st_blocks);
  EXPECT_EQ(mounted.st_mtim.tv_sec, source.st_mtim.tv_sec);
  EXPECT_EQ(mounted.st_mtim.tv_nsec, source.st_mtim.tv_nsec);
  EXPECT_EQ(mounted.st_ctim.tv_sec, source.st_ctim.tv_sec);
  EXPECT_EQ(mounted.st_ctim.tv_nsec, source.st_ctim.tv_nsec);
  EXPECT_EQ(mounted.st_atim.tv_sec, source.st_atim.tv_sec);
  EXPECT_EQ(mounted.st_atim.tv_nsec, source.st_atim.tv_nsec);
}

TEST_F(Ops, Getattr) {
  Serves("GETATTR");
  ASSERT_TRUE(WriteFile(Src("f"), std::string(12345, 'x'), 0640));
  ASSERT_EQ(chown(Src("f").c_str(), 77, 88), 0);
  ASSERT_EQ(link(Src("f").c_str(), Src("g").c_str()), 0);
  const File file(Mnt("f"), O_RDONLY);
  ExpectSameStat(StatOf(Mnt("f")), StatOf(Src("f")));
  // A change below the mount shows as soon as the attributes have timed out.
  ASSERT_EQ(chmod(Src("f").c_str(), 0604), 0);
  struct stat info = {};
  EXPECT_TRUE(
      Eventually([&] { return fstat(file.get(), &info) == 0 && (info.st_mode & 07777) == 0604; }));
  ExpectSameStat(info, StatOf(Src("f")));
}

TEST_F(Ops, GetattrOfEveryType) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("dir").c_str(), 01753), 0);
  ASSERT_EQ(symlink("dir", Src("link").c_str()), 0);
  ASSERT_EQ(mkfifo(Src("fifo").c_str(), 0620), 0);
  ASSERT_EQ(mknod(Src("null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(mknod(Src("wide").c_str(), S_IFBLK | 0660, makedev(259, 70000)), 0);
  for (const char* name : {"dir", "link", "fifo", "null", "wide"}) {
    SCOPED_TRACE(name);
    ExpectSameStat(StatOf(Mnt(name)), StatOf(Src(name)));
  }
}

TEST_F(Ops, StatxBirthTime) {
  Serves("STATX");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  struct statx source = {};
  struct statx mounted = {};
  ASSERT_EQ(statx(AT_FDCWD, Src("f").c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &source), 0);
  ASSERT_EQ(statx(AT_FDCWD, Mnt("f").c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &mounted), 0);
  ASSERT_TRUE(source.stx_mask & STATX_BTIME) << "the backing file system has no birth times";
  EXPECT_TRUE(mounted.stx_mask & STATX_BTIME);
  EXPECT_EQ(mounted.stx_btime.tv_sec, source.stx_btime.tv_sec);
  EXPECT_EQ(mounted.stx_btime.tv_nsec, source.stx_btime.tv_nsec);
  EXPECT_EQ(mounted.stx_size, source.stx_size);
  EXPECT_EQ(mounted.stx_ino, source.stx_ino);
}

TEST_F(Ops, SetattrMode) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    mkdir((dir + "/d").c_str(), 0755);
    symlink("f", (dir + "/s").c_str());
    for (const mode_t mode : {0000u, 0777u, 0640u, 04755u, 02755u, 06711u, 01644u}) {
      t.Call("file", chmod((dir + "/f").c_str(), mode));
      t.Note("is", static_cast<long>(ModeOf(dir + "/f")));
    }
    t.Call("directory", chmod((dir + "/d").c_str(), 03770));
    t.Call("through a symlink", chmod((dir + "/s").c_str(), 0600));
    const File file(dir + "/f", O_RDONLY);
    t.Call("descriptor", fchmod(file.get(), 0755));
    t.Call("missing", chmod((dir + "/none").c_str(), 0600));
  });
}

TEST_F(Ops, SetattrOwner) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    symlink("f", (dir + "/s").c_str());
    t.Call("both", chown((dir + "/f").c_str(), 1234, 5678));
    t.Call("user only", chown((dir + "/f").c_str(), 4321, static_cast<gid_t>(-1)));
    t.Call("group only", chown((dir + "/f").c_str(), static_cast<uid_t>(-1), 8765));
    t.Call("the symlink itself", lchown((dir + "/s").c_str(), 11, 22));
    const File file(dir + "/f", O_RDONLY);
    t.Call("descriptor", fchown(file.get(), 33, 44));
    t.Call("large ids", chown((dir + "/f").c_str(), 4000000000u, 4000000001u));
  });
}

TEST_F(Ops, SetattrTimesInNanoseconds) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    symlink("f", (dir + "/s").c_str());
    const auto set = [&](const char* what, const char* name, timespec accessed, timespec modified) {
      const timespec times[2] = {accessed, modified};
      t.Call(what, utimensat(AT_FDCWD, (dir + name).c_str(), times, AT_SYMLINK_NOFOLLOW));
      const struct stat info = StatOf(dir + name);
      t.Note("atime",
             std::to_string(info.st_atim.tv_sec) + "." + std::to_string(info.st_atim.tv_nsec));
      t.Note("mtime",
             std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec));
    };
    set("nanoseconds", "/f", {1000000001, 123456789}, {1700000000, 987654321});
    set("after 2106", "/f", {4294967296 + 5, 1}, {6000000000, 999999999});
    set("before 1970", "/f", {-1000, 5}, {-86400, 7});
    set("omit atime", "/f", {0, UTIME_OMIT}, {42, 43});
    set("omit mtime", "/f", {44, 45}, {0, UTIME_OMIT});
    set("the symlink itself", "/s", {50, 51}, {52, 53});
    const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    t.Call("now", utimensat(AT_FDCWD, (dir + "/f").c_str(), now, 0));
    const time_t age = time(nullptr) - StatOf(dir + "/f").st_mtim.tv_sec;
    t.Note("is about now", age >= -1 && age < 3600 ? "yes" : "no");
  });
}

TEST_F(Ops, SetattrSize) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", Pattern(10000));
    t.Call("shrink", truncate((dir + "/f").c_str(), 5001));
    t.Note("content", ReadFile(dir + "/f") == Pattern(10000).substr(0, 5001) ? "cut" : "wrong");
    t.Call("grow", truncate((dir + "/f").c_str(), 9000));
    t.Note("zeros", ReadFile(dir + "/f").substr(5001) == std::string(3999, '\0') ? "yes" : "no");
    const File file(dir + "/f", O_RDWR);
    t.Call("descriptor", ftruncate(file.get(), 1));
    t.Call("negative", ftruncate(file.get(), -1));
    const File reader(dir + "/f", O_RDONLY);
    t.Call("read-only descriptor", ftruncate(reader.get(), 0));
    t.Call("directory", truncate(dir.c_str(), 0));
    t.Call("beyond the largest file", ftruncate(file.get(), INT64_MAX));
  });
}

TEST_F(Ops, SetattrChangesCtime) {
  Serves("SETATTR");
  ASSERT_TRUE(WriteFile(Mnt("f"), "x"));
  const timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, Mnt("f").c_str(), old, 0), 0);
  const struct stat before = StatOf(Mnt("f"));
  EXPECT_TRUE(Eventually([&] {
    chmod(Mnt("f").c_str(), 0600);
    const struct stat after = StatOf(Mnt("f"));
    return after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
           (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
            after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
  }));
  ExpectSameStat(StatOf(Mnt("f")), StatOf(Src("f")));
}

TEST_F(Ops, AccessFollowsThePermissionsOfTheCaller) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("d").c_str(), 0750), 0);
  ASSERT_TRUE(WriteFile(Src("f"), "x", 0640));
  ASSERT_TRUE(WriteFile(Src("run"), "x", 0755));
  ASSERT_EQ(chown(Src("f").c_str(), kAlice.uid, kAlice.gid), 0);
  ASSERT_EQ(chown(Src("d").c_str(), kAlice.uid, kAlice.gid), 0);
  const auto allowed = [&](const Identity& who, const std::string& name, int how) {
    return RunAs(who, [&] { return ErrorOf(access(Mnt(name).c_str(), how)); });
  };
  EXPECT_EQ(allowed(kAlice, "f", R_OK | W_OK), 0);
  EXPECT_EQ(allowed(kAlice, "f", X_OK), EACCES);
  EXPECT_EQ(allowed(kBob, "f", R_OK), EACCES);
  EXPECT_EQ(allowed(kBob, "f", F_OK), 0);
  EXPECT_EQ(allowed(kBob, "run", X_OK), 0);
  EXPECT_EQ(allowed(kBob, "run", W_OK), EACCES);
  EXPECT_EQ(allowed(kBob, "d", X_OK), EACCES);
  EXPECT_EQ(allowed(kAlice, "d", R_OK | W_OK | X_OK), 0);
  EXPECT_EQ(allowed({34567, 34567, {kAlice.gid}}, "f", R_OK), 0);
  EXPECT_EQ(allowed({34567, 34567, {kAlice.gid}}, "f", W_OK), EACCES);
  EXPECT_EQ(allowed(kRoot, "f", R_OK | W_OK), 0);
  EXPECT_EQ(allowed(kRoot, "f", X_OK), EACCES);
}

TEST_F(Ops, Statfs) {
  Serves("STATFS");
  struct statvfs source = {};
  struct statvfs mounted = {};
  ASSERT_EQ(statvfs(Src().c_str(), &source), 0);
  ASSERT_EQ(statvfs(Mnt().c_str(), &mounted), 0);
  EXPECT_EQ(mounted.f_bsize, source.f_bsize);
  EXPECT_EQ(mounted.f_frsize, source.f_frsize);
  EXPECT_EQ(mounted.f_blocks, source.f_blocks);
  EXPECT_EQ(mounted.f_files, source.f_files);
  EXPECT_EQ(mounted.f_namemax, source.f_namemax);
  EXPECT_LE(mounted.f_bfree, mounted.f_blocks);
  EXPECT_GT(mounted.f_bavail, 0u);
}

TEST_F(Ops, Syncfs) {
  // Kernels that do not send SYNCFS to a server like ours still write back what they hold.
  Serves("WRITE");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), "synced", 0));
  EXPECT_EQ(syncfs(file.get()), 0);
  EXPECT_EQ(ReadFile(Src("f")), "synced");
  const DaemonStatus status = Status();
  EXPECT_EQ(status.Errors("SYNCFS"), 0u);
}

}  // namespace
}  // namespace shuntfs::mount_test
