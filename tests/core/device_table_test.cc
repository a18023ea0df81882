#include "core/device_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/sys/file_status.h"
#include "core/sys/mount_info.h"

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
    EXPECT_TRUE(device.zero_copy) << row.type;
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

// io_uring moves no data between the caller's pages and files without read_iter, and what a type
// that is not known has nobody can tell.
TEST(ClassifyFileSystem, ZeroCopiesOnlyWhatIsKnownToTakeIt) {
  for (const char* type : {"proc", "fusectl", "debugfs", "tracefs", "binfmt_misc", "sysfs", "fuse",
                           "fuse.sshfs", "virtiofs", "unheard-of", ""}) {
    EXPECT_FALSE(ClassifyFileSystem(type, PolicyWish::kFixed, PolicyWish::kFixed).zero_copy)
        << type;
  }
}

TEST(ClassifyFileSystem, KnowsInterfacesOfTheKernel) {
  const auto classify = [](const char* type) {
    return ClassifyFileSystem(type, PolicyWish::kAuto, PolicyWish::kAuto);
  };
  EXPECT_TRUE(classify("proc").pseudo);
  EXPECT_TRUE(classify("cgroup2").pseudo);
  EXPECT_FALSE(classify("tmpfs").pseudo);
  EXPECT_FALSE(classify("fuse.proc").pseudo);
  EXPECT_TRUE(classify("unheard-of").type_known);
  EXPECT_FALSE(classify("").type_known) << "a mount that is not in the list";
}

// A list of mounts that tests write.
class FakeMounts final : public MountInfo {
 public:
  // Mounts a file system; the number in the list is the one of the mount id.
  void Add(uint64_t mount_id, uint64_t number, unsigned minor, const std::string& type,
           const std::string& point = "/m") {
    numbers_[mount_id] = number;
    lines_.push_back({number, makedev(0, minor), "/", point, type});
    changed_ = true;
  }
  void Remove(uint64_t number) {
    std::erase_if(lines_, [number](const MountLine& line) { return line.id == number; });
    changed_ = true;
  }

  bool Changed() override { return std::exchange(changed_, false); }
  std::vector<MountLine> Read() override {
    ++reads;
    return lines_;
  }
  Result<uint64_t> NumberInList(int, const char*, uint64_t mount_id) override {
    const auto found = numbers_.find(mount_id);
    if (found == numbers_.end()) return Errno(ESTALE);
    return found->second;
  }

  uint64_t FileSystemId(int, const char*) override { return file_system_id; }
  std::string PathOf(int) override { return "/source"; }

  int reads = 0;
  uint64_t file_system_id = 0;

 private:
  std::map<uint64_t, uint64_t> numbers_;
  std::vector<MountLine> lines_;
  bool changed_ = false;
};

FileStatus StatusOn(uint64_t mount_id, unsigned minor, bool unique = true) {
  FileStatus status{};
  status.stx_mask = STATX_BASIC_STATS | (unique ? kStatxUniqueMountId : STATX_MNT_ID);
  status.stx_mnt_id = mount_id;
  status.stx_dev_minor = minor;
  return status;
}

class DeviceTableTest : public ::testing::Test {
 protected:
  DeviceTableTest() {
    mounts_.Add(kSource, 10, 1, "ext4");
    own_ = table_.AddOwn(StatusOn(kSource, 1), -1);
  }

  DeviceRef Find(const FileStatus& status) {
    const Result<DeviceRef> found = table_.Find(status, -1, "");
    return found.ok() ? *found : nullptr;
  }

  static constexpr uint64_t kSource = 1000;
  FakeMounts* const made_ = new FakeMounts;
  FakeMounts& mounts_ = *made_;
  DeviceTable table_{PolicyWish::kAuto, PolicyWish::kAuto, std::unique_ptr<MountInfo>(made_)};
  DeviceRef own_;
};

TEST_F(DeviceTableTest, KnowsItsOwn) {
  EXPECT_EQ(own_->identity, 0u);
  EXPECT_FALSE(own_->may_block);
  EXPECT_TRUE(table_.IsOf(*own_, StatusOn(kSource, 1)));
  EXPECT_FALSE(table_.IsOf(*own_, StatusOn(kSource + 1, 1)));
  EXPECT_FALSE(table_.IsOf(*own_, StatusOn(kSource, 2)));
  EXPECT_EQ(Find(StatusOn(kSource, 1)), own_);
}

TEST_F(DeviceTableTest, ARecycledDeviceNumberIsAnotherFileSystem) {
  mounts_.Add(1001, 11, 7, "tmpfs");
  const DeviceRef tmpfs = Find(StatusOn(1001, 7));
  ASSERT_NE(tmpfs, nullptr);
  EXPECT_FALSE(tmpfs->may_block);
  // The kernel gives the number in the list and the device number to the next mount.
  mounts_.Remove(11);
  mounts_.Add(1002, 11, 7, "fuse.sshfs");
  EXPECT_FALSE(table_.IsOf(*tmpfs, StatusOn(1002, 7)));
  const DeviceRef fuse = Find(StatusOn(1002, 7));
  ASSERT_NE(fuse, nullptr);
  EXPECT_TRUE(fuse->may_block);
  EXPECT_NE(fuse->id, tmpfs->id);
  EXPECT_EQ(Find(StatusOn(1002, 7)), fuse);
}

TEST_F(DeviceTableTest, ARecycledDeviceNumberOfTheSameTypeIsAnotherFileSystem) {
  mounts_.Add(1001, 11, 7, "tmpfs");
  const DeviceRef before = Find(StatusOn(1001, 7));
  mounts_.Remove(11);
  mounts_.Add(1002, 11, 7, "tmpfs");
  const DeviceRef after = Find(StatusOn(1002, 7));
  EXPECT_NE(after->id, before->id);
  EXPECT_EQ(Find(StatusOn(1001, 7))->id, before->id) << "detached, and files of it are in use";
}

TEST_F(DeviceTableTest, WithoutUniqueIdsAMountIsComparedAgainWhenTheListChanges) {
  mounts_.Add(11, 11, 7, "tmpfs");
  const DeviceRef tmpfs = Find(StatusOn(11, 7, false));
  EXPECT_FALSE(tmpfs->may_block);
  EXPECT_FALSE(table_.IsOf(*tmpfs, StatusOn(11, 7, false))) << "it may be another by now";
  EXPECT_EQ(Find(StatusOn(11, 7, false)), tmpfs);
  mounts_.Add(12, 12, 8, "tmpfs");
  EXPECT_EQ(Find(StatusOn(11, 7, false)), tmpfs) << "another mount came";
  mounts_.Remove(11);
  mounts_.Add(11, 11, 7, "fuse.sshfs");
  const DeviceRef fuse = Find(StatusOn(11, 7, false));
  EXPECT_TRUE(fuse->may_block);
  EXPECT_NE(fuse->id, tmpfs->id);
}

TEST_F(DeviceTableTest, AnotherMountOfAMountedFileSystemIsTheSame) {
  mounts_.Add(1001, 11, 7, "tmpfs");
  const DeviceRef tmpfs = Find(StatusOn(1001, 7));
  mounts_.Add(1002, 12, 7, "tmpfs");
  EXPECT_EQ(Find(StatusOn(1002, 7)), tmpfs);
  mounts_.Remove(11);
  mounts_.Add(1003, 13, 7, "tmpfs");
  EXPECT_EQ(Find(StatusOn(1003, 7)), tmpfs) << "the second mount holds it";
}

TEST_F(DeviceTableTest, AnotherMountOfTheSourceIsTheSame) {
  mounts_.Add(1001, 11, 1, "ext4");
  EXPECT_EQ(Find(StatusOn(1001, 1)), own_);
  // Even if its own mount was detached: the source is held.
  mounts_.Remove(10);
  mounts_.Add(1002, 12, 1, "ext4");
  EXPECT_EQ(Find(StatusOn(1002, 1)), own_);
}

TEST_F(DeviceTableTest, SubvolumesOfAMountAreToldApart) {
  mounts_.Add(1001, 11, 7, "btrfs");
  const DeviceRef first = Find(StatusOn(1001, 40));
  const DeviceRef second = Find(StatusOn(1001, 41));
  EXPECT_NE(first->id, second->id);
  EXPECT_EQ(first->write, IoPolicy::kFixed) << "both are btrfs";
  EXPECT_EQ(second->write, IoPolicy::kFixed);
  EXPECT_NE(first->identity, second->identity);
  EXPECT_EQ(Find(StatusOn(1001, 41)), second);
}

// As a later daemon sees them: other mount ids, device numbers and order.
TEST_F(DeviceTableTest, AnIdentityStaysTheSame) {
  mounts_.Add(1001, 11, 7, "tmpfs", "/source/a");
  mounts_.Add(1002, 12, 8, "tmpfs", "/source/b");
  const uint64_t a = Find(StatusOn(1001, 7))->identity;
  const uint64_t b = Find(StatusOn(1002, 8))->identity;
  EXPECT_NE(a, b);
  EXPECT_NE(a, 0u);
  mounts_.Remove(11);
  mounts_.Remove(12);
  mounts_.Add(1004, 11, 8, "tmpfs", "/source/b");
  mounts_.Add(1003, 12, 7, "tmpfs", "/source/a");
  EXPECT_EQ(Find(StatusOn(1004, 8))->identity, b);
  EXPECT_EQ(Find(StatusOn(1003, 7))->identity, a);
}

TEST_F(DeviceTableTest, AFileSystemWithAnIdIsKnownByItWhereverItIsMounted) {
  mounts_.file_system_id = 77;
  mounts_.Add(1001, 11, 7, "btrfs", "/source/a");
  const uint64_t a = Find(StatusOn(1001, 7))->identity;
  mounts_.Remove(11);
  mounts_.Add(1002, 12, 9, "btrfs", "/elsewhere");
  EXPECT_EQ(Find(StatusOn(1002, 9))->identity, a);
  mounts_.Add(1003, 13, 10, "btrfs", "/a copy, block by block");
  EXPECT_NE(Find(StatusOn(1003, 10))->identity, a) << "two at once never share an identity";
}

TEST_F(DeviceTableTest, AMountThatTheListLacksMayBlock) {
  EXPECT_EQ(Find(StatusOn(1001, 7)), nullptr) << "it is not there any more";
  mounts_.Add(1001, 11, 7, "tmpfs");
  mounts_.Remove(11);
  EXPECT_TRUE(Find(StatusOn(1001, 7))->may_block);
}

TEST_F(DeviceTableTest, ReadsTheListOnlyForNewMountsAfterAChange) {
  const int before = mounts_.reads;
  for (unsigned i = 0; i < 100; ++i) mounts_.Add(1001 + i, 11 + i, 7 + i, "tmpfs");
  for (unsigned round = 0; round < 3; ++round) {
    for (unsigned i = 0; i < 100; ++i) ASSERT_NE(Find(StatusOn(1001 + i, 7 + i)), nullptr);
  }
  EXPECT_EQ(mounts_.reads, before + 1);
}

TEST_F(DeviceTableTest, ForgetsMountsThatAreGone) {
  std::vector<std::weak_ptr<const BackingDevice>> seen;
  const DeviceRef in_use = [this] {
    mounts_.Add(1001, 11, 7, "tmpfs");
    return Find(StatusOn(1001, 7));
  }();
  mounts_.Remove(11);
  for (unsigned i = 1; i <= 3000; ++i) {
    mounts_.Add(2000 + i, 12, 8, i % 2 == 0 ? "tmpfs" : "fuse");
    const DeviceRef device = Find(StatusOn(2000 + i, 8));
    ASSERT_NE(device, nullptr);
    ASSERT_EQ(device->may_block, i % 2 != 0) << i;
    seen.push_back(device);
    mounts_.Remove(12);
  }
  mounts_.Add(9000, 12, 8, "tmpfs");
  ASSERT_NE(Find(StatusOn(9000, 8)), nullptr);
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& d) { return d.expired(); }));
  EXPECT_EQ(Find(StatusOn(1001, 7)), in_use);
}

TEST_F(DeviceTableTest, ManyThreadsSeeTheSameEntries) {
  constexpr unsigned kDevices = 100;
  for (unsigned i = 0; i < kDevices; ++i) mounts_.Add(1001 + i, 11 + i, 7 + i, "tmpfs");
  std::vector<std::vector<DeviceRef>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([this, &mine] {
      for (unsigned i = 0; i < kDevices; ++i) mine.push_back(Find(StatusOn(1001 + i, 7 + i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : found) EXPECT_EQ(mine, found.front());
  EXPECT_EQ(std::set(found.front().begin(), found.front().end()).size(), kDevices);
}

TEST(DeviceTable, FindsARealMount) {
  const Result<FileStatus> root = StatusAt(AT_FDCWD, "/");
  const Result<FileStatus> proc = StatusAt(AT_FDCWD, "/proc/self/");
  ASSERT_TRUE(root.ok() && proc.ok());
  DeviceTable table(PolicyWish::kAuto, PolicyWish::kAuto);
  const UniqueFd source(open("/", O_PATH | O_CLOEXEC));
  const DeviceRef own = table.AddOwn(*root, source.get());
  const Result<DeviceRef> found = table.Find(*proc, AT_FDCWD, "/proc/self/");
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE((*found)->may_block);
  EXPECT_NE((*found)->id, own->id);
  const Result<DeviceRef> again = table.Find(*root, source.get(), "");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, own);
}

TEST(ParseMountLines, TakesWhatItNeedsAndLeavesOddLinesOut) {
  const std::vector<MountLine> lines = ParseMountLines(
      "36 35 98:0 /root /mnt\\040a rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw\n"
      "37 35 0:300 / /b rw - fuse.sshfs host: rw\n"
      "x 35 0:3 / /c rw - tmpfs none rw\n"
      "38 35 0 / /d rw - tmpfs none rw\n"
      "41 35 0:4 / /f - shared:1 - proc none rw\n"
      "39 35 0:3 / /e rw shared:1\n"
      "\n"
      "40");
  const std::vector<MountLine> expected = {
      {36, makedev(98, 0), "/root", "/mnt\\040a", "ext4"},
      {37, makedev(0, 300), "/", "/b", "fuse.sshfs"},
      {41, makedev(0, 4), "/", "/f", "proc"},
  };
  EXPECT_EQ(lines, expected);
}

}  // namespace
}  // namespace shuntfs
