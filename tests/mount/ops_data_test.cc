// OPEN, READ, WRITE, FLUSH, RELEASE, FSYNC and how programs move bytes with them.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kPage = 4096;

// Whether the file system below `path` reads what is in memory without ever waiting (RWF_NOWAIT),
// so that the ring is used for it.
bool ReadsMemoryAtOnce(const std::string& path) {
  struct statfs info;
  if (statfs(path.c_str(), &info) != 0) return false;
  return info.f_type == EXT4_SUPER_MAGIC || info.f_type == XFS_SUPER_MAGIC ||
         info.f_type == BTRFS_SUPER_MAGIC;
}

// Where the ring serves a tmpfs without its kernel workers.
bool ZeroCopyOnTmpfs(const std::string& path) {
  struct statfs info;
  return Config().mode == Mode::kZeroCopy && statfs(path.c_str(), &info) == 0 &&
         info.f_type == TMPFS_MAGIC;
}

// The kernel's own threads within the process `pid`, which io_uring hands what may wait to.
int CountKernelWorkers(pid_t pid) {
  int count = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream name(task.path() / "comm");
    std::string text;
    if (std::getline(name, text) && text.starts_with("iou-wrk")) ++count;
  }
  return count;
}

TEST_F(Ops, Open) {
  Serves("OPEN");
  ASSERT_TRUE(WriteFile(Src("f"), "x", 0644));
  EXPECT_TRUE(File(Mnt("f"), O_RDONLY).ok());
  EXPECT_TRUE(File(Mnt("f"), O_WRONLY).ok());
  EXPECT_TRUE(File(Mnt("f"), O_RDWR).ok());
  EXPECT_FALSE(File(Mnt("f"), O_RDONLY | O_DIRECTORY).ok());
  EXPECT_EQ(errno, ENOTDIR);
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(File(Mnt("f"), O_RDONLY).get()); }), 0);
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(File(Mnt("f"), O_RDWR).get()); }), EACCES);
}

TEST_F(Ops, OpenOfASymlinkItself) {
  Serves("LOOKUP");
  ASSERT_EQ(symlink("f", Src("s").c_str()), 0);
  EXPECT_FALSE(File(Mnt("s"), O_RDONLY | O_NOFOLLOW).ok());
  EXPECT_EQ(errno, ELOOP);
  EXPECT_TRUE(File(Mnt("s"), O_PATH | O_NOFOLLOW).ok());
}

TEST_F(Ops, Read) {
  Serves("READ");
  const std::string content = Pattern((3 << 20) + 77);
  ASSERT_TRUE(WriteFile(Src("f"), content));
  const File file(Mnt("f"), O_RDONLY);
  EXPECT_TRUE(ReadAll(file.get()) == content);
  EXPECT_EQ(ReadAt(file.get(), 100, 1000), content.substr(1000, 100));
  EXPECT_EQ(ReadAt(file.get(), 1000, static_cast<off_t>(content.size()) - 10),
            content.substr(content.size() - 10));
  EXPECT_EQ(ReadAt(file.get(), 10, static_cast<off_t>(content.size()) + 4096), "");
  std::string one(700, 0), two(5000, 0);
  const iovec parts[2] = {{one.data(), one.size()}, {two.data(), two.size()}};
  ASSERT_EQ(preadv(file.get(), parts, 2, 4000), 5700);
  EXPECT_EQ(one + two, content.substr(4000, 5700));
}

// Another CPU fetches what comes next while the reader copies; what lies in the caller's own pages
// can be fetched only where the request came in.
TEST_F(Ops, ReadAheadIsLeftToAnotherCpu) {
  Serves("READ");
  const std::string content = Pattern((8 << 20) + 77);
  ASSERT_TRUE(WriteFile(Src("f"), content));
  const File file(Mnt("f"), O_RDONLY);
  EXPECT_TRUE(ReadAll(file.get()) == content);
  const bool shares = OverRing(Config().mode) && Config().mode != Mode::kZeroCopy &&
                      sysconf(_SC_NPROCESSORS_ONLN) > 1;
  EXPECT_EQ(Status().handed_over > 0, shares);
}

// Some files of procfs have no read_iter and no write_iter, which io_uring needs to reach the pages
// of a zero-copied request.
TEST_F(Ops, FilesThatTakeNoPages) {
  EXPECT_FALSE(Exists(Mnt("proc")));
  if (plain()) GTEST_SKIP() << "a bind mount does not follow what is mounted later";
  if (Config().mode == Mode::kKernel) GTEST_SKIP() << "the kernel leaves such files to the daemon";
  Remount("allow_pseudo_filesystems");
  Serves("READ");
  Serves("WRITE");
  MountInside("proc", "proc");
  const std::string name = "proc/" + std::to_string(getpid()) + "/oom_score_adj";
  const AlignedBuffer buffer(kPage);
  {
    const File file(Mnt(name), O_RDWR | O_DIRECT);
    ASSERT_TRUE(file.ok()) << strerror(errno);
    EXPECT_EQ(pwrite(file.get(), "41\n", 3, 0), 3) << strerror(errno);
    EXPECT_EQ(ReadFile(Src(name)), "41\n");
    EXPECT_EQ(pread(file.get(), buffer.data(), buffer.size(), 0), 3) << strerror(errno);
    EXPECT_EQ(std::string(buffer.data(), 3), "41\n");
  }
  EXPECT_TRUE(WriteFile(Src(name), "0"));
  // Zero-copied is what lies on other types (Options.FixedBuffersCarryTheData).
  const DaemonStatus status = Status();
  EXPECT_GT(status.Io("fixed_read_bytes") + status.Io("plain_read_bytes"), 0u);
  EXPECT_EQ(status.Io("zero_copy_read_bytes") + status.Io("zero_copy_write_bytes"), 0u);
}

// What is in memory is read and answered in one turn; the end of the file, a hole and what has to
// come from the disk are read all the same.
TEST_F(Ops, CachedReadsAreAnsweredInOneTurn) {
  Serves("READ");
  constexpr size_t kBytes = 64 << 10;
  const std::string content = Pattern(kBytes + 100);
  ASSERT_TRUE(WriteFile(Src("f"), content));
  ASSERT_EQ(truncate(Src("f").c_str(), 2 * kBytes), 0);
  const std::string all = content + std::string(kBytes - 100, '\0');
  ASSERT_TRUE(ReadFile(Src("f")) == all);
  const File file(Mnt("f"), O_RDONLY | O_DIRECT);
  ASSERT_TRUE(file.ok());
  const AlignedBuffer buffer(kBytes);
  const auto read_at = [&](size_t offset) {
    const ssize_t n = pread(file.get(), buffer.data(), kBytes, static_cast<off_t>(offset));
    return std::string(buffer.data(), static_cast<size_t>(std::max<ssize_t>(n, 0)));
  };
  const DaemonStatus before = Status();
  EXPECT_TRUE(read_at(0) == all.substr(0, kBytes));
  EXPECT_TRUE(read_at(kBytes) == all.substr(kBytes)) << "with a hole";
  EXPECT_TRUE(read_at(4096) == all.substr(4096, kBytes));
  const DaemonStatus between = Status();
  // The kernel, which still knows the old size, asks for more than there is (and once more for the
  // page that it missed).
  constexpr size_t kMissing = kPage;
  ASSERT_EQ(truncate(Src("f").c_str(), 2 * kBytes - kMissing), 0);
  EXPECT_TRUE(read_at(kBytes) == all.substr(kBytes, kBytes - kMissing)) << "to the end of the file";
  const DaemonStatus after = Status();
  const bool links =
      OverRing(Config().mode) && (ReadsMemoryAtOnce(Src()) || ZeroCopyOnTmpfs(Src()));
  EXPECT_EQ(between.linked_reads - before.linked_reads, links ? 3 : 0);
  if (!OverRing(Config().mode)) return;
  const auto bytes = [](const DaemonStatus& status) {
    return status.Io("fixed_read_bytes") + status.Io("plain_read_bytes") +
           status.Io("zero_copy_read_bytes");
  };
  EXPECT_GE(after.Count("READ") - before.Count("READ"), 4u);
  EXPECT_EQ(bytes(after) - bytes(before), 4 * kBytes - kMissing) << "no more than was there";
}

// A hand-over to a kernel worker would cost more than the copy that zero-copy saves.
TEST_F(Ops, ZeroCopyOnTmpfsNeedsNoKernelWorker) {
  Remount("");
  Serves("READ");
  const bool zero_copy = ZeroCopyOnTmpfs(Src());
  const int at_rest = zero_copy ? CountKernelWorkers(daemon_.pid()) : 0;
  constexpr size_t kBytes = 256 << 10;
  const std::string content = Pattern(kBytes);
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), content, 0));
  ASSERT_TRUE(WriteAt(file.get(), "odd", kBytes + 1));
  const File direct(Mnt("f"), O_RDWR | O_DIRECT);
  const AlignedBuffer buffer(kBytes);
  ASSERT_EQ(pread(direct.get(), buffer.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(buffer.text() == content);
  ASSERT_EQ(pwrite(direct.get(), buffer.data(), kBytes, kPage), static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(ReadFile(Src("f")) == content.substr(0, kPage) + content);
  if (!zero_copy) return;
  EXPECT_EQ(CountKernelWorkers(daemon_.pid()), at_rest);
  const DaemonStatus status = Status();
  EXPECT_GT(status.Io("zero_copy_read_bytes"), 0u);
  EXPECT_GT(status.Io("zero_copy_write_bytes"), 0u);
}

TEST_F(Ops, WhatIsNotInMemoryIsFetched) {
  Serves("READ");
  constexpr size_t kBytes = 1 << 20;
  const std::string content = Pattern(kBytes);
  ASSERT_TRUE(WriteFile(Src("f"), content));
  const File file(Mnt("f"), O_RDONLY | O_DIRECT);
  ASSERT_TRUE(file.ok());
  const File source(Src("f"), O_RDONLY);
  const AlignedBuffer buffer(kBytes);
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(fsync(source.get()), 0);
    ASSERT_EQ(posix_fadvise(source.get(), 128 << 10, 0, POSIX_FADV_DONTNEED), 0);
    ASSERT_EQ(pread(file.get(), buffer.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
    EXPECT_TRUE(std::string(buffer.data(), kBytes) == content) << "in part from memory";
  }
}

TEST_F(Ops, Write) {
  Serves("WRITE");
  const std::string content = Pattern((3 << 20) + 77);
  {
    const File file(Mnt("f"), O_CREAT | O_RDWR);
    ASSERT_TRUE(WriteAt(file.get(), content, 0));
    ASSERT_TRUE(WriteAt(file.get(), "replaced", 70000));
    ASSERT_TRUE(WriteAt(file.get(), "far", (5 << 20) + 1));
    std::string one = Pattern(700, 7), two = Pattern(5000, 8);
    const iovec parts[2] = {{one.data(), one.size()}, {two.data(), two.size()}};
    ASSERT_EQ(pwritev(file.get(), parts, 2, 200001), 5700);
  }
  std::string expected = content;
  expected.replace(70000, 8, "replaced");
  expected.replace(200001, 5700, Pattern(700, 7) + Pattern(5000, 8));
  expected.resize((5 << 20) + 1, '\0');
  expected += "far";
  EXPECT_TRUE(ReadFile(Src("f")) == expected);
  EXPECT_TRUE(ReadFile(Mnt("f")) == expected);
}

// Every size around a page and around the largest request, at even and odd offsets.
TEST_F(Ops, ReadAndWriteOfManySizes) {
  Serves("WRITE");
  for (const size_t size :
       {size_t{1}, size_t{511}, kPage - 1, kPage, kPage + 1, size_t{65536}, size_t{131073},
        size_t{1} << 20, (size_t{1} << 20) + 1, (size_t{2} << 20) + 3}) {
    for (const off_t offset : {off_t{0}, off_t{1}, off_t{4095}, off_t{4096}, off_t{1048575}}) {
      SCOPED_TRACE(std::to_string(size) + " at " + std::to_string(offset));
      const std::string content = Pattern(size, static_cast<uint32_t>(size + 1));
      ASSERT_TRUE(WriteFile(Mnt("f"), ""));
      const File writer(Mnt("f"), O_WRONLY);
      ASSERT_EQ(pwrite(writer.get(), content.data(), size, offset), static_cast<ssize_t>(size));
      const File source(Src("f"), O_RDONLY);
      ASSERT_TRUE(ReadAt(source.get(), size, offset) == content);
      ASSERT_EQ(StatOf(Mnt("f")).st_size, offset + static_cast<off_t>(size));
      const File reader(Mnt("f"), O_RDONLY | O_DIRECT);
      AlignedBuffer buffer((size + 2 * kPage) / kPage * kPage);
      const off_t start = offset / static_cast<off_t>(kPage) * static_cast<off_t>(kPage);
      const size_t skip = static_cast<size_t>(offset - start);
      const ssize_t count = pread(reader.get(), buffer.data(), buffer.size(), start);
      ASSERT_GE(count, static_cast<ssize_t>(std::min(size, kPage)));
      const size_t comparable = std::min(size, static_cast<size_t>(count) - skip);
      ASSERT_TRUE(buffer.text().substr(skip, comparable) == content.substr(0, comparable));
    }
  }
}

TEST_F(Ops, Flush) {
  // Files of local file systems are opened so that the kernel need not ask at every close; with
  // the writeback cache it asks, because it has something to hand over. Passthrough has no such
  // cache.
  if (!plain() && Config().mode != Mode::kKernel) {
    Remount("writeback");
    Serves("FLUSH");
  }
  File file(Mnt("f"), O_CREAT | O_WRONLY);
  ASSERT_EQ(write(file.get(), "flushed", 7), 7);
  const int copy = dup(file.get());
  EXPECT_EQ(close(copy), 0);
  EXPECT_EQ(ReadFile(Src("f")), "flushed");
}

TEST_F(Ops, CloseLeavesNothingBehind) {
  Serves("WRITE");
  ASSERT_TRUE(WriteFile(Mnt("f"), Pattern(300000)));
  EXPECT_TRUE(ReadFile(Src("f")) == Pattern(300000));
}

TEST_F(Ops, Release) {
  Serves("RELEASE");
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(WriteFile(Mnt("f"), "x"));
  }
  if (plain()) {
    return;
  }
  EXPECT_TRUE(Eventually([&] { return Served("RELEASE") >= 50; }));
  // An O_PATH descriptor may stay with the inode; a descriptor that writes may not.
  const std::string process = "/proc/" + std::to_string(daemon_.pid());
  EXPECT_TRUE(Eventually([&] {
    for (const std::string& fd : ListDirectory(process + "/fd")) {
      const std::string info = ReadFile(process + "/fdinfo/" + fd);
      const size_t at = info.find("flags:");
      const unsigned long flags =
          at == std::string::npos ? 0 : std::strtoul(info.c_str() + at + 6, nullptr, 8);
      if (Target(process + "/fd/" + fd) == Src("f") && (flags & O_ACCMODE) != O_RDONLY) {
        return false;
      }
    }
    return true;
  }));
}

TEST_F(Ops, Fsync) {
  Serves("FSYNC");
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), Pattern(300000), 0));
  EXPECT_EQ(fsync(file.get()), 0);
  EXPECT_TRUE(ReadFile(Src("f")) == Pattern(300000));
  ASSERT_TRUE(WriteAt(file.get(), "more", 10));
  EXPECT_EQ(fdatasync(file.get()), 0);
  const File sync(Mnt("f"), O_WRONLY | O_SYNC);
  EXPECT_TRUE(WriteAt(sync.get(), "synchronous", 0));
  const File reader(Mnt("f"), O_RDONLY);
  EXPECT_EQ(fsync(reader.get()), 0);
}

TEST_F(Ops, OpenTruncates) {
  Serves("OPEN");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", Pattern(100000));
    const File holder(dir + "/f", O_RDONLY);
    t.Note("before", ReadAt(holder.get(), 10, 90000) == Pattern(100000).substr(90000, 10));
    t.Done("truncate", File(dir + "/f", O_WRONLY | O_TRUNC).get());
    t.Note("size", static_cast<long>(StatOf(dir + "/f").st_size));
    t.Note("what the other descriptor reads", ReadAll(holder.get()));
    t.Done("directory", File(dir, O_RDONLY | O_TRUNC).get());
  });
}

TEST_F(Ops, AppendFromSeveralProcesses) {
  Serves("WRITE");
  constexpr int kWriters = 6;
  constexpr int kLines = 300;
  ASSERT_TRUE(WriteFile(Mnt("log"), "start\n"));
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(Spawn(kRoot, [&, writer] {
      const File file(Mnt("log"), O_WRONLY | O_APPEND);
      for (int line = 0; line < kLines; ++line) {
        std::string text = std::to_string(writer) + ":" + std::to_string(line);
        text.resize(63, '.');
        text += '\n';
        if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
          return 1;
        }
      }
      return 0;
    }));
  }
  for (const pid_t child : children) {
    EXPECT_EQ(Wait(child), 0);
  }
  const std::string content = ReadFile(Src("log"));
  ASSERT_EQ(content.size(), size_t{6 + kWriters * kLines * 64});
  std::vector<int> next(kWriters, 0);
  for (size_t at = 6; at < content.size(); at += 64) {
    int writer = -1;
    int line = -1;
    ASSERT_EQ(std::sscanf(content.c_str() + at, "%d:%d", &writer, &line), 2);
    ASSERT_LT(writer, kWriters);
    EXPECT_EQ(line, next[static_cast<size_t>(writer)]++);
  }
}

TEST_F(Ops, AppendAfterTheFileGrewInTheSource) {
  Serves("WRITE");
  ASSERT_TRUE(WriteFile(Mnt("log"), "one\n"));
  const File file(Mnt("log"), O_WRONLY | O_APPEND);
  ASSERT_EQ(write(file.get(), "two\n", 4), 4);
  const File behind(Src("log"), O_WRONLY | O_APPEND);
  ASSERT_EQ(write(behind.get(), "three\n", 6), 6);
  ASSERT_EQ(write(file.get(), "four\n", 5), 5);
  EXPECT_EQ(ReadFile(Src("log")), "one\ntwo\nthree\nfour\n");
}

TEST_F(Ops, DirectIo) {
  ServesAny({"READ", "WRITE"});
  constexpr size_t kBytes = 4 << 20;
  AlignedBuffer out(kBytes);
  const std::string content = Pattern(kBytes);
  std::memcpy(out.data(), content.data(), kBytes);
  const File writer(Mnt("f"), O_CREAT | O_RDWR | O_DIRECT);
  ASSERT_TRUE(writer.ok());
  ASSERT_EQ(pwrite(writer.get(), out.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(ReadFile(Src("f")) == content);
  AlignedBuffer in(kBytes);
  ASSERT_EQ(pread(writer.get(), in.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(in.text() == content);
  ASSERT_EQ(pread(writer.get(), in.data(), kPage, kBytes - kPage), static_cast<ssize_t>(kPage));
  EXPECT_TRUE(in.text().substr(0, kPage) == content.substr(kBytes - kPage));
  EXPECT_EQ(pread(writer.get(), in.data(), kPage, kBytes), 0);
  // A buffered reader beside it sees what the direct writer wrote.
  const File buffered(Mnt("f"), O_RDONLY);
  EXPECT_EQ(ReadAt(buffered.get(), 100, 0), content.substr(0, 100));
  std::memset(out.data(), 'd', kPage);
  ASSERT_EQ(pwrite(writer.get(), out.data(), kPage, 0), static_cast<ssize_t>(kPage));
  EXPECT_EQ(ReadAt(buffered.get(), 100, 0), std::string(100, 'd'));
}

// FUSE itself asks for no alignment; what the backing file refuses must not reach the caller.
TEST_F(Ops, DirectIoAtOddOffsetsAndSizes) {
  if (plain()) {
    GTEST_SKIP() << "a native file system may refuse unaligned direct I/O";
  }
  ServesAny({"READ", "WRITE"});
  const std::string content = Pattern(300001);
  const File file(Mnt("f"), O_CREAT | O_RDWR | O_DIRECT);
  const ssize_t written = pwrite(file.get(), content.data(), content.size(), 7);
  if (Config().mode == Mode::kKernel) {
    // The kernel goes to the backing file as the caller would.
    const File native(Plain("f"), O_CREAT | O_RDWR | O_DIRECT);
    EXPECT_EQ(written, pwrite(native.get(), content.data(), content.size(), 7));
    return;
  }
  ASSERT_EQ(written, static_cast<ssize_t>(content.size()));
  EXPECT_TRUE(ReadFile(Src("f")).substr(7) == content);
  std::string back(content.size() + 1, '\0');
  ASSERT_EQ(pread(file.get(), back.data() + 1, content.size(), 7),
            static_cast<ssize_t>(content.size()));
  EXPECT_TRUE(back.substr(1) == content);
}

TEST_F(Ops, NoAtime) {
  Serves("OPEN");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  const timespec old[2] = {{1000, 1}, {2000, 2}};
  ASSERT_EQ(utimensat(AT_FDCWD, Src("f").c_str(), old, 0), 0);
  {
    const File file(Mnt("f"), O_RDONLY | O_NOATIME);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(ReadAll(file.get()), "x");
  }
  EXPECT_EQ(StatOf(Src("f")).st_atim.tv_sec, 1000);
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(File(Mnt("f"), O_RDONLY | O_NOATIME).get()); }),
            EPERM);
}

TEST_F(Ops, SendfileAndSplice) {
  ServesAny({"READ", "WRITE"});
  const std::string content = Pattern(500000);
  ASSERT_TRUE(WriteFile(Src("from"), content));
  const File from(Mnt("from"), O_RDONLY);
  const File to(Mnt("to"), O_CREAT | O_RDWR);
  for (size_t left = content.size(); left > 0;) {
    const ssize_t count = sendfile(to.get(), from.get(), nullptr, left);
    ASSERT_GT(count, 0) << std::strerror(errno);
    left -= static_cast<size_t>(count);
  }
  EXPECT_TRUE(ReadFile(Src("to")) == content);
}

TEST_F(Ops, FilesOver4GiB) {
  ServesAny({"READ", "WRITE"});
  constexpr off_t kFar = (off_t{5} << 30) + 12345;
  const File file(Mnt("big"), O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), "beyond", kFar));
  EXPECT_EQ(StatOf(Mnt("big")).st_size, kFar + 6);
  const File source(Src("big"), O_RDONLY);
  EXPECT_EQ(ReadAt(source.get(), 100, kFar), "beyond");
  EXPECT_EQ(ReadAt(file.get(), 8, kFar - 2), std::string("\0\0beyond", 8));
  // The same low 32 bits, 4 GiB below: still a hole.
  EXPECT_EQ(ReadAt(file.get(), 6, kFar - (off_t{4} << 30)), std::string(6, '\0'));
  ASSERT_EQ(ftruncate(file.get(), off_t{6} << 30), 0);
  EXPECT_EQ(StatOf(Src("big")).st_size, off_t{6} << 30);
  EXPECT_LT(StatOf(Mnt("big")).st_blocks, 1000);
}

TEST_F(Ops, SparseFiles) {
  ServesAny({"READ", "WRITE"});
  SameAsNative([](const std::string& dir, Transcript& t) {
    const File file(dir + "/f", O_CREAT | O_RDWR);
    t.Call("size", ftruncate(file.get(), 64 << 20));
    t.Note("written", WriteAt(file.get(), "island", 32 << 20));
    t.Call("sync", fsync(file.get()));
    t.Note("blocks", static_cast<long>(StatOf(dir + "/f").st_blocks));
    t.Note("hole", ReadAt(file.get(), 10, 1 << 20) == std::string(10, '\0'));
    t.Note("island", ReadAt(file.get(), 6, 32 << 20));
  });
}

TEST_F(Ops, Lseek) {
  Serves("LSEEK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const File file(dir + "/f", O_CREAT | O_RDWR);
    WriteAt(file.get(), Pattern(65536), 1 << 20);
    WriteAt(file.get(), Pattern(65536), 8 << 20);
    ftruncate(file.get(), 16 << 20);
    fsync(file.get());
    for (const off_t offset :
         {off_t{0}, off_t{1} << 20, (off_t{1} << 20) + 5000, off_t{2} << 20, off_t{8} << 20,
          off_t{9} << 20, off_t{16} << 20, off_t{17} << 20, off_t{-1}}) {
      t.Call("data from " + std::to_string(offset), lseek(file.get(), offset, SEEK_DATA));
      t.Call("hole from " + std::to_string(offset), lseek(file.get(), offset, SEEK_HOLE));
    }
    t.Call("end", lseek(file.get(), -5, SEEK_END));
  });
}

TEST_F(Ops, WriteOnAFullFileSystem) {
  Serves("WRITE");
  MountInside("small");
  const File file(Mnt("small/f"), O_CREAT | O_RDWR);
  ASSERT_TRUE(file.ok());
  const std::string chunk(65536, 'f');
  int error = 0;
  off_t written = 0;
  while (error == 0 && written < (16 << 20)) {
    const ssize_t count = pwrite(file.get(), chunk.data(), chunk.size(), written);
    error = ErrorOf(count);
    written += std::max<ssize_t>(count, 0);
  }
  EXPECT_EQ(error, ENOSPC);
  EXPECT_GE(written, 900000);
  EXPECT_EQ(ReadAt(file.get(), 10, 0), std::string(10, 'f'));
}

}  // namespace
}  // namespace shuntfs::mount_test
