#include "core/open_flags.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "core/protocol/abi.h"
#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

constexpr int kAlways = O_CLOEXEC | O_NONBLOCK;

// A thread that acts as the daemon.
ThreadIdentity Identity() { return *ThreadIdentity::Adopt(/*privileged=*/false); }

TEST(BackingOpenFlags, KeepWhatMattersForTheBackingFile) {
  struct Row {
    int requested;
    int backing;
  };
  const Row rows[] = {
      {O_RDONLY, O_RDONLY},
      {O_WRONLY, O_WRONLY},
      {O_RDWR, O_RDWR},
      {O_RDWR | O_TRUNC, O_RDWR | O_TRUNC},
      {O_WRONLY | O_SYNC, O_WRONLY | O_SYNC},
      {O_WRONLY | O_DSYNC, O_WRONLY | O_DSYNC},
      {O_RDONLY | O_NOATIME, O_RDONLY | O_NOATIME},
      {O_WRONLY | O_APPEND, O_WRONLY},
      {O_RDWR | O_DIRECT, O_RDWR},
      {O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_DIRECTORY, O_RDWR},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(BackingOpenFlags(static_cast<uint32_t>(row.requested), {}, Identity()),
              row.backing | kAlways)
        << std::oct << row.requested;
  }
}

TEST(BackingOpenFlags, WritebackReadsWhatAWriteOnlyFileChangesInPart) {
  FileSystemOptions options;
  options.writeback = true;
  EXPECT_EQ(BackingOpenFlags(O_WRONLY, options, Identity()), O_RDWR | kAlways);
  EXPECT_EQ(BackingOpenFlags(O_WRONLY | O_TRUNC, options, Identity()), O_RDWR | O_TRUNC | kAlways);
  EXPECT_EQ(BackingOpenFlags(O_RDONLY, options, Identity()), O_RDONLY | kAlways);
}

TEST(BackingOpenFlags, NoatimeIsForThoseWhoMay) {
  FileSystemOptions options;
  options.noatime = true;
  options.privileged = true;
  EXPECT_EQ(BackingOpenFlags(O_RDONLY, options, Identity()), O_RDONLY | O_NOATIME | kAlways);
  options.privileged = false;
  EXPECT_EQ(BackingOpenFlags(O_RDONLY, options, Identity()), O_RDONLY | kAlways);
}

TEST(IsSynchronous, KnowsBothKinds) {
  EXPECT_TRUE(IsSynchronous(O_SYNC));
  EXPECT_TRUE(IsSynchronous(O_DSYNC));
  EXPECT_FALSE(IsSynchronous(O_RDWR | O_TRUNC | O_APPEND | O_DIRECT));
}

class DescribeOpenTest : public ::testing::Test {
 protected:
  // What the kernel is told of a file on `device` that was just opened.
  static abi::OpenOut Describe(FileSystem& fs, const BackingDevice& device, bool unchanged = false,
                               uint32_t requested = 0) {
    OpenFile file;
    file.device = std::make_shared<const BackingDevice>(device);
    const abi::OpenOut out = DescribeOpen(fs, kFile, unchanged, requested, &file);
    EndOpen(fs, file);
    return out;
  }

  static constexpr NodeId kFile{2};
  const TempTree tree_;
  BackingDevice local_;
};

TEST_F(DescribeOpenTest, SparesFlushWhereNothingNeedsIt) {
  BackingDevice remote;
  remote.wants_flush = true;
  Client plain(tree_.path());
  FileSystemOptions options = Client::Unprivileged();
  options.writeback = true;
  Client writeback(tree_.path(), options);
  EXPECT_EQ(Describe(plain.fs(), local_).open_flags,
            abi::kFopenParallelDirectWrites | abi::kFopenNoflush);
  EXPECT_EQ(Describe(writeback.fs(), local_).open_flags, abi::kFopenParallelDirectWrites);
  EXPECT_EQ(Describe(plain.fs(), remote).open_flags, abi::kFopenParallelDirectWrites);
}

TEST_F(DescribeOpenTest, KeepsTheCacheOfWhatIsUnchangedAndAsksForZeroCopyWhereThereIs) {
  FileSystemOptions options = Client::Unprivileged();
  options.zero_copy = true;
  Client client(tree_.path(), options);
  local_.zero_copy = true;
  EXPECT_EQ(Describe(client.fs(), local_, /*unchanged=*/true).open_flags,
            abi::kFopenParallelDirectWrites | abi::kFopenNoflush | abi::kFopenKeepCache |
                abi::kFopenIoUringZeroCopy);
  options.write_policy = PolicyWish::kPlain;
  Client plain(tree_.path(), options);
  EXPECT_EQ(Describe(plain.fs(), local_).open_flags & abi::kFopenIoUringZeroCopy, 0u);
}

TEST_F(DescribeOpenTest, TellsOfDirectFilesWhereTheKernelLetsThemBeMapped) {
  Client client(tree_.path());
  const auto direct = [&](uint32_t requested) {
    return Describe(client.fs(), local_, /*unchanged=*/false, requested).open_flags &
           abi::kFopenDirectIo;
  };
  EXPECT_EQ(direct(O_DIRECT), 0u);
  client.fs().OpenDirectFilesAsSuch();
  EXPECT_NE(direct(O_RDWR | O_DIRECT), 0u);
  EXPECT_EQ(direct(O_RDWR), 0u);
}

TEST_F(DescribeOpenTest, TellsOfNoDirectFilesWhereTheKernelAloneKnowsTheirLength) {
  FileSystemOptions options = Client::Unprivileged();
  options.writeback = true;
  Client client(tree_.path(), options);
  client.fs().OpenDirectFilesAsSuch();
  const abi::OpenOut out = Describe(client.fs(), local_, /*unchanged=*/false, O_RDWR | O_DIRECT);
  EXPECT_EQ(out.open_flags & abi::kFopenDirectIo, 0u);
}

TEST_F(DescribeOpenTest, LeavesFilesThatAreNotKnownToTakeThePagesOutOfZeroCopy) {
  FileSystemOptions options = Client::Unprivileged();
  options.zero_copy = true;
  Client client(tree_.path(), options);
  local_.zero_copy = false;
  EXPECT_EQ(Describe(client.fs(), local_).open_flags & abi::kFopenIoUringZeroCopy, 0u);
}

// /dev/null takes no backing files: such opens go through us, and say so.
TEST_F(DescribeOpenTest, ServesItselfWhatTheKernelDoesNotTake) {
  Client client(tree_.path());
  const UniqueFd no_device(open("/dev/null", O_RDWR | O_CLOEXEC));
  client.fs().UseBackingFiles(std::make_unique<BackingFiles>(no_device.get()));
  const abi::OpenOut out = Describe(client.fs(), local_, /*unchanged=*/true);
  EXPECT_EQ(out.backing_id, 0);
  EXPECT_EQ(out.open_flags & abi::kFopenPassthrough, 0u);
  EXPECT_NE(out.open_flags & abi::kFopenKeepCache, 0u);
}

// Lowers the limit of open descriptors as long as it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t most) {
    getrlimit(RLIMIT_NOFILE, &saved_);
    const rlimit lower{most, saved_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &saved_); }

 private:
  rlimit saved_{};
};

class OpenEvictingTest : public ::testing::Test {
 protected:
  OpenEvictingTest() {
    const FileStatus status = tree_.Status("");
    InodeTable::Options options;
    options.path_fd_limit = 10'000;
    table_ = std::make_unique<InodeTable>(tree_.OpenRoot(), status, devices_, options);
  }

  TempTree tree_;
  DeviceTable devices_{PolicyWish::kAuto, PolicyWish::kAuto};
  std::unique_ptr<InodeTable> table_;
};

TEST_F(OpenEvictingTest, GivesCachedDescriptorsBackForIt) {
  constexpr int kFiles = 100;
  for (int i = 0; i < kFiles; ++i) tree_.File("f" + std::to_string(i));
  const UniqueFd root = tree_.OpenRoot();
  const FewDescriptors few(64);
  std::vector<Inode*> inodes;
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = "f" + std::to_string(i);
    inodes.push_back(table_->Lookup(tree_.Status(name), table_->root()->device_ref(),
                                    table_->root(), name.c_str(), root.get()));
    const Result<PathFd> path = table_->Open(inodes.back());
    ASSERT_TRUE(path.ok()) << i << ": errno " << path.error().value();
  }
  const uint64_t cached = table_->path_fds();
  EXPECT_GT(cached, 1u);
  // All of those the limit leaves, which only the cached ones can make room for.
  std::vector<UniqueFd> files;
  for (uint64_t i = 0; i < cached - 1; ++i) {
    Result<UniqueFd> file =
        OpenEvicting(*table_, AT_FDCWD, tree_.At("f1").c_str(), O_RDONLY | O_CLOEXEC, 0);
    ASSERT_TRUE(file.ok()) << i << ": errno " << file.error().value();
    files.push_back(std::move(*file));
  }
  EXPECT_LT(table_->path_fds(), cached);
}

TEST_F(OpenEvictingTest, TellsWhenNothingIsLeftToGiveBack) {
  tree_.File("f");
  std::vector<UniqueFd> files;
  const FewDescriptors few(32);
  Errno error{0};
  while (files.size() < 64 && error == Errno(0)) {
    Result<UniqueFd> file =
        OpenEvicting(*table_, AT_FDCWD, tree_.At("f").c_str(), O_RDONLY | O_CLOEXEC, 0);
    if (file.ok())
      files.push_back(std::move(*file));
    else
      error = file.error();
  }
  EXPECT_EQ(error, Errno(EMFILE));
}

TEST_F(OpenEvictingTest, LeavesNoNonblockingFile) {
  tree_.File("f");
  const Result<UniqueFd> file = OpenEvicting(*table_, AT_FDCWD, tree_.At("f").c_str(),
                                             O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOATIME, 0);
  ASSERT_TRUE(file.ok());
  const int flags = fcntl(file->get(), F_GETFL);
  EXPECT_EQ(flags & O_NONBLOCK, 0);
  EXPECT_EQ(flags & O_NOATIME, O_NOATIME);
  EXPECT_EQ(fcntl(file->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(OpenEvictingTest, TellsOtherErrorsAsTheyAre) {
  const Result<UniqueFd> none =
      OpenEvicting(*table_, AT_FDCWD, tree_.At("none").c_str(), O_RDONLY, 0);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error(), Errno(ENOENT));
}

}  // namespace
}  // namespace shuntfs
