#include "core/handle_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

namespace shuntfs {
namespace {

std::unique_ptr<OpenFile> OpenNull() {
  auto file = std::make_unique<OpenFile>();
  file->fd = UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
  return file;
}

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(HandleTable, OwnsAFileUntilItIsRemoved) {
  HandleTable table;
  std::unique_ptr<OpenFile> file = OpenNull();
  OpenFile* const raw = file.get();
  const int fd = raw->fd.get();
  const FileHandle fh = table.Insert(&file);
  EXPECT_NE(fh.value(), 0u);
  EXPECT_EQ(table.Find(fh), raw);
  EXPECT_EQ(table.count(), 1u);
  std::unique_ptr<OpenFile> removed = table.Remove(fh);
  EXPECT_EQ(removed.get(), raw);
  EXPECT_TRUE(IsOpen(fd));
  EXPECT_EQ(table.Find(fh), nullptr);
  EXPECT_EQ(table.Remove(fh), nullptr);
  EXPECT_EQ(table.count(), 0u);
  removed.reset();
  EXPECT_FALSE(IsOpen(fd));
}

TEST(HandleTable, ClosesWhatIsLeftWhenItGoes) {
  int fd = -1;
  {
    HandleTable table;
    std::unique_ptr<OpenFile> file = OpenNull();
    fd = file->fd.get();
    table.Insert(&file);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

}  // namespace
}  // namespace shuntfs
