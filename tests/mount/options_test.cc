// The options of a mount, by what they do.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

class Options : public Ops {
 protected:
  void SetUp() override {
    if (plain()) {
      GTEST_SKIP() << "a bind mount has other options";
    }
    Ops::SetUp();
  }
  void TearDown() override {
    if (!plain()) {
      Ops::TearDown();
    }
  }

  static bool HasOption(const std::string& option) {
    return ("," + FindMount(Tree().mnt()).options + ",").find("," + option + ",") !=
           std::string::npos;
  }
  // 1 MiB written, synced, dropped from the cache and read again.
  // Of MoveOneMegabyte, each way; none where the kernel moves them by itself.
  static uint64_t BytesThroughUs() { return Config().mode == Mode::kKernel ? 0 : 1 << 20; }
  void MoveOneMegabyte() {
    const File file(Mnt("data"), O_CREAT | O_RDWR | O_DIRECT);
    void* memory =
        mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::string content = Pattern(1 << 20);
    std::memcpy(memory, content.data(), content.size());
    ASSERT_EQ(pwrite(file.get(), memory, 1 << 20, 0), 1 << 20);
    std::memset(memory, 0, 1 << 20);
    ASSERT_EQ(pread(file.get(), memory, 1 << 20, 0), 1 << 20);
    EXPECT_EQ(std::memcmp(memory, content.data(), content.size()), 0);
    munmap(memory, 1 << 20);
    EXPECT_TRUE(ReadFile(Src("data")) == content);
  }
};

TEST_F(Options, Defaults) {
  Serves("STATFS");
  struct statvfs info = {};
  EXPECT_EQ(statvfs(Mnt().c_str(), &info), 0);
  const MountEntry entry = FindMount(Mnt());
  EXPECT_EQ(entry.type, "fuse.shuntfs");
  EXPECT_EQ(entry.source, Src());
  EXPECT_TRUE(HasOption("rw"));
  EXPECT_TRUE(HasOption("allow_other"));
  EXPECT_TRUE(HasOption("default_permissions"));
  const DaemonStatus status = Status();
  EXPECT_EQ(status.source, Src());
  EXPECT_EQ(status.mountpoint, Mnt());
  EXPECT_EQ(status.pid, daemon_.pid());
}

TEST_F(Options, ReadOnly) {
  ASSERT_TRUE(WriteFile(Src("f"), "x", 0666));
  Remount("ro");
  Serves("READ");
  EXPECT_TRUE(HasOption("ro"));
  EXPECT_EQ(ReadFile(Mnt("f")), "x");
  EXPECT_EQ(ErrorOf(File(Mnt("f"), O_WRONLY).get()), EROFS);
  EXPECT_EQ(ErrorOf(File(Mnt("g"), O_CREAT | O_RDWR).get()), EROFS);
  EXPECT_EQ(ErrorOf(mkdir(Mnt("d").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrorOf(unlink(Mnt("f").c_str())), EROFS);
  EXPECT_EQ(ErrorOf(rename(Mnt("f").c_str(), Mnt("g").c_str())), EROFS);
  EXPECT_EQ(ErrorOf(chmod(Mnt("f").c_str(), 0600)), EROFS);
  EXPECT_EQ(ErrorOf(truncate(Mnt("f").c_str(), 0)), EROFS);
  EXPECT_EQ(ErrorOf(symlink("f", Mnt("s").c_str())), EROFS);
  EXPECT_EQ(ListDirectory(Src()), std::vector<std::string>{"f"});
}

// A read-only bind mount is the source.
TEST_F(Options, ReadOnlyAsTheSourceIs) {
  WriteFile(Src("file"), "content");
  ASSERT_EQ(mount(Src().c_str(), Src().c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mount(nullptr, Src().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  EXPECT_EQ(ReadFile(Mnt("file")), "content");
  Remount("");
  Serves("LOOKUP");
  EXPECT_EQ(ReadFile(Mnt("file")), "content");
  struct statvfs info = {};
  EXPECT_EQ(statvfs(Mnt().c_str(), &info), 0);
  EXPECT_NE(info.f_flag & ST_RDONLY, 0U);
  EXPECT_EQ(access(Mnt("file").c_str(), W_OK), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(open(Mnt("file").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(umount2(Src().c_str(), MNT_DETACH), 0);
}

TEST_F(Options, NoexecNosuidNodev) {
  ASSERT_TRUE(WriteFile(Src("script"), "#!/bin/sh\nexit 0\n", 0755));
  ASSERT_EQ(mknod(Src("null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  Remount("noexec,nosuid,nodev");
  Serves("LOOKUP");
  EXPECT_TRUE(HasOption("noexec"));
  EXPECT_TRUE(HasOption("nosuid"));
  EXPECT_TRUE(HasOption("nodev"));
  EXPECT_EQ(ErrorOf(access(Mnt("script").c_str(), X_OK)), EACCES);
  EXPECT_EQ(ErrorOf(File(Mnt("null"), O_RDWR).get()), EACCES);
}

TEST_F(Options, Noatime) {
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  const timespec old[2] = {{1000, 0}, {2000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, Src("f").c_str(), old, 0), 0);
  Remount("noatime");
  Serves("READ");
  EXPECT_EQ(ReadFile(Mnt("f")), "x");
  // Where the kernel reads by itself, it opens the backing file by itself, too.
  EXPECT_EQ(StatOf(Src("f")).st_atim.tv_sec == 1000, Config().mode != Mode::kKernel);
}

TEST_F(Options, Fsname) {
  Remount("fsname=a name");
  Serves("STATFS");
  struct statvfs info = {};
  EXPECT_EQ(statvfs(Mnt().c_str(), &info), 0);
  EXPECT_EQ(FindMount(Mnt()).source, "a\\040name");
}

TEST_F(Options, IgnoredOnes) {
  Remount("x-systemd.automount,_netdev,nofail,noauto,user,comment=anything,rw");
  Serves("LOOKUP");
  EXPECT_FALSE(Exists(Mnt("missing")));
}

TEST_F(Options, AllowRootKeepsOthersOut) {
  ASSERT_TRUE(WriteFile(Src("f"), "x", 0644));
  Remount("allow_root");
  Serves("LOOKUP");
  EXPECT_EQ(ReadFile(Mnt("f")), "x");
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(File(Mnt("f"), O_RDONLY).get()); }), EACCES);
}

TEST_F(Options, SmallRequests) {
  Remount("max_write=64K");
  Serves("WRITE");
  MoveOneMegabyte();
  EXPECT_GE(Served("WRITE"), Config().mode == Mode::kKernel ? 0u : 16u);
}

TEST_F(Options, SmallMemoryBudget) {
  Remount("memory_budget=4M,max_write=128K");
  Serves("WRITE");
  MoveOneMegabyte();
  if (OverRing(Config().mode)) {
    constexpr int kHeaders = 64 << 10;  // the budget is for payloads; headers come on top
    EXPECT_LE(Status().resources["region_bytes"], (4 << 20) + kHeaders);
  }
}

TEST_F(Options, OneWorker) {
  Remount("workers=1,device_threads=1");
  Serves("WRITE");
  MoveOneMegabyte();
  if (OverRing(Config().mode)) {
    EXPECT_EQ(Status().resources["workers"], 1);
  }
}

TEST_F(Options, FixedBuffersCarryTheData) {
  Remount("read_policy=fixed,write_policy=fixed");
  Serves("WRITE");
  const DaemonStatus before = Status();
  MoveOneMegabyte();
  const DaemonStatus after = Status();
  const bool zero_copy = Config().mode == Mode::kZeroCopy;
  const std::string path = Config().mode == Mode::kKernel ? "none, the kernel moves it"
                           : zero_copy                    ? "zero_copy"
                           : OverRing(Config().mode)      ? "fixed"
                                                          : "plain";
  for (const std::string each : {"zero_copy", "fixed", "plain"}) {
    for (const std::string direction : {"_read_bytes", "_write_bytes"}) {
      const std::string counter = each + direction;
      EXPECT_EQ(after.Io(counter) - before.Io(counter), each == path ? uint64_t{1} << 20 : 0)
          << counter;
    }
  }
}

TEST_F(Options, PlainCallsCarryTheData) {
  Remount("read_policy=plain,write_policy=plain");
  Serves("WRITE");
  const DaemonStatus before = Status();
  MoveOneMegabyte();
  const DaemonStatus after = Status();
  EXPECT_EQ(after.Io("plain_read_bytes") - before.Io("plain_read_bytes"), BytesThroughUs());
  EXPECT_EQ(after.Io("fixed_read_bytes"), 0u);
  EXPECT_EQ(after.Io("zero_copy_read_bytes") + after.Io("zero_copy_write_bytes"), 0u);
  // Writes that begin to wait for the disk leave the thread even then, so only most are plain.
  EXPECT_EQ(after.Io("plain_write_bytes") > before.Io("plain_write_bytes"), BytesThroughUs() > 0);
}

TEST_F(Options, AllBytesAreCounted) {
  Serves("READ");
  const DaemonStatus before = Status();
  MoveOneMegabyte();
  const DaemonStatus after = Status();
  for (const std::string direction : {"_read_bytes", "_write_bytes"}) {
    uint64_t grown = 0;
    for (const std::string path : {"zero_copy", "fixed", "plain"}) {
      grown += after.Io(path + direction) - before.Io(path + direction);
    }
    EXPECT_EQ(grown, BytesThroughUs()) << direction;
  }
}

// Whole sectors pass by the backing page cache; what is not aligned is served all the same, in the
// middle of a file, over its end and from memory at odd addresses.
TEST_F(Options, BackingDirect) {
  Remount("backing_direct");
  ServesAny({"READ", "WRITE"});
  constexpr size_t kAligned = 1 << 20;
  const std::string content = Pattern(kAligned);
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), content, 0));
  const DaemonStatus written = Status();
  EXPECT_EQ(written.Io("direct_write_bytes"), BytesThroughUs());
  const File direct(Mnt("f"), O_RDWR | O_DIRECT);
  std::string expected = content;
  for (const size_t size : {size_t{1}, size_t{511}, size_t{4097}, size_t{300001}}) {
    for (const size_t offset : {size_t{0}, size_t{7}, size_t{512}, kAligned - 100}) {
      SCOPED_TRACE(std::to_string(size) + " at " + std::to_string(offset));
      const std::string piece = Pattern(size, static_cast<uint32_t>(size + offset));
      ASSERT_TRUE(WriteAt(file.get(), piece, static_cast<off_t>(offset)));
      if (expected.size() < offset + size) {
        expected.resize(offset + size);
      }
      expected.replace(offset, size, piece);
      ASSERT_TRUE(ReadAt(file.get(), size, static_cast<off_t>(offset)) == piece);
    }
  }
  EXPECT_TRUE(ReadFile(Src("f")) == expected);
  if (Config().mode != Mode::kKernel) {
    std::string back(expected.size() + 1, '\0');
    ASSERT_EQ(pread(direct.get(), back.data() + 1, expected.size(), 0),
              static_cast<ssize_t>(expected.size()));
    EXPECT_TRUE(back.substr(1) == expected) << "into memory at an odd address";
    EXPECT_GT(Status().Io("direct_read_bytes"), written.Io("direct_read_bytes"));
  }
}

class Writeback : public Options {
 protected:
  void SetUp() override {
    if (Config().mode == Mode::kKernel) {
      GTEST_SKIP() << "passthrough and the writeback cache exclude each other";
    }
    Options::SetUp();
  }
  void TearDown() override {
    if (Config().mode != Mode::kKernel) {
      Options::TearDown();
    }
  }
  std::string MountOptions() const override { return "writeback"; }
};

TEST_F(Writeback, SmallWritesAreGathered) {
  Serves("WRITE");
  constexpr int kWrites = 2000;
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  std::string expected;
  for (int i = 0; i < kWrites; ++i) {
    const std::string piece = Pattern(37, static_cast<uint32_t>(i) + 1);
    ASSERT_EQ(write(file.get(), piece.data(), piece.size()), 37);
    expected += piece;
  }
  EXPECT_EQ(StatOf(Mnt("f")).st_size, static_cast<off_t>(expected.size()));
  EXPECT_TRUE(ReadAll(file.get()) == expected);
  ASSERT_EQ(fsync(file.get()), 0);
  EXPECT_TRUE(ReadFile(Src("f")) == expected);
  EXPECT_LT(Served("WRITE"), uint64_t{kWrites} / 4);
}

// The kernel reads the rest of a page that is written in part, through a file that was opened
// for writing only; and it appends by itself.
TEST_F(Writeback, PartialPagesOfAFileOpenedForWritingOnly) {
  Serves("WRITE");
  ASSERT_TRUE(WriteFile(Src("f"), Pattern(20000)));
  {
    const File file(Mnt("f"), O_WRONLY);
    ASSERT_TRUE(WriteAt(file.get(), "part", 5000));
    ASSERT_EQ(fsync(file.get()), 0);
  }
  {
    const File file(Mnt("f"), O_WRONLY | O_APPEND);
    ASSERT_EQ(write(file.get(), "tail", 4), 4);
    ASSERT_EQ(fsync(file.get()), 0);
  }
  std::string expected = Pattern(20000) + "tail";
  expected.replace(5000, 4, "part");
  EXPECT_TRUE(ReadFile(Src("f")) == expected);
}

TEST_F(Writeback, TimesAreTheWriters) {
  Serves("SETATTR");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), "x", 0));
  const timespec times[2] = {{100, 1}, {200, 2}};
  ASSERT_EQ(futimens(file.get(), times), 0);
  ASSERT_EQ(fsync(file.get()), 0);
  EXPECT_EQ(StatOf(Src("f")).st_mtim.tv_sec, 200);
  EXPECT_EQ(StatOf(Mnt("f")).st_mtim.tv_nsec, 2);
}

TEST_F(Writeback, UnlinkedAndTruncated) {
  Serves("WRITE");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), Pattern(100000), 0));
  ASSERT_EQ(unlink(Mnt("f").c_str()), 0);
  ASSERT_EQ(ftruncate(file.get(), 50000), 0);
  ASSERT_EQ(fsync(file.get()), 0);
  EXPECT_TRUE(ReadAll(file.get()) == Pattern(100000).substr(0, 50000));
}

// The end of the file is in the cache alone; what lies between it and the backing file's is a hole.
TEST_F(Writeback, DirectReadBeforeAnEndThatIsNotWrittenBack) {
  Serves("READ");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  const File direct(Mnt("f"), O_RDWR | O_DIRECT);
  ASSERT_TRUE(WriteAt(file.get(), "the end", 100000));
  AlignedBuffer block(8192);
  std::memset(block.data(), 'x', block.size());
  ASSERT_EQ(pread(direct.get(), block.data(), block.size(), 40960), 8192);
  EXPECT_TRUE(block.text() == std::string(8192, '\0'));
}

TEST_F(Writeback, SharedMmap) {
  Serves("WRITE");
  ASSERT_TRUE(WriteFile(Mnt("f"), std::string(65536, 'a')));
  const File file(Mnt("f"), O_RDWR);
  void* memory = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 'b', 30000);
  ASSERT_EQ(msync(memory, 65536, MS_SYNC), 0);
  munmap(memory, 65536);
  EXPECT_EQ(ReadFile(Src("f")), std::string(30000, 'b') + std::string(35536, 'a'));
}

}  // namespace
}  // namespace shuntfs::mount_test
