#include "daemon/mount_table.h"

#include <gtest/gtest.h>

#include <string>

#include "daemon/path_probe.h"

namespace shuntfs {
namespace {

constexpr char kTable[] =
    "21 26 0:19 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
    "40 21 0:33 / /mnt/a rw,relatime - fuse.shuntfs /src rw,user_id=1000,group_id=1000\n"
    "41 21 8:1 /sub /mnt/with\\040blank\\011tab\\134x rw master:1 propagate_from:2 - ext4 "
    "/dev/sda1 rw\n"
    "42 21 0:34 / /mnt/a rw - fuse.shuntfs /other\\040src rw,user_id=0,group_id=0,allow_other\n"
    "43 21 0:35 / /mnt/empty rw - tmpfs  rw\n";

TEST(MountTable, ReadsEveryField) {
  const MountTable table = ParseMountInfo(kTable);
  ASSERT_EQ(table.size(), 5u);
  EXPECT_EQ(table[1].major, 0u);
  EXPECT_EQ(table[1].minor, 33u);
  EXPECT_EQ(table[1].mountpoint, "/mnt/a");
  EXPECT_EQ(table[1].source, "/src");
  EXPECT_TRUE(table[1].IsShuntfs());
  EXPECT_FALSE(table[0].IsShuntfs());
}

TEST(MountTable, UndoesEscapes) {
  const MountTable table = ParseMountInfo(kTable);
  EXPECT_EQ(table[2].mountpoint, "/mnt/with blank\ttab\\x");
  EXPECT_EQ(table[3].source, "/other src");
}

TEST(MountTable, ReadsAnyNumberOfTags) {
  const MountTable table = ParseMountInfo(kTable);
  EXPECT_EQ(table[0].type, "sysfs");
  EXPECT_EQ(table[2].type, "ext4");
  EXPECT_EQ(table[4].source, "");
}

TEST(MountTable, TopmostMountIsTheLast) {
  const MountTable table = ParseMountInfo(kTable);
  ASSERT_NE(FindMount(table, "/mnt/a"), nullptr);
  EXPECT_EQ(FindMount(table, "/mnt/a")->minor, 34u);
  EXPECT_EQ(FindMount(table, "/mnt"), nullptr);
  ASSERT_NE(FindMountId(table, table[1].id), nullptr);
  EXPECT_EQ(FindMountId(table, table[1].id)->minor, 33u);
  EXPECT_EQ(FindMountId(table, 99'999), nullptr);
}

TEST(MountTable, KnowsTheOwner) {
  const MountTable table = ParseMountInfo(kTable);
  EXPECT_EQ(table[1].OwnerUid(), 1000u);
  EXPECT_EQ(table[3].OwnerUid(), 0u);
  EXPECT_EQ(table[0].OwnerUid(), std::nullopt);
}

TEST(MountTable, LeavesOutWhatIsNotALine) {
  for (const char* text : {"", "\n\n", "nonsense", "1 2 3 4 5 6 7 8 9 10",
                           "1 2 0:x / /m rw - t s o", "1 2 0:1 / /m rw shared:1 master:2 x y",
                           "1 2 0:1:2 / /m rw - t s o extra", "1 2 0:1 / /m rw -  s o extra"}) {
    EXPECT_TRUE(ParseMountInfo(text).empty()) << text;
  }
}

TEST(MountTable, ABackslashThatEscapesNothingStays) {
  const MountTable table = ParseMountInfo("1 2 0:1 / /m\\9\\77 rw - t s\\0 o");
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].mountpoint, "/m\\9\\77");
  EXPECT_EQ(table[0].source, "s\\0");
}

TEST(MountTable, ReadsTheKernelsOwn) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_NE(FindMount(*table, "/proc"), nullptr);
}

TEST(PathContains, ComparesWholeComponents) {
  EXPECT_TRUE(PathContains("/a", "/a"));
  EXPECT_TRUE(PathContains("/a", "/a/b"));
  EXPECT_TRUE(PathContains("/", "/a"));
  EXPECT_FALSE(PathContains("/a", "/ab"));
  EXPECT_FALSE(PathContains("/a/b", "/a"));
}

TEST(ResolveMountpoint, DoesNotTouchAMount) {
  // The last component does not exist, so it would fail if it were looked at.
  MountTable table(1);
  table[0].mountpoint = "/tmp/no-such-directory-of-shuntfs";
  for (const char* path :
       {"/tmp/no-such-directory-of-shuntfs", "/tmp/no-such-directory-of-shuntfs//",
        "/tmp/../tmp/./no-such-directory-of-shuntfs"}) {
    const absl::StatusOr<std::string> resolved = ResolveMountpoint(path, table);
    ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
    EXPECT_EQ(*resolved, table[0].mountpoint);
  }
  EXPECT_EQ(ResolveMountpoint(table[0].mountpoint, MountTable()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ResolveMountpoint("", table).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProbePath, TellsWhatThePathAnswers) {
  EXPECT_EQ(ProbePath("/", 10000), 0);
  EXPECT_EQ(ProbePath("/no-such-directory-of-shuntfs", 10000), ENOENT);
}

}  // namespace
}  // namespace shuntfs
