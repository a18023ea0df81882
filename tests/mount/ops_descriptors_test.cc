// What the daemon keeps for the files and directories that programs use.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// Directories that SRC puts into each other after the mount has seen them the other way round.
TEST_F(Ops, DirectoriesThatSwapTheirPlacesInTheSourceAreForgotten) {
  Serves("LOOKUP");
  const double before = Status().resources["inodes"];
  for (int i = 0; i < 50; ++i) {
    const std::string a = "a" + std::to_string(i);
    const std::string b = "b" + std::to_string(i);
    ASSERT_EQ(mkdir(Src(b).c_str(), 0755), 0);
    ASSERT_EQ(mkdir(Src(b + "/" + a).c_str(), 0755), 0);
    const File held(Mnt(b + "/" + a), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(held.get(), 0);
    ASSERT_EQ(rename(Src(b + "/" + a).c_str(), Src(a).c_str()), 0);
    ASSERT_EQ(rename(Src(b).c_str(), Src(a + "/" + b).c_str()), 0);
    struct stat info = {};
    static_cast<void>(fstatat(held.get(), b.c_str(), &info, 0));
  }
  if (plain()) return;
  EXPECT_TRUE(Eventually([&] {
    WriteFile("/proc/sys/vm/drop_caches", "2");
    return Status().resources["inodes"] <= before;
  })) << Status().resources["inodes"];
}

}  // namespace
}  // namespace shuntfs::mount_test
