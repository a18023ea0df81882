#include "core/device_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/sys/file_status.h"

namespace shuntfs {
namespace {

TEST(ClassifyFileSystem, KnowsLocalOnes) {
  struct Row {
    const char* type;
    IoPolicy read;
    IoPolicy write;
  };
  const Row rows[] = {
      {"ext4", IoPolicy::kFixed, IoPolicy::kPlain},
      {"xfs", IoPolicy::kFixed, IoPolicy::kFixed},
      {"btrfs", IoPolicy::kFixed, IoPolicy::kFixed},
      {"tmpfs", IoPolicy::kPlain, IoPolicy::kPlain},
      {"overlay", IoPolicy::kFixed, IoPolicy::kPlain},
  };
  for (const Row& row : rows) {
    const BackingDevice device = ClassifyFileSystem(row.type, PolicyWish::kAuto, PolicyWish::kAuto);
    EXPECT_EQ(device.read, row.read) << row.type;
    EXPECT_EQ(device.write, row.write) << row.type;
    EXPECT_EQ(device.in_memory, std::string(row.type) == "tmpfs") << row.type;
    EXPECT_FALSE(device.may_block) << row.type;
    EXPECT_FALSE(device.wants_flush) << row.type;
  }
}

TEST(ClassifyFileSystem, TakesTheOperatorsWishOnLocalOnes) {
  for (const char* type : {"ext4", "tmpfs", "xfs"}) {
    const BackingDevice fixed = ClassifyFileSystem(type, PolicyWish::kFixed, PolicyWish::kFixed);
    EXPECT_EQ(fixed.read, IoPolicy::kFixed) << type;
    EXPECT_EQ(fixed.write, IoPolicy::kFixed) << type;
    const BackingDevice mixed = ClassifyFileSystem(type, PolicyWish::kPlain, PolicyWish::kFixed);
    EXPECT_EQ(mixed.read, IoPolicy::kPlain) << type;
    EXPECT_EQ(mixed.write, IoPolicy::kFixed) << type;
  }
}

TEST(ClassifyFileSystem, TakesAllOthersForOnesThatMayBlock) {
  for (const char* type :
       {"nfs", "nfs4", "cifs", "fuse.sshfs", "fuse", "9p", "", "ext", "ext44", "EXT4"}) {
    const BackingDevice device = ClassifyFileSystem(type, PolicyWish::kPlain, PolicyWish::kPlain);
    EXPECT_TRUE(device.may_block) << type;
    EXPECT_TRUE(device.wants_flush) << type;
    EXPECT_EQ(device.read, IoPolicy::kFixed) << type;
    EXPECT_EQ(device.write, IoPolicy::kFixed) << type;
  }
}

TEST(ClassifyFileSystem, KnowsWhoseWritesOnlyACallTellsOf) {
  for (const char* type :
       {"fuse", "fuse.sshfs", "fuse.shuntfs", "fuseblk", "fuseblk.ntfs", "virtiofs"}) {
    const BackingDevice device = ClassifyFileSystem(type, PolicyWish::kAuto, PolicyWish::kAuto);
    EXPECT_TRUE(device.writes_by_call) << type;
    EXPECT_TRUE(device.may_block) << type;
  }
  for (const char* type : {"ext4", "tmpfs", "nfs4", "9p", "", "fusectl", "fuser", "virtiofs2"}) {
    EXPECT_FALSE(ClassifyFileSystem(type, PolicyWish::kAuto, PolicyWish::kAuto).writes_by_call)
        << type;
  }
}

TEST(MountTypeOf, ReadsTheMountTable) {
  const Result<FileStatus> proc = StatusAt(AT_FDCWD, "/proc/self/");
  ASSERT_TRUE(proc.ok());
  EXPECT_EQ(MountTypeOf(proc->stx_mnt_id), "proc");
  EXPECT_EQ(MountTypeOf(~uint64_t{0}), "");
}

TEST(BackingDevice, ShowsForeignNumbersApart) {
  BackingDevice own;
  EXPECT_EQ(own.ShownInode(12), 12u);
  BackingDevice foreign;
  foreign.index = 3;
  EXPECT_EQ(foreign.ShownInode(12), 12 | uint64_t{3} << 48);
}

TEST(DeviceTable, KeepsOneEntryForADevice) {
  const Result<FileStatus> proc = StatusAt(AT_FDCWD, "/proc/self/");
  ASSERT_TRUE(proc.ok());
  DeviceTable table(PolicyWish::kAuto, PolicyWish::kAuto);
  const BackingDevice* first = table.FindOrAdd(7, ~uint64_t{0});
  const BackingDevice* second = table.FindOrAdd(DeviceOf(*proc), proc->stx_mnt_id);
  EXPECT_EQ(first->index, 0u);
  EXPECT_EQ(first->dev, 7u);
  EXPECT_EQ(second->index, 1u);
  EXPECT_TRUE(second->may_block);
  EXPECT_EQ(table.FindOrAdd(7, 0), first);
  EXPECT_EQ(table.FindOrAdd(DeviceOf(*proc), 0), second);
}

TEST(DeviceTable, WhenFullTakesTheRestForWhatMayBlock) {
  DeviceTable table(PolicyWish::kAuto, PolicyWish::kAuto);
  std::set<const BackingDevice*> seen;
  const BackingDevice* last = nullptr;
  for (dev_t dev = 1; dev <= 1100; ++dev) {
    last = table.FindOrAdd(dev, ~uint64_t{0});
    ASSERT_NE(last, nullptr);
    seen.insert(last);
  }
  EXPECT_EQ(seen.size(), 1024u);
  EXPECT_TRUE(last->may_block);
  EXPECT_EQ(table.FindOrAdd(1, 0)->index, 0u);
}

TEST(DeviceTable, ManyThreadsSeeTheSameEntries) {
  constexpr dev_t kDevices = 100;
  DeviceTable table(PolicyWish::kAuto, PolicyWish::kAuto);
  std::vector<std::vector<const BackingDevice*>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([&table, &mine] {
      for (dev_t dev = 1; dev <= kDevices; ++dev)
        mine.push_back(table.FindOrAdd(dev, ~uint64_t{0}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : found) EXPECT_EQ(mine, found.front());
  for (dev_t dev = 1; dev <= kDevices; ++dev) EXPECT_EQ(found.front()[dev - 1]->dev, dev);
  EXPECT_EQ(std::set(found.front().begin(), found.front().end()).size(), kDevices);
}

}  // namespace
}  // namespace shuntfs
