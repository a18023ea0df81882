// Errors of READ, WRITE, FSYNC and FLUSH: what the backing file system answers is what the caller
// gets, in number and in how much was done before.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iterator>
#include <string>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/broken_files.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kBytes = 64 << 10;
constexpr int kCallerFlags[] = {0, O_DIRECT};
constexpr const char* kErrors[] = {"EIO", "ENOSPC", "EDQUOT", "EFBIG", "ESTALE", "EAGAIN", "EINTR"};

AlignedBuffer Aligned(const std::string& content) {
  AlignedBuffer buffer(content.size());
  std::memcpy(buffer.data(), content.data(), content.size());
  return buffer;
}

std::string Title(const std::string& what, int flags) {
  return what + (flags == 0 ? " buffered" : " direct");
}

class Errors : public Ops {
 protected:
  using Action = std::function<void(const std::string& dir, Transcript& transcript)>;

  void SetUp() override {
    Ops::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_EQ(broken_.Mount(Src("broken")), "");
    // A bind mount does not follow what is mounted later; the daemon does.
    if (plain()) Remount("");
  }
  void TearDown() override {
    Ops::TearDown();
    broken_.Unmount();
  }

  // Whether the daemon moves the data.
  static bool Moves() { return !plain() && Config().mode != Mode::kKernel; }
  static bool Counted(const std::string& operation) {
    return Moves() || (!plain() && operation != "READ" && operation != "WRITE");
  }

  // `action` does in a directory of SRC itself what it does through the mount; what that was.
  std::string SameAsInSource(const std::string& name, const Action& action) {
    Transcript native;
    Transcript mounted;
    action(Src(name), native);
    action(Mnt(name), mounted);
    EXPECT_EQ(mounted.text(), native.text());
    return native.text();
  }

  // SameAsInSource of broken files, of which `operation` fails with `error`, at the daemon as well.
  void FailsAsInSource(const std::string& operation, const std::string& error,
                       const Action& action) {
    const uint64_t before = Status().Errors(operation);
    EXPECT_NE(SameAsInSource("broken", action).find(error), std::string::npos);
    if (Counted(operation)) {
      EXPECT_GT(Status().Errors(operation), before);
    }
  }

  void CompareFailingReads();
  void CompareFailingWrites();
  void CarryShortWritesOn();
  void CompareFillingUp(int flags);

 private:
  BrokenFiles broken_;
};

// On files that pass by the page cache of the backing file system.
class ErrorsOfDirectBacking : public Errors {
 protected:
  std::string MountOptions() const override { return "backing_direct"; }
};

// Linux 7.3 knows of one error only when its page cache cannot be filled, which says nothing of us.
void NoteRead(const std::string& what, ssize_t count, int flags, const std::string& error,
              Transcript& t) {
  if (count < 0 && errno == EIO && flags == 0) {
    t.Note(what, error);
  } else {
    t.Call(what, count);
  }
}

void ReadBroken(const std::string& path, int flags, const std::string& error, Transcript& t) {
  const File file(path, O_RDONLY | flags);
  t.Done("open", file.get());
  const AlignedBuffer buffer(kBytes);
  NoteRead("pread", pread(file.get(), buffer.data(), kBytes, 0), flags, error, t);
  NoteRead("pread of a page", pread(file.get(), buffer.data(), 4096, 4096), flags, error, t);
}

void Errors::CompareFailingReads() {
  Serves("READ");
  for (const std::string error : kErrors) {
    ASSERT_TRUE(WriteFile(Src("broken/read." + error), Pattern(kBytes)));
    for (const int flags : kCallerFlags) {
      SCOPED_TRACE(Title(error, flags));
      FailsAsInSource("READ", error, [&](const std::string& dir, Transcript& t) {
        ReadBroken(dir + "/read." + error, flags, error, t);
      });
    }
  }
}

void WriteBroken(const std::string& path, int flags, Transcript& t) {
  const File file(path, O_RDWR | O_CREAT | O_TRUNC | flags);
  t.Done("open", file.get());
  const AlignedBuffer buffer = Aligned(Pattern(kBytes));
  t.Call("pwrite", pwrite(file.get(), buffer.data(), kBytes, 0));
  t.Call("pwrite of a page", pwrite(file.get(), buffer.data(), 4096, 4096));
  t.Call("fsync", fsync(file.get()));
  t.Call("close", close(dup(file.get())));
  t.Note("size", StatOf(path).st_size);
}

void Errors::CompareFailingWrites() {
  Serves("WRITE");
  for (const std::string error : kErrors) {
    for (const int flags : kCallerFlags) {
      SCOPED_TRACE(Title(error, flags));
      FailsAsInSource("WRITE", error, [&](const std::string& dir, Transcript& t) {
        WriteBroken(dir + "/write." + error, flags, t);
      });
    }
  }
}

TEST_F(Errors, OfReads) { CompareFailingReads(); }
TEST_F(Errors, OfWrites) { CompareFailingWrites(); }
TEST_F(ErrorsOfDirectBacking, OfReads) { CompareFailingReads(); }
TEST_F(ErrorsOfDirectBacking, OfWrites) { CompareFailingWrites(); }

// Where the file system takes all data and loses it later.
TEST_F(Errors, OfFsyncAndClose) {
  Serves("FSYNC");
  for (const std::string error : kErrors) {
    for (const int flags : kCallerFlags) {
      SCOPED_TRACE(Title(error, flags));
      FailsAsInSource("FSYNC", error, [&](const std::string& dir, Transcript& t) {
        WriteBroken(dir + "/fsync." + error, flags, t);
      });
      FailsAsInSource("FLUSH", error, [&](const std::string& dir, Transcript& t) {
        WriteBroken(dir + "/flush." + error, flags, t);
      });
    }
  }
}

// A thread that may wait takes every error as it is: EAGAIN is no request to try on another thread.
TEST_F(Errors, OfLookupsAndOpens) {
  ServesAny({"LOOKUP"});
  const uint64_t offloaded = plain() ? 0 : Status().offloaded;
  for (const std::string error : kErrors) {
    SCOPED_TRACE(error);
    ASSERT_TRUE(WriteFile(Src("broken/open." + error), "x"));
    SameAsInSource("broken", [&](const std::string& dir, Transcript& t) {
      t.Done("lookup", access((dir + "/lookup." + error).c_str(), F_OK));
      t.Done("open", File(dir + "/open." + error, O_RDONLY).get());
    });
  }
  // Each request is offloaded once; the kernel looks a name up again after ESTALE, and may after
  // others.
  if (OverRing(Config().mode)) {
    EXPECT_LE(Status().offloaded - offloaded, 16 * std::size(kErrors));
  }
}

// A write that the kernel gathers succeeds, and fsync is the first to know; without the daemon, and
// in kernel mode, nothing is gathered.
TEST_F(Errors, OfGatheredWritesComeWithFsync) {
  if (Moves()) Remount("writeback");
  Serves("WRITE");
  for (const std::string error : kErrors) {
    SCOPED_TRACE(error);
    const uint64_t before = Status().Errors("WRITE");
    const File file(Mnt("broken/write." + error), O_RDWR | O_CREAT);
    ASSERT_TRUE(file.ok());
    const ssize_t written = pwrite(file.get(), "gathered", 8, 0);
    EXPECT_EQ(written, Moves() ? 8 : -1);
    EXPECT_EQ(ErrorName(ErrorOf(written < 0 ? written : fsync(file.get()))), error);
    if (!Moves()) continue;
    EXPECT_GT(Status().Errors("WRITE"), before);
  }
}

// The daemon goes on until everything is written; without one the caller would have to. io_uring
// would say EIO of such a write, so another thread makes plain calls.
void Errors::CarryShortWritesOn() {
  Serves("WRITE");
  const std::string content = Pattern(kBytes);
  for (const int flags : kCallerFlags) {
    SCOPED_TRACE(Title("SHORT", flags));
    const DaemonStatus before = Status();
    const File file(Mnt("broken/write.SHORT"), O_RDWR | O_CREAT | O_TRUNC | flags);
    const AlignedBuffer buffer = Aligned(content);
    const size_t expected = Moves() ? kBytes : BrokenFiles::kPartBytes;
    EXPECT_EQ(pwrite(file.get(), buffer.data(), kBytes, 0), static_cast<ssize_t>(expected))
        << std::strerror(errno);
    EXPECT_TRUE(ReadFile(Src("broken/write.SHORT")) == content.substr(0, expected));
    if (!Moves()) continue;
    const DaemonStatus after = Status();
    EXPECT_EQ(after.Io("plain_write_bytes") - before.Io("plain_write_bytes"), kBytes);
  }
}

TEST_F(Errors, ShortWritesAreCarriedOn) { CarryShortWritesOn(); }
TEST_F(ErrorsOfDirectBacking, ShortWritesAreCarriedOn) {
  CarryShortWritesOn();
  if (Moves()) {
    EXPECT_EQ(Status().Io("direct_write_bytes"), std::size(kCallerFlags) * kBytes);
  }
}

TEST_F(Errors, ShortReadsAreCarriedOn) {
  Serves("READ");
  const std::string content = Pattern(kBytes);
  ASSERT_TRUE(WriteFile(Src("broken/read.SHORT"), content));
  for (const int flags : kCallerFlags) {
    SCOPED_TRACE(Title("SHORT", flags));
    const File file(Mnt("broken/read.SHORT"), O_RDONLY | flags);
    const AlignedBuffer buffer(kBytes);
    const size_t expected = Moves() ? kBytes : BrokenFiles::kPartBytes;
    ASSERT_EQ(pread(file.get(), buffer.data(), kBytes, 0), static_cast<ssize_t>(expected));
    EXPECT_TRUE(buffer.text().substr(0, expected) == content.substr(0, expected));
  }
}

// Between the parts of one request: what was read before counts, and no byte more.
TEST_F(Errors, TheFileEndsBetweenTwoPartsOfARead) {
  Serves("READ");
  const std::string content = Pattern(kBytes);
  for (const int flags : kCallerFlags) {
    SCOPED_TRACE(Title("SHRINK", flags));
    SameAsInSource("broken", [&](const std::string& dir, Transcript& t) {
      ASSERT_TRUE(WriteFile(Src("broken/read.SHRINK"), content));
      const File file(dir + "/read.SHRINK", O_RDONLY | flags);
      AlignedBuffer buffer(kBytes);
      std::memset(buffer.data(), '?', kBytes);
      const ssize_t count = pread(file.get(), buffer.data(), kBytes, 0);
      t.Call("pread", count);
      const auto bytes = static_cast<size_t>(std::max<ssize_t>(count, 0));
      t.Note("content", buffer.text().substr(0, bytes) == content.substr(0, bytes));
    });
  }
}

// By another descriptor, between the calls of a caller.
TEST_F(Errors, ATruncateInBetween) {
  ServesAny({"READ"});
  Serves("WRITE");
  for (const int flags : kCallerFlags) {
    SCOPED_TRACE(Title("", flags));
    SameAsNative([&](const std::string& dir, Transcript& t) {
      const AlignedBuffer out = Aligned(Pattern(kBytes));
      const AlignedBuffer in(kBytes);
      const File file(dir + "/f", O_RDWR | O_CREAT | flags);
      t.Call("write", pwrite(file.get(), out.data(), kBytes, 0));
      t.Call("truncate", truncate((dir + "/f").c_str(), 8192 + 100));
      t.Call("across the end", pread(file.get(), in.data(), kBytes, 4096));
      t.Note("content", in.text().substr(0, 4196) == Pattern(kBytes).substr(4096, 4196));
      t.Call("behind the end", pread(file.get(), in.data(), kBytes, kBytes / 2));
      t.Call("write behind the end", pwrite(file.get(), out.data(), 4096, kBytes / 2));
      t.Call("truncate to nothing", truncate((dir + "/f").c_str(), 0));
      t.Call("nothing", pread(file.get(), in.data(), kBytes, 0));
      t.Call("write once more", pwrite(file.get(), out.data(), 4096, 4096));
    });
  }
}

// Of the 256 pages that MountInside gives.
constexpr size_t kBallastBytes = 231 << 12;
constexpr ssize_t kRoomBytes = 25 << 12;

// What fits is written and told; then comes the error.
void FillUp(const std::string& dir, int flags, Transcript& t) {
  t.Note("ballast", WriteFile(dir + "/ballast", std::string(kBallastBytes, 'b')));
  const File file(dir + "/f", O_RDWR | O_CREAT | flags);
  t.Done("open", file.get());
  const std::string content = Pattern(4 * kBytes);
  const AlignedBuffer buffer = Aligned(content);
  t.Call("more than fits", pwrite(file.get(), buffer.data(), buffer.size(), 0));
  t.Note("size", StatOf(dir + "/f").st_size);
  t.Call("once more", pwrite(file.get(), buffer.data(), kBytes, 1 << 20));
  t.Call("what is there already", pwrite(file.get(), buffer.data(), 4096, 0));
  t.Call("fsync", fsync(file.get()));
  t.Note("content", content.starts_with(ReadFile(dir + "/f")));
  t.Call("remove", unlink((dir + "/f").c_str()));
  t.Call("remove", unlink((dir + "/ballast").c_str()));
}

void Errors::CompareFillingUp(int flags) {
  Serves("WRITE");
  MountInside("small");
  const std::string native = SameAsInSource(
      "small", [flags](const std::string& dir, Transcript& t) { FillUp(dir, flags, t); });
  EXPECT_NE(native.find(std::to_string(kRoomBytes)), std::string::npos) << native;
}

TEST_F(Errors, AFileSystemFillsUp) { CompareFillingUp(/*flags=*/0); }

// Without FUSE_DIRECT_IO_ALLOW_MMAP (Linux 6.6) O_DIRECT does not make a direct file, and the
// kernel makes EIO of the short count (docs/kernel_interface.md, INIT).
TEST_F(Errors, AFileSystemFillsUpByDirectWrites) {
  utsname kernel = {};
  ASSERT_EQ(uname(&kernel), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  if (major < 6 || (major == 6 && minor < 6)) {
    GTEST_SKIP() << kernel.release << " makes EIO of a direct write that was done in part";
  }
  CompareFillingUp(O_DIRECT);
}

TEST_F(Errors, TheCallerMayWriteNoLargerFile) {
  Serves("WRITE");
  for (const int flags : kCallerFlags) {
    SCOPED_TRACE(Title("", flags));
    SameAsNative([&](const std::string& dir, Transcript& t) {
      const std::string path = dir + "/f";
      ASSERT_TRUE(WriteFile(path, ""));
      const File results(dir + "/results", O_RDWR | O_CREAT);
      const int code = RunAs(kRoot, [&] {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit = {kBytes / 2, kBytes / 2};
        setrlimit(RLIMIT_FSIZE, &limit);
        Transcript child;
        const AlignedBuffer buffer = Aligned(Pattern(kBytes));
        const File file(path, O_RDWR | flags);
        child.Call("across the limit", pwrite(file.get(), buffer.data(), kBytes, 4096));
        child.Call("at the limit", pwrite(file.get(), buffer.data(), 4096, kBytes / 2));
        child.Call("ftruncate", ftruncate(file.get(), kBytes));
        child.Call("fallocate", posix_fallocate(file.get(), 0, kBytes));
        return WriteAt(results.get(), child.text(), 0) ? 0 : 1;
      });
      t.Note("code", code);
      t.Note("child", ReadFile(dir + "/results"));
    });
  }
}

// ext4 ends at 16 TiB, others later or not at all: they are compared with themselves.
TEST_F(Errors, TheFileSystemHasNoLargerFile) {
  Serves("WRITE");
  constexpr off_t kTiB = off_t{1} << 40;
  SameAsNative([](const std::string& dir, Transcript& t) {
    const File file(dir + "/f", O_RDWR | O_CREAT);
    const std::string content = Pattern(16384);
    for (const off_t offset : {16 * kTiB - 8192, 16 * kTiB, 1024 * kTiB}) {
      t.Call("pwrite", pwrite(file.get(), content.data(), content.size(), offset));
      t.Note("size", StatOf(dir + "/f").st_size);
      t.Call("ftruncate", ftruncate(file.get(), offset + 4096));
      t.Note("size", StatOf(dir + "/f").st_size);
    }
  });
}

}  // namespace
}  // namespace shuntfs::mount_test
