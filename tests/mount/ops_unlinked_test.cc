// Files that are open but have no name any more: everything a descriptor can do must still work.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

class Unlinked : public Ops {
 protected:
  // Creates a file with content, opens it, takes its name away.
  File OpenAndUnlink() {
    EXPECT_TRUE(WriteFile(Mnt("f"), "content"));
    File file(Mnt("f"), O_RDWR);
    EXPECT_EQ(unlink(Mnt("f").c_str()), 0);
    EXPECT_FALSE(Exists(Src("f")));
    EXPECT_TRUE(ListDirectory(Src()).empty()) << "the file must not live on under another name";
    return file;
  }
};

TEST_F(Unlinked, Fstat) {
  Serves("UNLINK");
  const File file = OpenAndUnlink();
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0u);
  EXPECT_EQ(info.st_size, 7);
}

TEST_F(Unlinked, ReadAndWrite) {
  Serves("WRITE");
  const File file = OpenAndUnlink();
  EXPECT_EQ(ReadAll(file.get()), "content");
  EXPECT_TRUE(WriteAt(file.get(), Pattern(500000), 7));
  EXPECT_EQ(fsync(file.get()), 0);
  EXPECT_TRUE(ReadAll(file.get()) == "content" + Pattern(500000));
}

TEST_F(Unlinked, Fchmod) {
  Serves("SETATTR");
  const File file = OpenAndUnlink();
  EXPECT_EQ(fchmod(file.get(), 0604), 0);
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0604u);
}

TEST_F(Unlinked, Fchown) {
  Serves("SETATTR");
  const File file = OpenAndUnlink();
  EXPECT_EQ(fchown(file.get(), 12, 34), 0);
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0);
  EXPECT_EQ(info.st_uid, 12u);
  EXPECT_EQ(info.st_gid, 34u);
}

TEST_F(Unlinked, Futimens) {
  Serves("SETATTR");
  const File file = OpenAndUnlink();
  const timespec times[2] = {{5, 6}, {7, 8}};
  EXPECT_EQ(futimens(file.get(), times), 0);
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 7);
  EXPECT_EQ(info.st_mtim.tv_nsec, 8);
}

TEST_F(Unlinked, Ftruncate) {
  Serves("SETATTR");
  const File file = OpenAndUnlink();
  EXPECT_EQ(ftruncate(file.get(), 3), 0);
  EXPECT_EQ(ReadAll(file.get()), "con");
  EXPECT_EQ(ftruncate(file.get(), 5), 0);
  EXPECT_EQ(ReadAll(file.get()), std::string("con\0\0", 5));
}

TEST_F(Unlinked, FtruncateAfterChmodToNothing) {
  Serves("SETATTR");
  const File file = OpenAndUnlink();
  EXPECT_EQ(fchmod(file.get(), 0), 0);
  EXPECT_EQ(ftruncate(file.get(), 3), 0);
  EXPECT_EQ(ReadAll(file.get()), "con");
}

TEST_F(Unlinked, Fallocate) {
  Serves("FALLOCATE");
  const File file = OpenAndUnlink();
  EXPECT_EQ(fallocate(file.get(), 0, 0, 100000), 0);
  struct stat info = {};
  EXPECT_EQ(fstat(file.get(), &info), 0);
  EXPECT_EQ(info.st_size, 100000);
}

TEST_F(Unlinked, ExtendedAttributes) {
  Serves("SETXATTR");
  const File file = OpenAndUnlink();
  EXPECT_EQ(fsetxattr(file.get(), "user.k", "v", 1, 0), 0);
  char value[4];
  EXPECT_EQ(fgetxattr(file.get(), "user.k", value, sizeof(value)), 1);
}

TEST_F(Unlinked, Mmap) {
  Serves("READ");
  const File file = OpenAndUnlink();
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(std::string(static_cast<char*>(memory), 7), "content");
  std::memcpy(memory, "CON", 3);
  EXPECT_EQ(msync(memory, 4096, MS_SYNC), 0);
  munmap(memory, 4096);
  EXPECT_EQ(ReadAll(file.get()), "CONtent");
}

TEST_F(Unlinked, ReopenThroughProc) {
  Serves("OPEN");
  const File file = OpenAndUnlink();
  const File again("/proc/self/fd/" + std::to_string(file.get()), O_RDONLY);
  ASSERT_TRUE(again.ok()) << std::strerror(errno);
  EXPECT_EQ(ReadAll(again.get()), "content");
}

TEST_F(Unlinked, NewFileOfTheSameNameIsAnother) {
  Serves("CREATE");
  const File old = OpenAndUnlink();
  ASSERT_TRUE(WriteFile(Mnt("f"), "successor"));
  EXPECT_EQ(ReadAll(old.get()), "content");
  ASSERT_TRUE(WriteAt(old.get(), "CONTENT", 0));
  EXPECT_EQ(ReadFile(Src("f")), "successor");
}

TEST_F(Unlinked, UnlinkedInTheSource) {
  Serves("WRITE");
  ASSERT_TRUE(WriteFile(Mnt("f"), "content"));
  const File file(Mnt("f"), O_RDWR);
  ASSERT_EQ(unlink(Src("f").c_str()), 0);
  EXPECT_EQ(ReadAll(file.get()), "content");
  EXPECT_TRUE(WriteAt(file.get(), "CON", 0));
  EXPECT_EQ(ftruncate(file.get(), 3), 0);
  EXPECT_EQ(ReadAll(file.get()), "CON");
}

TEST_F(Unlinked, ReplacedByRename) {
  Serves("RENAME");
  ASSERT_TRUE(WriteFile(Mnt("f"), "content"));
  ASSERT_TRUE(WriteFile(Mnt("g"), "new"));
  const File file(Mnt("f"), O_RDWR);
  ASSERT_EQ(rename(Mnt("g").c_str(), Mnt("f").c_str()), 0);
  EXPECT_EQ(ReadAll(file.get()), "content");
  EXPECT_EQ(fchmod(file.get(), 0600), 0);
  EXPECT_EQ(ftruncate(file.get(), 1), 0);
  EXPECT_EQ(ReadFile(Mnt("f")), "new");
  EXPECT_EQ(ModeOf(Mnt("f")), 0644u);
}

}  // namespace
}  // namespace shuntfs::mount_test
