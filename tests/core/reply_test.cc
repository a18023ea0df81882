#include "core/reply.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

FileStatus Sample() {
  FileStatus status{};
  status.stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
  status.stx_ino = 77;
  status.stx_size = uint64_t{5} << 32;
  status.stx_blocks = 12;
  status.stx_blksize = 4096;
  status.stx_nlink = 3;
  status.stx_uid = 1000;
  status.stx_gid = 1001;
  status.stx_mode = S_IFREG | 04751;
  status.stx_atime.tv_sec = 1;
  status.stx_atime.tv_nsec = 2;
  status.stx_mtime.tv_sec = 3;
  status.stx_mtime.tv_nsec = 4;
  status.stx_ctime.tv_sec = 5;
  status.stx_ctime.tv_nsec = 6;
  status.stx_btime.tv_sec = 7;
  status.stx_btime.tv_nsec = 8;
  status.stx_attributes = STATX_ATTR_IMMUTABLE;
  status.stx_attributes_mask = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
  return status;
}

TEST(AttrOf, TakesEveryFieldOver) {
  const abi::Attr attr = AttrOf(Sample(), BackingDevice{}, nullptr);
  EXPECT_EQ(attr.ino, 77u);
  EXPECT_EQ(attr.size, uint64_t{5} << 32);
  EXPECT_EQ(attr.blocks, 12u);
  EXPECT_EQ(attr.blksize, 4096u);
  EXPECT_EQ(attr.nlink, 3u);
  EXPECT_EQ(attr.uid, 1000u);
  EXPECT_EQ(attr.gid, 1001u);
  EXPECT_EQ(attr.mode, uint32_t{S_IFREG | 04751});
  EXPECT_EQ(attr.atime, 1u);
  EXPECT_EQ(attr.atimensec, 2u);
  EXPECT_EQ(attr.mtime, 3u);
  EXPECT_EQ(attr.mtimensec, 4u);
  EXPECT_EQ(attr.ctime, 5u);
  EXPECT_EQ(attr.ctimensec, 6u);
}

TEST(AttrOf, EncodesDeviceNumbersAsTheKernelDoes) {
  struct Row {
    uint32_t major;
    uint32_t minor;
    uint32_t word;
  };
  const Row rows[] = {
      {0, 0, 0},
      {1, 3, 0x103},
      {8, 255, 0x8ff},
      {8, 256, 0x100800},
      {259, 0x12345, 0x12310345},
      {0xfff, 0xfffff, 0xffffffff},
  };
  for (const Row& row : rows) {
    FileStatus status{};
    status.stx_rdev_major = row.major;
    status.stx_rdev_minor = row.minor;
    EXPECT_EQ(AttrOf(status, BackingDevice{}, nullptr).rdev, row.word)
        << row.major << ":" << row.minor;
  }
}

TEST(AttrOf, KeepsTimesBefore1970) {
  FileStatus status{};
  status.stx_mtime.tv_sec = -2;
  status.stx_mtime.tv_nsec = 999'999'999;
  const abi::Attr attr = AttrOf(status, BackingDevice{}, nullptr);
  EXPECT_EQ(static_cast<int64_t>(attr.mtime), -2);
  EXPECT_EQ(attr.mtimensec, 999'999'999u);
}

TEST(AttrOf, ShowsNumbersOfForeignFileSystemsApart) {
  InodeNumbers numbers;
  BackingDevice foreign;
  foreign.identity = 2;
  foreign.numbers = &numbers;
  EXPECT_EQ(AttrOf(Sample(), foreign, nullptr).ino, numbers.Foreign(2, 77));
  EXPECT_EQ(StatxOf(Sample(), foreign, nullptr).ino, numbers.Foreign(2, 77));
}

TEST(StatxOf, TakesEveryFieldOver) {
  FileStatus status = Sample();
  status.stx_rdev_major = 259;
  status.stx_rdev_minor = 0x12345;
  const abi::Statx out = StatxOf(status, BackingDevice{}, nullptr);
  EXPECT_EQ(out.mask, STATX_BASIC_STATS | STATX_BTIME) << "no more than FUSE knows";
  EXPECT_EQ(out.ino, 77u);
  EXPECT_EQ(out.size, uint64_t{5} << 32);
  EXPECT_EQ(out.blocks, 12u);
  EXPECT_EQ(out.blksize, 4096u);
  EXPECT_EQ(out.nlink, 3u);
  EXPECT_EQ(out.uid, 1000u);
  EXPECT_EQ(out.gid, 1001u);
  EXPECT_EQ(out.mode, S_IFREG | 04751);
  EXPECT_EQ(out.atime.tv_sec, 1);
  EXPECT_EQ(out.atime.tv_nsec, 2u);
  EXPECT_EQ(out.mtime.tv_sec, 3);
  EXPECT_EQ(out.mtime.tv_nsec, 4u);
  EXPECT_EQ(out.ctime.tv_sec, 5);
  EXPECT_EQ(out.ctime.tv_nsec, 6u);
  EXPECT_EQ(out.btime.tv_sec, 7);
  EXPECT_EQ(out.btime.tv_nsec, 8u);
  EXPECT_EQ(out.attributes, uint64_t{STATX_ATTR_IMMUTABLE});
  EXPECT_EQ(out.attributes_mask, uint64_t{STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND});
  EXPECT_EQ(out.rdev_major, 259u);
  EXPECT_EQ(out.rdev_minor, 0x12345u);
}

TEST(EntryOf, CarriesNumberGenerationAndTimeouts) {
  TempTree tree;
  const FileStatus status = tree.Status("");
  FileSystemOptions options;
  options.timeouts = {CacheTimeout::FromSeconds(2.5), CacheTimeout::FromSeconds(0.25), {}};
  const Result<std::unique_ptr<FileSystem>> fs = FileSystem::Create(tree.OpenRoot(), options);
  const Result<std::unique_ptr<FileSystem>> other = FileSystem::Create(tree.OpenRoot(), options);
  ASSERT_TRUE(fs.ok() && other.ok());
  const abi::EntryOut entry = EntryOf(**fs, *(*fs)->inodes().root(), status);
  EXPECT_EQ(entry.nodeid, kRootNodeId.value());
  EXPECT_NE(entry.generation, 0u);
  EXPECT_NE(entry.generation, EntryOf(**other, *(*other)->inodes().root(), status).generation);
  EXPECT_EQ(entry.entry_valid, 2u);
  EXPECT_EQ(entry.entry_valid_nsec, 500'000'000u);
  EXPECT_EQ(entry.attr_valid, 0u);
  EXPECT_EQ(entry.attr_valid_nsec, 250'000'000u);
  EXPECT_EQ(entry.attr.ino, status.stx_ino);
}

TEST(CacheTimeout, SplitsSeconds) {
  EXPECT_TRUE(CacheTimeout::FromSeconds(0).zero());
  EXPECT_FALSE(CacheTimeout::FromSeconds(0.001).zero());
  const CacheTimeout day = CacheTimeout::FromSeconds(86400);
  EXPECT_EQ(day.seconds, 86400u);
  EXPECT_EQ(day.nanoseconds, 0u);
}

TEST(ReplyWith, NeverWritesBehindTheReplyArea) {
  const Result<ThreadIdentity> adopted = ThreadIdentity::Adopt(/*privileged=*/false);
  ASSERT_TRUE(adopted.ok());
  ThreadIdentity identity = *adopted;
  Counters counters;
  const Request request;
  std::vector<std::byte> area(sizeof(abi::WriteOut) + 8, std::byte{0xee});
  Call call{request, area, identity, counters};
  const Action good = ReplyWith(call, abi::WriteOut{5, 0}, 8);
  EXPECT_EQ(good.error, Errno(0));
  EXPECT_EQ(good.reply_bytes, 8 + sizeof(abi::WriteOut));
  abi::WriteOut written;
  std::memcpy(&written, area.data() + 8, sizeof(written));
  EXPECT_EQ(written.size, 5u);
  EXPECT_EQ(area[7], std::byte{0xee});
  EXPECT_EQ(ReplyWith(call, abi::WriteOut{5, 0}, 9).error, Errno(EIO));
}

}  // namespace
}  // namespace shuntfs
