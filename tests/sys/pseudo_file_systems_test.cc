#include "core/sys/pseudo_file_systems.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>

#include "core/base/unique_fd.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

TEST(PseudoFileSystems, AreKnownByTypeAndNumber) {
  for (const char* type : {"proc", "sysfs", "debugfs", "tracefs", "cgroup", "cgroup2", "securityfs",
                           "bpf", "selinuxfs", "configfs"})
    EXPECT_TRUE(IsPseudoType(type)) << type;
  for (const char* type : {"ext4", "tmpfs", "devtmpfs", "fuse", "nfs", "process", ""})
    EXPECT_FALSE(IsPseudoType(type)) << type;
  EXPECT_EQ(PseudoTypeOf(PROC_SUPER_MAGIC), "proc");
  EXPECT_EQ(PseudoTypeOf(SYSFS_MAGIC), "sysfs");
  EXPECT_EQ(PseudoTypeOf(TMPFS_MAGIC), "");
  EXPECT_EQ(PseudoTypeOf(0), "");
}

TEST(PseudoFileSystems, AreFoundByAskingTheFile) {
  TempTree tree;
  tree.File("f");
  const UniqueFd root = tree.OpenRoot();
  EXPECT_EQ(*PseudoTypeAt(root.get(), ""), "");
  EXPECT_EQ(*PseudoTypeAt(root.get(), "f"), "");
  const UniqueFd proc(open("/proc", O_PATH | O_CLOEXEC));
  ASSERT_TRUE(proc.valid());
  EXPECT_EQ(*PseudoTypeAt(proc.get(), ""), "proc");
  EXPECT_EQ(*PseudoTypeAt(proc.get(), "stat"), "proc");
  EXPECT_EQ(PseudoTypeAt(root.get(), "none").error(), Errno(ENOENT));
}

}  // namespace
}  // namespace shuntfs
