#include "core/sys/proc_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <string>

#include "core/base/unique_fd.h"
#include "core/sys/file_status.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

TEST(FdPath, SpellsAnyDescriptor) {
  EXPECT_STREQ(FdPath(0).c_str(), "/proc/self/fd/0");
  EXPECT_STREQ(FdPath(12345).c_str(), "/proc/self/fd/12345");
  EXPECT_STREQ(FdPath(std::numeric_limits<int>::max()).c_str(), "/proc/self/fd/2147483647");
  EXPECT_STREQ(FdName(std::numeric_limits<int>::max()).c_str(), "2147483647");
}

TEST(FdName, OpensWhatAnOPathDescriptorStandsFor) {
  TempTree tree;
  tree.File("f", "content");
  const UniqueFd path = tree.Open("f", O_PATH);
  const UniqueFd file(openat(ProcFdDirectory(), FdName(path.get()).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file.valid());
  char text[8] = {};
  EXPECT_EQ(read(file.get(), text, sizeof(text)), 7);
  EXPECT_STREQ(text, "content");
}

TEST(FileStatus, IsOfTheSymlinkItself) {
  TempTree tree;
  tree.File("f", "content");
  tree.Symlink("f", "s");
  const UniqueFd root = tree.OpenRoot();
  const Result<FileStatus> status = StatusAt(root.get(), "s");
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->stx_mode & S_IFMT, S_IFLNK);
  EXPECT_EQ(StatusAt(root.get(), "none").error(), Errno(ENOENT));
  EXPECT_EQ(StatusOf(-1).error(), Errno(EBADF));
  const Result<FileStatus> directory = StatusOf(root.get());
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ(directory->stx_ino, tree.Status("").stx_ino);
  EXPECT_NE(DeviceOf(*directory), 0u);
}

TEST(UniqueFd, ClosesOnceAndKeepsErrno) {
  UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.get();
  UniqueFd moved = std::move(fd);
  EXPECT_FALSE(fd.valid());  // NOLINT(bugprone-use-after-move): it says what is left
  EXPECT_EQ(moved.get(), number);
  EXPECT_GE(fcntl(number, F_GETFD), 0);
  errno = ENOSPC;
  moved.reset();
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_LT(fcntl(number, F_GETFD), 0);
  UniqueFd given(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd taken(given.release());
  EXPECT_FALSE(given.valid());
  EXPECT_GE(fcntl(taken.get(), F_GETFD), 0);
}

}  // namespace
}  // namespace shuntfs
