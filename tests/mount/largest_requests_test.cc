// The largest requests and replies that are no data, under every size of data requests: what does
// not fit the memory of a ring's entry stops the queue for everybody.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"
#include "tests/mount/setting.h"

namespace shuntfs::mount_test {
namespace {

const std::string kName(255, 'n');
const std::string kOtherName(255, 'o');

// The longest value under the longest name, there and back.
void LongestXattr(const std::string& dir, Transcript& t) {
  const std::string f = dir + "/f";
  ASSERT_TRUE(WriteFile(f, "x"));
  const std::string key = "trusted." + std::string(247, 'k');
  for (const size_t size : {9000U, 65535U, 65536U}) {
    const std::string value = Pattern(size);
    const long rc = lsetxattr(f.c_str(), key.c_str(), value.data(), value.size(), 0);
    t.Call("set " + std::to_string(size), rc);
    t.Note("same", rc != 0 || Xattr(f, key.c_str()) == value);
  }
}

// As many long names as a list may hold, or as there is room for.
void LongestList(const std::string& dir, Transcript& t) {
  const std::string f = dir + "/f";
  ASSERT_TRUE(WriteFile(f, "x"));
  for (int i = 0; i < 256; ++i) {
    std::string key = "trusted." + std::to_string(i);
    key.resize(255, 'k');
    t.Call("set", lsetxattr(f.c_str(), key.c_str(), "", 0, 0));
  }
  std::string list(65536, '\0');
  t.Call("list", listxattr(f.c_str(), list.data(), list.size()));
}

void LongestNames(const std::string& dir, Transcript& t) {
  const std::string from = dir + "/" + kName;
  const std::string to = dir + "/" + kOtherName;
  t.Call("symlink", symlink(std::string(4095, 't').c_str(), from.c_str()));
  t.Note("target", static_cast<long>(Target(from).size()));
  t.Call("rename", rename(from.c_str(), to.c_str()));
  t.Call("exchange", renameat2(AT_FDCWD, to.c_str(), AT_FDCWD, from.c_str(), RENAME_NOREPLACE));
  t.Call("unlink", unlink(from.c_str()));
  t.Done("create", File(from, O_CREAT | O_RDWR).get());
  t.Call("link", link(from.c_str(), to.c_str()));
  t.Call("mkdir", mkdir((dir + "/" + std::string(255, 'd')).c_str(), 0755));
}

class LargestRequests : public Ops, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string MountOptions() const override { return std::string("max_write=") + GetParam(); }
};

TEST_P(LargestRequests, FitWhateverMaxWriteIs) {
  Serves("SETXATTR");
  Serves("GETXATTR");
  Serves("LISTXATTR");
  Serves("SYMLINK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    LongestXattr(dir, t);
    LongestNames(dir, t);
  });
  SameAsNative(LongestList);
  // It still serves.
  const std::string content = Pattern(300'000);
  ASSERT_TRUE(WriteFile(Mnt("data"), content));
  EXPECT_EQ(ReadFile(Mnt("data")), content);
}

// Each of four clients writes a file by direct calls of 1 MiB and reads it again: requests of all
// sizes that the limit allows, in every slice of the pools.
void MoveFiles(const std::string& mnt, const std::string& src) {
  constexpr size_t kBytes = 1 << 20;
  std::vector<std::thread> clients;
  for (uint32_t i = 0; i < 4; ++i) {
    clients.emplace_back([i, path = mnt + "/f" + std::to_string(i),
                          original = src + "/f" + std::to_string(i)] {
      const std::string content = Pattern(kBytes, i);
      AlignedBuffer buffer(kBytes);
      std::memcpy(buffer.data(), content.data(), kBytes);
      const File file(path, O_CREAT | O_RDWR | O_DIRECT);
      EXPECT_EQ(pwrite(file.get(), buffer.data(), kBytes, 0), ssize_t{kBytes}) << strerror(errno);
      EXPECT_TRUE(ReadFile(original) == content);
      std::memset(buffer.data(), 0, kBytes);
      EXPECT_EQ(pread(file.get(), buffer.data(), kBytes, 0), ssize_t{kBytes}) << strerror(errno);
      EXPECT_EQ(std::memcmp(buffer.data(), content.data(), kBytes), 0);
      EXPECT_TRUE(ReadFile(path) == content);
    });
  }
  for (std::thread& client : clients) client.join();
}

INSTANTIATE_TEST_SUITE_P(MaxWrite, LargestRequests, ::testing::Values("4K", "64K", "1M"));

// fs.fuse.max_pages_limit counts for the mounts made while it is set.
class MaxPagesLimit : public Ops, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    if (plain()) GTEST_SKIP() << "a bind mount has no requests";
    // The setting is the machine's, and another mount made meanwhile gets it, too.
    if (!HasPools()) GTEST_SKIP() << "before Linux 7.3 requests that do not fit stop the kernel";
    Ops::SetUp();
  }
  void TearDown() override {
    if (!IsSkipped()) Ops::TearDown();
  }
  static bool HasPools() {
    utsname name{};
    int major = 0;
    int minor = 0;
    return uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 7 || (major == 7 && minor >= 3));
  }
};

TEST_P(MaxPagesLimit, IsKnownBeforeMemoryIsPlanned) {
  {
    const Setting limit("/proc/sys/fs/fuse/max_pages_limit", std::to_string(GetParam()));
    ASSERT_TRUE(limit.changed());
    Remount("max_write=1M");
  }
  Serves("READ");
  Serves("WRITE");
  Serves("SETXATTR");
  MoveFiles(Mnt(), Src());
  SameAsNative([](const std::string& dir, Transcript& t) {
    LongestXattr(dir, t);
    LongestNames(dir, t);
  });
  if (Config().mode == Mode::kKernel) return;
  DaemonStatus status = Status();
  const double request_bytes = 4096.0 * std::min(GetParam(), 256);
  EXPECT_EQ(status.resources["max_write_bytes"], request_bytes);
  EXPECT_GE(static_cast<double>(Served("WRITE")), 4 * (1 << 20) / request_bytes);
  EXPECT_EQ(status.Errors("READ") + status.Errors("WRITE"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Pages, MaxPagesLimit, ::testing::Values(1, 2, 17, 128, 256, 1024));

}  // namespace
}  // namespace shuntfs::mount_test
