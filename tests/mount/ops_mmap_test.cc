// Files mapped into memory and programs run from the mount.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "tests/mount/aligned_buffer.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kPage = 4096;

TEST_F(Ops, SharedMmapWrites) {
  Serves("WRITE");
  constexpr size_t kBytes = 300000;
  ASSERT_TRUE(WriteFile(Mnt("f"), Pattern(kBytes)));
  const File file(Mnt("f"), O_RDWR);
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* bytes = static_cast<char*>(memory);
  EXPECT_TRUE(std::string(bytes, kBytes) == Pattern(kBytes));
  std::memset(bytes + 5000, 'm', 200000);
  ASSERT_EQ(msync(memory, kBytes, MS_SYNC), 0);
  std::string expected = Pattern(kBytes);
  expected.replace(5000, 200000, std::string(200000, 'm'));
  EXPECT_TRUE(ReadFile(Src("f")) == expected);
  // write(2) and the mapping are one page cache.
  ASSERT_TRUE(WriteAt(file.get(), "written", 100));
  EXPECT_EQ(std::string(bytes + 100, 7), "written");
  bytes[kBytes - 1] = '!';
  ASSERT_EQ(munmap(memory, kBytes), 0);
  ASSERT_EQ(fsync(file.get()), 0);
  EXPECT_EQ(ReadFile(Src("f")).back(), '!');
}

TEST_F(Ops, SharedMmapOfADirectFile) {
  Serves("WRITE");
  constexpr size_t kBytes = 16 * kPage;
  ASSERT_TRUE(WriteFile(Src("f"), Pattern(kBytes)));
  const File file(Mnt("f"), O_RDWR | O_DIRECT);
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED) << std::strerror(errno);
  char* bytes = static_cast<char*>(memory);
  EXPECT_TRUE(std::string(bytes, kBytes) == Pattern(kBytes));
  // A direct read sees what the mapping has not written back yet, the mapping what is written
  // directly.
  std::memset(bytes + kPage, 'm', kPage);
  AlignedBuffer block(kPage);
  ASSERT_EQ(pread(file.get(), block.data(), kPage, kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(block.text(), std::string(kPage, 'm'));
  std::memset(block.data(), 'd', kPage);
  ASSERT_EQ(pwrite(file.get(), block.data(), kPage, 2 * kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(std::string(bytes + 2 * kPage, kPage), std::string(kPage, 'd'));
  ASSERT_EQ(munmap(memory, kBytes), 0);
  EXPECT_TRUE(ReadFile(Src("f")) == Pattern(kBytes).substr(0, kPage) + std::string(kPage, 'm') +
                                        std::string(kPage, 'd') +
                                        Pattern(kBytes).substr(3 * kPage));
}

TEST_F(Ops, SharedMmapBetweenProcesses) {
  Serves("OPEN");
  ASSERT_TRUE(WriteFile(Mnt("f"), std::string(kPage, '0')));
  const File file(Mnt("f"), O_RDWR);
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(RunAs(kRoot,
                  [&] {
                    const File mine(Mnt("f"), O_RDWR);
                    void* page =
                        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, mine.get(), 0);
                    if (page == MAP_FAILED) {
                      return 1;
                    }
                    std::memcpy(page, "from the child", 14);
                    return 0;
                  }),
            0);
  EXPECT_EQ(std::string(static_cast<char*>(memory), 14), "from the child");
  munmap(memory, kPage);
}

TEST_F(Ops, PrivateMmapNeverReachesTheFile) {
  Serves("READ");
  ASSERT_TRUE(WriteFile(Src("f"), std::string(kPage, 'a')));
  const File file(Mnt("f"), O_RDONLY);
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 'b', kPage);
  munmap(memory, kPage);
  EXPECT_EQ(ReadFile(Src("f")), std::string(kPage, 'a'));
}

TEST_F(Ops, ProgramsRunFromTheMount) {
  Serves("READ");
  ASSERT_TRUE(WriteFile(Mnt("true"), ReadFile("/bin/true"), 0755));
  ASSERT_TRUE(WriteFile(Mnt("script"), "#!/bin/sh\nexit 7\n", 0755));
  EXPECT_EQ(RunCommand({Mnt("true")}).exit_code, 0);
  EXPECT_EQ(RunCommand({Mnt("script")}).exit_code, 7);
}

}  // namespace
}  // namespace shuntfs::mount_test
