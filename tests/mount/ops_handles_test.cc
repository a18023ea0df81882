// File handles of the mount: name_to_handle_at(2), open_by_handle_at(2).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

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

}  // namespace
}  // namespace shuntfs::mount_test
