// FALLOCATE in every mode and COPY_FILE_RANGE in both its forms.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr off_t kBlock = 65536;

class Fallocate : public Ops {
 protected:
  // Applies `mode` to a range of a file with content, once aligned and once not, and beyond its
  // end; compares result, content, size and blocks with the plain directory.
  void Compare(int mode) {
    Serves("FALLOCATE");
    SameAsNative([&](const std::string& dir, Transcript& t) {
      const auto apply = [&](const std::string& what, off_t offset, off_t length) {
        const std::string path = dir + "/" + what;
        WriteFile(path, Pattern(8 * kBlock));
        const File file(path, O_RDWR);
        t.Call(what, fallocate(file.get(), mode, offset, length));
        t.Call("sync", fsync(file.get()));
        const struct stat info = StatOf(path);
        t.Note("size", static_cast<long>(info.st_size));
        // In units of the pattern's block: a disk's file system may need a block of its own for a
        // longer list of extents.
        t.Note("blocks", static_cast<long>(info.st_blocks * 512 / kBlock));
        t.Note("content through the descriptor",
               std::to_string(std::hash<std::string>()(ReadAll(file.get()))));
      };
      apply("aligned", 2 * kBlock, 3 * kBlock);
      apply("odd", kBlock + 777, kBlock + 5);
      apply("over the end", 6 * kBlock, 4 * kBlock);
      apply("beyond the end", 20 * kBlock, kBlock);
      apply("nothing", kBlock, 0);
      WriteFile(dir + "/r", "x");
      const File reader(dir + "/r", O_RDONLY);
      t.Call("read-only descriptor", fallocate(reader.get(), mode, 0, 4096));
    });
  }
};

TEST_F(Fallocate, Allocate) { Compare(0); }

TEST_F(Fallocate, KeepSize) { Compare(FALLOC_FL_KEEP_SIZE); }

TEST_F(Fallocate, PunchHole) { Compare(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE); }

TEST_F(Fallocate, ZeroRange) { Compare(FALLOC_FL_ZERO_RANGE); }

TEST_F(Fallocate, ZeroRangeKeepSize) { Compare(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE); }

// The kernel's FUSE client refuses the modes that move data before any server sees them; a file
// must come out of that unchanged.
class FallocateRefused : public Ops {
 protected:
  void Compare(int mode) {
    if (plain()) {
      GTEST_SKIP() << "a native file system may offer these modes";
    }
    Serves("WRITE");
    ASSERT_TRUE(WriteFile(Mnt("f"), Pattern(4 * kBlock)));
    const File file(Mnt("f"), O_RDWR);
    EXPECT_EQ(ErrorOf(fallocate(file.get(), mode, kBlock, kBlock)), EOPNOTSUPP);
    EXPECT_TRUE(ReadFile(Src("f")) == Pattern(4 * kBlock));
  }
};

TEST_F(FallocateRefused, CollapseRange) { Compare(FALLOC_FL_COLLAPSE_RANGE); }

TEST_F(FallocateRefused, InsertRange) { Compare(FALLOC_FL_INSERT_RANGE); }

TEST_F(FallocateRefused, UnshareRange) { Compare(FALLOC_FL_UNSHARE_RANGE); }

TEST_F(Fallocate, PunchedPagesReadAsZerosThroughTheCache) {
  Serves("FALLOCATE");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), Pattern(4 * kBlock), 0));
  ASSERT_TRUE(ReadAll(file.get()) == Pattern(4 * kBlock));
  ASSERT_EQ(fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kBlock, kBlock), 0);
  EXPECT_TRUE(ReadAt(file.get(), kBlock, kBlock) == std::string(kBlock, '\0'));
  EXPECT_TRUE(ReadAt(file.get(), kBlock, 0) == Pattern(4 * kBlock).substr(0, kBlock));
}

class CopyFileRange : public Ops {
 protected:
  void SetUp() override {
    Ops::SetUp();
    ServesAny({"COPY_FILE_RANGE", "COPY_FILE_RANGE_64"});
  }
};

TEST_F(CopyFileRange, BetweenFiles) {
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/from", Pattern(1000000));
    WriteFile(dir + "/to", std::string(10, 't'));
    const File from(dir + "/from", O_RDONLY);
    const File to(dir + "/to", O_RDWR);
    const auto copy = [&](const char* what, off_t in, off_t out, size_t length) {
      t.Call(what, copy_file_range(from.get(), &in, to.get(), &out, length, 0));
      t.Note("in", in);
      t.Note("out", out);
      t.Note("content", std::to_string(std::hash<std::string>()(ReadAll(to.get()))));
    };
    copy("all", 0, 0, 1000000);
    copy("odd", 12345, 7, 54321);
    copy("over the end", 999000, 0, 5000);
    copy("at the end", 1000000, 0, 10);
    copy("beyond the end", 5000000, 0, 10);
    copy("nothing", 0, 0, 0);
    copy("making a hole", 0, 3000000, 1000);
    off_t in = 0;
    t.Call("flags", copy_file_range(from.get(), &in, to.get(), nullptr, 1, 5));
    t.Call("wrong way", copy_file_range(to.get(), nullptr, from.get(), nullptr, 1, 0));
  });
}

TEST_F(CopyFileRange, WithinOneFile) {
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", Pattern(1 << 20));
    const File file(dir + "/f", O_RDWR);
    off_t in = 0;
    off_t out = 600000;
    t.Call("apart", copy_file_range(file.get(), &in, file.get(), &out, 300000, 0));
    in = 0;
    out = 1000;
    t.Call("overlapping", copy_file_range(file.get(), &in, file.get(), &out, 5000, 0));
  });
}

// What the page cache holds, dirty or clean, must neither be copied stale nor survive the copy.
TEST_F(CopyFileRange, IsCoherentWithThePageCache) {
  const File from(Mnt("from"), O_CREAT | O_RDWR);
  const File to(Mnt("to"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(from.get(), Pattern(200000, 1), 0));
  ASSERT_TRUE(WriteAt(to.get(), Pattern(200000, 2), 0));
  ASSERT_TRUE(ReadAll(to.get()) == Pattern(200000, 2));
  off_t in = 0;
  off_t out = 0;
  ASSERT_EQ(copy_file_range(from.get(), &in, to.get(), &out, 200000, 0), 200000);
  EXPECT_TRUE(ReadAll(to.get()) == Pattern(200000, 1));
  EXPECT_EQ(StatOf(Mnt("to")).st_size, 200000);
}

TEST_F(CopyFileRange, MoreThan4GiB) {
  constexpr off_t kSize = (off_t{4} << 30) + (8 << 20);
  const File from(Mnt("from"), O_CREAT | O_RDWR);
  const File to(Mnt("to"), O_CREAT | O_RDWR);
  ASSERT_EQ(ftruncate(from.get(), kSize), 0);
  ASSERT_TRUE(WriteAt(from.get(), "tail", kSize - 4));
  // Start near the end of the first 4 GiB, so that offsets and sums need more than 32 bits
  // without copying gigabytes.
  off_t in = kSize - (16 << 20);
  off_t out = (off_t{4} << 30) - 5;
  const off_t first_out = out;
  while (in < kSize) {
    const ssize_t count =
        copy_file_range(from.get(), &in, to.get(), &out, static_cast<size_t>(off_t{5} << 30), 0);
    ASSERT_GT(count, 0);
  }
  EXPECT_EQ(out, first_out + (16 << 20));
  EXPECT_EQ(StatOf(Src("to")).st_size, out);
  EXPECT_EQ(ReadAt(to.get(), 4, out - 4), "tail");
}

}  // namespace
}  // namespace shuntfs::mount_test
