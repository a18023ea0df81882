// File handles of the mount: name_to_handle_at(2), open_by_handle_at(2).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// A file handle with room for what FUSE encodes.
struct Handle {
  alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ] = {};

  file_handle* get() { return reinterpret_cast<file_handle*>(memory); }
  // Of the file at `path`.
  bool Take(const std::string& path) {
    get()->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    return name_to_handle_at(AT_FDCWD, path.c_str(), get(), &mount_id, 0) == 0;
  }
  // The content of the file that the handle leads to, or the name of the error.
  std::string Read(const std::string& mountpoint) {
    const File root(mountpoint, O_RDONLY | O_DIRECTORY);
    const File file(open_by_handle_at(root.get(), get(), O_RDONLY));
    if (file.get() < 0) return std::strerror(errno);
    char text[64];
    const ssize_t bytes = read(file.get(), text, sizeof(text));
    return bytes < 0 ? std::strerror(errno) : std::string(text, static_cast<size_t>(bytes));
  }
};

// Numbers of nodes begin anew with each mount, so the file that is looked up first after a restart
// has the number that another had before.
TEST_F(Ops, AHandleOfAnEarlierMountLeadsToNoOtherFile) {
  Serves("LOOKUP");
  WriteFile(Src("one"), "content of one");
  WriteFile(Src("two"), "content of two");
  Handle handle;
  ASSERT_TRUE(handle.Take(Mnt("one"))) << std::strerror(errno);
  EXPECT_EQ(handle.Read(Mnt()), "content of one");
  Remount("");
  EXPECT_EQ(ReadFile(Mnt("two")), "content of two");
  const std::string found = handle.Read(Mnt());
  EXPECT_TRUE(found == "content of one" || found == std::strerror(ESTALE)) << found;
}

// Has the kernel forget what it has cached and nobody uses.
void DropCaches() { WriteFile("/proc/sys/vm/drop_caches", "2"); }

TEST_F(Ops, AHandleLeadsToItsFileAfterTheKernelHasForgottenIt) {
  Serves("LOOKUP");
  Serves("BATCH_FORGET");
  constexpr int kFiles = 50;
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  for (int i = 0; i < kFiles; ++i)
    WriteFile(Src("d/" + std::to_string(i)), "content of " + std::to_string(i));
  std::vector<Handle> handles(kFiles);
  for (int i = 0; i < kFiles; ++i)
    ASSERT_TRUE(handles[static_cast<size_t>(i)].Take(Mnt("d/" + std::to_string(i))));
  Handle directory;
  ASSERT_TRUE(directory.Take(Mnt("d")));
  DropCaches();
  ASSERT_EQ(rename(Src("d").c_str(), Src("moved").c_str()), 0);
  for (int i = kFiles - 1; i >= 0; --i) {
    EXPECT_EQ(handles[static_cast<size_t>(i)].Read(Mnt()), "content of " + std::to_string(i));
  }
  const File root(Mnt(), O_RDONLY | O_DIRECTORY);
  const File opened(open_by_handle_at(root.get(), directory.get(), O_RDONLY | O_DIRECTORY));
  ASSERT_GE(opened.get(), 0) << std::strerror(errno);
  EXPECT_EQ(faccessat(opened.get(), "7", R_OK, 0), 0) << std::strerror(errno);
}

TEST_F(Ops, AHandleOfADirectoryIsConnectedToItsParents) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("a").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Src("a/b").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Src("a/b/c").c_str(), 0755), 0);
  Handle handle;
  ASSERT_TRUE(handle.Take(Mnt("a/b/c"))) << std::strerror(errno);
  DropCaches();
  const File root(Mnt(), O_RDONLY | O_DIRECTORY);
  const File opened(open_by_handle_at(root.get(), handle.get(), O_RDONLY | O_DIRECTORY));
  ASSERT_GE(opened.get(), 0) << std::strerror(errno);
  char path[PATH_MAX] = "";
  ASSERT_GT(readlink(("/proc/self/fd/" + std::to_string(opened.get())).c_str(), path, sizeof(path)),
            0);
  EXPECT_EQ(std::string(path), Mnt("a/b/c"));
}

TEST_F(Ops, AHandleOfAFileThatWasReplacedIsStale) {
  Serves("LOOKUP");
  WriteFile(Src("f"), "the first");
  Handle handle;
  ASSERT_TRUE(handle.Take(Mnt("f"))) << std::strerror(errno);
  DropCaches();
  ASSERT_EQ(unlink(Src("f").c_str()), 0);
  WriteFile(Src("f"), "the second");
  EXPECT_EQ(handle.Read(Mnt()), std::strerror(ESTALE));
  EXPECT_EQ(ReadFile(Mnt("f")), "the second");
  EXPECT_EQ(handle.Read(Mnt()), std::strerror(ESTALE));
}

}  // namespace
}  // namespace shuntfs::mount_test
