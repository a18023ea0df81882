// Operations that look at the backing file while the kernel has data that it has not written back.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBytes = 64 * kPage;

// A file mapped for writing, whose stores nobody has written back.
class Stores {
 public:
  explicit Stores(const std::string& path) : file_(path, O_RDWR) {
    memory_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  }
  ~Stores() {
    if (ok()) munmap(memory_, kBytes);
  }
  Stores(const Stores&) = delete;
  Stores& operator=(const Stores&) = delete;
  bool ok() const { return memory_ != MAP_FAILED; }
  void Fill(size_t offset, size_t bytes) {
    std::memset(static_cast<char*>(memory_) + offset, 'D', bytes);
  }

 private:
  File file_;
  void* memory_ = MAP_FAILED;
};

bool MakeHole(const std::string& path) {
  return WriteFile(path, "") && truncate(path.c_str(), kBytes) == 0;
}

class Unwritten : public Ops {
 protected:
  // Whether the kernel's pages of the mount's files are the mount's own.
  static bool CachesPages() { return !plain() && Config().mode != Mode::kKernel; }
  // False: the mode has no writeback cache.
  bool UseWriteback() {
    if (!CachesPages()) {
      Exists(Mnt("f"));  // a mount of the suite has to serve something
      return false;
    }
    Remount("writeback");
    return !HasFatalFailure();
  }
  // Opening the file again writes nothing back then.
  bool OpeningKeepsPages() {
    return Eventually([&] {
      const uint64_t reads = Served("READ");
      return ReadFile(Mnt("f")) == std::string(kBytes, '\0') && Served("READ") == reads;
    });
  }
  void ExpectStoresAreCopied() {
    Serves("OPEN");
    ASSERT_TRUE(MakeHole(Mnt("f")));
    ASSERT_TRUE(OpeningKeepsPages());
    Stores stores(Mnt("f"));
    ASSERT_TRUE(stores.ok());
    stores.Fill(0, kBytes);
    EXPECT_GT(StatOf(Mnt("f")).st_blocks, 0) << "tar --sparse takes no blocks for no data";
    EXPECT_EQ(RunCommand({"/bin/cp", Mnt("f"), Mnt("g")}).exit_code, 0);
    EXPECT_TRUE(ReadFile(Mnt("g")) == std::string(kBytes, 'D'));
  }
  void ExpectStoresAreFound() {
    Serves("LSEEK");
    ASSERT_TRUE(MakeHole(Mnt("f")));
    ASSERT_TRUE(OpeningKeepsPages());
    const File reader(Mnt("f"), O_RDONLY);
    const uint64_t notices = Status().notices;
    Stores stores(Mnt("f"));
    ASSERT_TRUE(stores.ok());
    stores.Fill(0, kBytes);
    EXPECT_EQ(lseek(reader.get(), 0, SEEK_DATA), 0);
    EXPECT_EQ(lseek(reader.get(), 0, SEEK_HOLE), static_cast<off_t>(kBytes));
    if (CachesPages()) {
      EXPECT_GT(Status().notices, notices);
    }
  }
  void ExpectStoresAreSentByCopyFileRange() {
    ServesAny({"COPY_FILE_RANGE", "COPY_FILE_RANGE_64"});
    ASSERT_TRUE(MakeHole(Mnt("f")));
    Stores stores(Mnt("f"));
    ASSERT_TRUE(stores.ok());
    stores.Fill(0, kBytes);
    const File source(Mnt("f"), O_RDONLY);
    const File target(Mnt("g"), O_CREAT | O_WRONLY);
    EXPECT_EQ(copy_file_range(source.get(), nullptr, target.get(), nullptr, kBytes, 0),
              static_cast<ssize_t>(kBytes));
    EXPECT_TRUE(ReadFile(Src("g")) == std::string(kBytes, 'D'));
  }
};

TEST_F(Unwritten, StoresThroughAMappingAreCopied) { ExpectStoresAreCopied(); }

TEST_F(Unwritten, StoresThroughAMappingAreCopiedUnderWriteback) {
  if (!UseWriteback()) GTEST_SKIP() << "no writeback cache in this mode";
  ExpectStoresAreCopied();
}

TEST_F(Unwritten, StoresThroughAMappingAreFound) { ExpectStoresAreFound(); }

TEST_F(Unwritten, StoresThroughAMappingAreFoundUnderWriteback) {
  if (!UseWriteback()) GTEST_SKIP() << "no writeback cache in this mode";
  ExpectStoresAreFound();
}

TEST_F(Unwritten, WrittenDataIsCopiedUnderWriteback) {
  if (!UseWriteback()) GTEST_SKIP() << "no writeback cache in this mode";
  Serves("LSEEK");
  ASSERT_TRUE(WriteFile(Mnt("f"), ""));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadFile(Mnt("f")), "");
  }
  const std::string content = Pattern(kBytes);
  const File file(Mnt("f"), O_RDWR);
  ASSERT_TRUE(WriteAt(file.get(), content, 0));
  EXPECT_EQ(lseek(file.get(), 0, SEEK_HOLE), static_cast<off_t>(kBytes));
  ASSERT_TRUE(WriteAt(file.get(), content, kBytes));
  EXPECT_EQ(lseek(file.get(), kBytes, SEEK_DATA), static_cast<off_t>(kBytes));
  EXPECT_EQ(RunCommand({"/bin/cp", Mnt("f"), Mnt("g")}).exit_code, 0);
  EXPECT_TRUE(ReadFile(Mnt("g")) == content + content);
}

TEST_F(Unwritten, CopyFileRangeTakesStores) { ExpectStoresAreSentByCopyFileRange(); }

TEST_F(Unwritten, CopyFileRangeTakesStoresUnderWriteback) {
  if (!UseWriteback()) GTEST_SKIP() << "no writeback cache in this mode";
  ExpectStoresAreSentByCopyFileRange();
}

TEST_F(Unwritten, HolesBetweenStoresAreFoundExactly) {
  Serves("LSEEK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    ASSERT_TRUE(MakeHole(dir + "/f"));
    const File file(dir + "/f", O_RDWR);
    ASSERT_TRUE(WriteAt(file.get(), std::string(4 * kPage, 'w'), 8 * kPage));
    Stores stores(dir + "/f");
    ASSERT_TRUE(stores.ok());
    for (const size_t page : {20U, 22U, 24U, 40U}) {
      stores.Fill(page * kPage, kPage);
    }
    for (size_t page = 0; page < kBytes / kPage; page += 4) {
      const auto offset = static_cast<off_t>(page * kPage);
      t.Call("hole from page " + std::to_string(page), lseek(file.get(), offset, SEEK_HOLE));
      t.Call("data from page " + std::to_string(page), lseek(file.get(), offset, SEEK_DATA));
    }
    t.Call("data at the end", lseek(file.get(), kBytes, SEEK_DATA));
    t.Call("hole at the end", lseek(file.get(), kBytes, SEEK_HOLE));
  });
}

TEST_F(Unwritten, NoNoticeWhereNobodyWrites) {
  Serves("LSEEK");
  ASSERT_TRUE(MakeHole(Mnt("f")));
  ASSERT_TRUE(WriteAt(File(Mnt("f"), O_WRONLY).get(), std::string(kPage, 'w'), 8 * kPage));
  const uint64_t notices = Status().notices;
  const File file(Mnt("f"), O_RDONLY);
  EXPECT_EQ(lseek(file.get(), 0, SEEK_DATA), static_cast<off_t>(8 * kPage));
  EXPECT_EQ(lseek(file.get(), 8 * kPage, SEEK_HOLE), static_cast<off_t>(9 * kPage));
  EXPECT_EQ(lseek(file.get(), 9 * kPage, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
  EXPECT_EQ(Status().notices, notices);
}

// The WRITEs come to the queue whose entries the waiting requests hold.
TEST_F(Unwritten, ManySeekAtOnceOnOneCpu) {
  Serves("LSEEK");
  constexpr int kFiles = 100;
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(MakeHole(Mnt("f" + std::to_string(i))));
  }
  const uint64_t notices = Status().notices;
  std::atomic<int> ready{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kFiles; ++i) {
    threads.emplace_back([&, i] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(0, &one);
      sched_setaffinity(0, sizeof(one), &one);
      Stores stores(Mnt("f" + std::to_string(i)));
      stores.Fill(4 * kPage, 8 * kPage);
      const File file(Mnt("f" + std::to_string(i)), O_RDONLY);
      ready.fetch_add(1);
      while (ready.load() < kFiles) std::this_thread::yield();
      const off_t data = lseek(file.get(), 0, SEEK_DATA);
      const off_t hole = lseek(file.get(), 4 * kPage, SEEK_HOLE);
      // Exactly, or more than there is when too many ask at once.
      if (data < 0 || data > static_cast<off_t>(4 * kPage)) wrong.fetch_add(1);
      if (hole < static_cast<off_t>(12 * kPage)) wrong.fetch_add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  if (CachesPages()) {
    EXPECT_GT(Status().notices, notices);
  }
  const std::string expected = std::string(4 * kPage, '\0') + std::string(8 * kPage, 'D') +
                               std::string(kBytes - 12 * kPage, '\0');
  for (int i = 0; i < kFiles; ++i) {
    EXPECT_TRUE(ReadFile(Src("f" + std::to_string(i))) == expected) << i;
  }
}

TEST_F(Unwritten, DirectAppendsGoBehindWhatIsNotWrittenBack) {
  if (!UseWriteback()) GTEST_SKIP() << "no writeback cache in this mode";
  Serves("WRITE");
  const std::string content = Pattern(2 * kPage);
  const File file(Mnt("f"), O_CREAT | O_RDWR);
  const File appending(Mnt("f"), O_WRONLY | O_APPEND | O_DIRECT);
  ASSERT_TRUE(WriteAt(file.get(), content, 0));
  AlignedBuffer block(kPage);
  std::memset(block.data(), 'a', kPage);
  ASSERT_EQ(write(appending.get(), block.data(), kPage), static_cast<ssize_t>(kPage));
  EXPECT_TRUE(ReadFile(Mnt("f")) == content + std::string(kPage, 'a'));
  ASSERT_EQ(fsync(file.get()), 0);
  EXPECT_TRUE(ReadFile(Src("f")) == content + std::string(kPage, 'a'));
}

}  // namespace
}  // namespace shuntfs::mount_test
