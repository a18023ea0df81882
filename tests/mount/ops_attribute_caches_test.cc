// Attributes, pages and listings that the kernel keeps, after an operation or the backing file
// system has changed them.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kPage = 4096;

// Attributes stay for so long that only a notice can drop them.
class AttributeCaches : public Ops {
 protected:
  std::string MountOptions() const override { return "suid,attr_timeout=600"; }
  void SetUp() override {
    if (plain()) GTEST_SKIP() << "a bind mount has no caches of its own";
    Ops::SetUp();
    Exists(Mnt("f"));  // tests that are skipped have served something, too
  }
  void TearDown() override {
    if (!plain()) Ops::TearDown();
  }

  // The permission bits, and no other attribute, whose loss would make the kernel ask for all.
  static mode_t ShownMode(const std::string& path) {
    struct statx info = {};
    if (statx(AT_FDCWD, path.c_str(), 0, STATX_MODE, &info) != 0) return 07777777;
    return info.stx_mode & 07777U;
  }
  // A user changes root's set-user-ID program by `change` and runs it.
  void ExpectSetIdIsGone(const std::function<int(const std::string&)>& change) {
    ASSERT_TRUE(WriteFile(Src("id"), ReadFile("/usr/bin/id"), 0777));
    ASSERT_EQ(chmod(Src("id").c_str(), 04777), 0);
    ASSERT_EQ(ModeOf(Mnt("id")), 04777u);
    ASSERT_EQ(RunCommand({Mnt("id"), "-u"}, 20, kAlice).out, "0\n") << "the test's own means";
    EXPECT_EQ(RunAs(kAlice, [&] { return change(Mnt("id")); }), 0);
    EXPECT_EQ(ModeOf(Src("id")), 0777u);
    EXPECT_EQ(ShownMode(Mnt("id")), 0777u);
    EXPECT_EQ(RunCommand({Mnt("id"), "-u"}, 20, kAlice).out, std::to_string(kAlice.uid) + "\n");
  }
};

TEST_F(AttributeCaches, ChangeTimeAfterFileFlags) {
  Serves("IOCTL");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  const auto change_time = [](const std::string& path) {
    const timespec time = StatOf(path).st_ctim;
    return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
  };
  const std::string before = change_time(Mnt("f"));
  const File file(Mnt("f"), O_RDONLY);
  int flags = 0;
  if (ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) {
    ASSERT_EQ(errno, ENOTTY);
    GTEST_SKIP() << "no file flags on this file system";
  }
  // Until the clock of file times has ticked.
  ASSERT_TRUE(Eventually([&] {
    flags ^= FS_NODUMP_FL;
    EXPECT_EQ(ioctl(file.get(), FS_IOC_SETFLAGS, &flags), 0);
    return change_time(Src("f")) != before;
  }));
  EXPECT_EQ(change_time(Mnt("f")), change_time(Src("f")));
}

TEST_F(AttributeCaches, SetIdAfterAWrite) {
  Serves("OPEN");
  ExpectSetIdIsGone([](const std::string& path) {
    const File file(path, O_WRONLY | O_APPEND);
    return write(file.get(), "x", 1) == 1 ? 0 : 1;
  });
}

TEST_F(AttributeCaches, SetIdAfterADirectWrite) {
  Serves("OPEN");
  ExpectSetIdIsGone([](const std::string& path) {
    AlignedBuffer block(kPage);
    const off_t end = (StatOf(path).st_size + 4095) / 4096 * 4096;
    const File file(path, O_WRONLY | O_DIRECT);
    return pwrite(file.get(), block.data(), kPage, end) == kPage ? 0 : 1;
  });
}

TEST_F(AttributeCaches, SetIdAfterFallocate) {
  Serves("FALLOCATE");
  ExpectSetIdIsGone([](const std::string& path) {
    const off_t end = StatOf(path).st_size;
    const File file(path, O_WRONLY);
    return fallocate(file.get(), 0, end, kPage) == 0 ? 0 : 1;
  });
}

TEST_F(AttributeCaches, SetIdAfterCopyFileRange) {
  ServesAny({"COPY_FILE_RANGE", "COPY_FILE_RANGE_64"});
  ASSERT_TRUE(WriteFile(Src("more"), std::string(kPage, 'm')));
  ExpectSetIdIsGone([](const std::string& path) {
    off_t end = StatOf(path).st_size;
    const File more(Mnt("more"), O_RDONLY);
    const File file(path, O_WRONLY);
    return copy_file_range(more.get(), nullptr, file.get(), &end, kPage, 0) == kPage ? 0 : 1;
  });
}

TEST_F(AttributeCaches, SetIdAfterAnOpenThatTruncates) {
  Serves("OPEN");
  ASSERT_TRUE(WriteFile(Src("f"), "content", 0777));
  ASSERT_EQ(chmod(Src("f").c_str(), 06777), 0);
  ASSERT_EQ(ModeOf(Mnt("f")), 06777u);
  EXPECT_EQ(RunAs(kAlice, [] { return File(Mnt("f"), O_WRONLY | O_TRUNC).ok() ? 0 : 1; }), 0);
  EXPECT_EQ(ModeOf(Src("f")), 0777u);
  EXPECT_EQ(ShownMode(Mnt("f")), 0777u);
}

// The kernel takes no notice of what is stored into a file that it passes through.
TEST_F(AttributeCaches, TimesOfAMappedFileThatIsPassedThrough) {
  if (Config().mode != Mode::kKernel) GTEST_SKIP() << "only mode kernel passes files through";
  if (Config().backing == Backing::kTmpfs) GTEST_SKIP() << "tmpfs keeps no times of stores";
  Serves("OPEN");
  ASSERT_TRUE(WriteFile(Src("f"), std::string(kPage, 'x')));
  const File file(Mnt("f"), O_RDWR);
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto nanoseconds = [](const std::string& path) {
    const timespec time = StatOf(path).st_mtim;
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  };
  const int64_t before = nanoseconds(Mnt("f"));
  ASSERT_TRUE(Eventually([&] {
    static_cast<char*>(memory)[0] = 's';
    msync(memory, kPage, MS_SYNC);
    return nanoseconds(Src("f")) != before;
  }));
  EXPECT_EQ(nanoseconds(Mnt("f")), nanoseconds(Src("f")));
  munmap(memory, kPage);
}

// What a file system of unknown kind shows can change without a change of its times.
TEST_F(AttributeCaches, ListingsOfAnUnknownFileSystemAreReadEachTime) {
  ServesAny({"READDIR", "READDIRPLUS"});
  ASSERT_EQ(mkdir(Src("queues").c_str(), 0755), 0);
  ASSERT_EQ(mount("mqueue", Src("queues").c_str(), "mqueue", 0, nullptr), 0);
  uint64_t read = Served("READDIR") + Served("READDIRPLUS");
  for (int i = 0; i < 5; ++i) {
    ListDirectory(Mnt("queues"));
    const uint64_t now = Served("READDIR") + Served("READDIRPLUS");
    EXPECT_GT(now, read) << i;
    read = now;
    usleep(30000);  // at first the daemon cannot tell an old directory from one that changes
  }
  EXPECT_EQ(umount2(Src("queues").c_str(), MNT_DETACH), 0);
}

// Whoever asks for no caches gets what the file is, also where its times do not tell.
TEST_F(AttributeCaches, NoPagesAreKeptWithoutTimeouts) {
  if (Config().mode == Mode::kKernel) GTEST_SKIP() << "the pages are those of the backing file";
  Remount("cache=none");
  Serves("READ");
  ASSERT_TRUE(WriteFile(Src("f"), "content"));
  uint64_t reads = Served("READ");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ReadFile(Mnt("f")), "content");
    EXPECT_GT(Served("READ"), reads) << i;
    reads = Served("READ");
    usleep(30000);  // at first the daemon cannot tell an old file from one that changes
  }
}

}  // namespace
}  // namespace shuntfs::mount_test
