// What holds for every operation: the table, names, numbers and handles that are refused, and where
// a call may not wait.
#include "core/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();
constexpr uint64_t kUnknown = 0xdead0000beef;

TEST(Dispatch, AnswersEnosysToWhatIsNotOffered) {
  TempTree tree;
  Client client(tree.path());
  for (const uint32_t opcode : {0U, 7U, 19U, abi::kOpcodeEnd, 4096U, 0xffffffffU}) {
    EXPECT_TRUE(Refused(client.Send(static_cast<Opcode>(opcode), kRoot), ENOSYS)) << opcode;
  }
  for (const Opcode opcode :
       {Opcode::kGetlk, Opcode::kSetlk, Opcode::kSetlkw, Opcode::kBmap, Opcode::kPoll,
        Opcode::kSetupmapping, Opcode::kRemovemapping, Opcode::kNotifyReply, Opcode::kInit}) {
    EXPECT_TRUE(Refused(client.Send(opcode, kRoot), ENOSYS)) << static_cast<uint32_t>(opcode);
  }
}

struct NameCase {
  std::string name;
  int error;
};

std::vector<NameCase> BadNames() {
  using namespace std::string_literals;
  return {
      {Text(""), EINVAL},
      {Text("."), EINVAL},
      {Text(".."), EINVAL},
      {Text("a/b"), EINVAL},
      {Text("/"), EINVAL},
      {Text("../x"), EINVAL},
      {Text(std::string(256, 'x')), ENAMETOOLONG},
      {"unterminated"s, EINVAL},
      {""s, EINVAL},
  };
}

TEST(Dispatch, RefusesNamesThatAreNoComponent) {
  TempTree tree;
  tree.Directory("d");
  tree.File("f");
  Client client(tree.path());
  const uint64_t file = client.Walk("f");
  for (const auto& [name, error] : BadNames()) {
    SCOPED_TRACE(::testing::PrintToString(name));
    // LOOKUP of "." and ".." is for file handles (OfAHandleGivesTheInodeItselfOrItsParent).
    if (name != Text(".") && name != Text("..")) {
      EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, name), error));
    }
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kCreate, kRoot, abi::CreateIn{O_RDWR, 0644, 0, 0}, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, name), error));
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kMknod, kRoot, abi::MknodIn{S_IFREG | 0644, 0, 0, 0}, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kSymlink, kRoot, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kLink, kRoot, abi::LinkIn{file}, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kUnlink, kRoot, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRmdir, kRoot, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRename, kRoot, abi::RenameIn{kRoot}, name), error));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRename, kRoot, abi::RenameIn{kRoot}, Text("f") + name),
                        error));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kRename2, kRoot, abi::Rename2In{kRoot, 0, 0}, Text("f") + name),
                error));
  }
  EXPECT_TRUE(tree.Exists("d") && tree.Exists("f"));
  EXPECT_EQ(tree.Status("").stx_nlink, 3u);
  EXPECT_EQ(client.fs().handles().count(), 0u);
  EXPECT_EQ(client.fs().inodes().count(), 2u);
}

TEST(Dispatch, RefusesTextThatDoesNotEnd) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(Refused(client.Send(Opcode::kSymlink, kRoot, Text("s") + "target"), EINVAL));
  EXPECT_TRUE(Refused(client.Send(Opcode::kSetxattr, kRoot, abi::SetxattrIn{}, "user.x"), EINVAL));
  EXPECT_TRUE(Refused(client.Send(Opcode::kGetxattr, kRoot, abi::GetxattrIn{}, "user.x"), EINVAL));
  EXPECT_TRUE(Refused(client.Send(Opcode::kRemovexattr, kRoot, "user.x"), EINVAL));
  EXPECT_FALSE(tree.Exists("s"));
}

TEST(Dispatch, AnswersEstaleForInodesTheKernelDoesNotHold) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  const std::string name = Text("f");
  for (const uint64_t nodeid : {uint64_t{0}, kUnknown, kRoot | uint64_t{1} << 32}) {
    SCOPED_TRACE(nodeid);
    EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, nodeid, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kGetattr, nodeid, abi::GetattrIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kStatx, nodeid, abi::StatxIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, nodeid, abi::SetattrIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kAccess, nodeid, abi::AccessIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kReadlink, nodeid), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kSymlink, nodeid, name + Text("t")), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kMknod, nodeid, abi::MknodIn{}, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kMkdir, nodeid, abi::MkdirIn{}, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kUnlink, nodeid, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRmdir, nodeid, name), ESTALE));
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kRename, nodeid, abi::RenameIn{kRoot}, name + Text("g")), ESTALE));
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kRename, kRoot, abi::RenameIn{nodeid}, name + Text("g")), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kLink, kRoot, abi::LinkIn{nodeid}, Text("g")), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, nodeid, abi::OpenIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kCreate, nodeid, abi::CreateIn{}, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kTmpfile, nodeid, abi::CreateIn{}, name), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kStatfs, nodeid), ESTALE));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kSetxattr, nodeid, abi::SetxattrIn{}, Text("user.x")), ESTALE));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kGetxattr, nodeid, abi::GetxattrIn{}, Text("user.x")), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kListxattr, nodeid, abi::GetxattrIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRemovexattr, nodeid, Text("user.x")), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kOpendir, nodeid, abi::OpenIn{}), ESTALE));
    EXPECT_TRUE(Refused(client.Send(Opcode::kReaddir, nodeid, abi::ReadIn{}), ESTALE));
  }
  EXPECT_TRUE(tree.Exists("f"));
}

TEST(Dispatch, AnswersEbadfForHandlesThatAreNotOpen) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  const uint64_t node = client.Walk("f");
  const uint64_t closed = client.Open(node, O_RDWR);
  EXPECT_TRUE(Answered(client.Send(Opcode::kRelease, node, abi::ReleaseIn{closed, 0, 0, 0}), 0));
  client.SetMayBlock(true);
  for (const uint64_t fh : {uint64_t{0}, kUnknown, closed}) {
    SCOPED_TRACE(fh);
    abi::ReadIn read{};
    read.fh = fh;
    abi::WriteIn write{};
    write.fh = fh;
    abi::CopyFileRangeIn copy{};
    copy.fh_in = fh;
    copy.fh_out = fh;
    abi::IoctlIn control{};
    control.fh = fh;
    control.cmd = FS_IOC_GETFLAGS;
    control.out_size = sizeof(long);
    EXPECT_TRUE(Refused(client.Send(Opcode::kRead, node, read), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kWrite, node, write), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kFsync, node, abi::FsyncIn{fh, 0, 0}), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kFsyncdir, kRoot, abi::FsyncIn{fh, 0, 0}), EBADF));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kFallocate, node, abi::FallocateIn{fh, 0, 1, 0, 0}), EBADF));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kLseek, node, abi::LseekIn{fh, 0, SEEK_DATA, 0}), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kCopyFileRange, node, copy), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kCopyFileRange64, node, copy), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kFlush, node, abi::FlushIn{fh, 0, 0, 0}), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kRelease, node, abi::ReleaseIn{fh, 0, 0, 0}), EBADF));
    EXPECT_TRUE(
        Refused(client.Send(Opcode::kReleasedir, kRoot, abi::ReleaseIn{fh, 0, 0, 0}), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kReaddir, kRoot, read), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kReaddirplus, kRoot, read), EBADF));
    EXPECT_TRUE(Refused(client.Send(Opcode::kIoctl, node, control), EBADF));
  }
}

TEST(Dispatch, LeavesWhatMayWaitToAThreadThatMay) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  const uint64_t node = client.Walk("f");
  const uint64_t fh = client.Open(node, O_RDWR);
  abi::CopyFileRangeIn copy{};
  copy.fh_in = fh;
  copy.fh_out = fh;
  copy.nodeid_out = node;
  EXPECT_TRUE(
      Offloaded(client.Send(Opcode::kFallocate, node, abi::FallocateIn{fh, 0, 4096, 0, 0})));
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kCopyFileRange, node, copy)));
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kCopyFileRange64, node, copy)));
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kSyncfs, kRoot, abi::SyncfsIn{})));
  EXPECT_EQ(tree.Status("f").stx_size, 0u);
}

// /proc is of no kind whose answers are known to come in bounded time.
TEST(Dispatch, CallsNothingThatMayBlockOnAServingThread) {
  FileSystemOptions options = Client::Unprivileged();
  options.allow_pseudo_filesystems = true;
  Client client("/proc/self", options);
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kLookup, kRoot, Text("status"))));
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kGetattr, kRoot, abi::GetattrIn{})));
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kOpendir, kRoot, abi::OpenIn{})));
  EXPECT_EQ(client.Send(Opcode::kForget, kRoot, abi::ForgetIn{1}).kind, Action::Kind::kNoReply);
  client.SetMayBlock(true);
  const uint64_t node = client.Lookup(kRoot, "status");
  EXPECT_TRUE(client.Getattr(node).ok());
  const uint64_t fh = client.Open(node, O_RDONLY);
  client.SetMayBlock(false);
  // A READ goes nowhere near the file before its transfer, which is told not to wait on this
  // thread.
  abi::ReadIn read{};
  read.fh = fh;
  read.size = 100;
  const Action action = client.Send(Opcode::kRead, node, read);
  ASSERT_EQ(action.kind, Action::Kind::kTransfer);
  EXPECT_TRUE(action.transfer.may_block);
  EXPECT_EQ(action.transfer.policy, IoPolicy::kFixed);
}

TEST(FinishTransfer, TellsTheKernelWhatMoved) {
  TempTree tree;
  Client client(tree.path());
  const Request request;
  std::vector<std::byte> area(64);
  const Call call{request, area, client.identity(), client.counters()};
  Transfer transfer;
  transfer.kind = Transfer::Kind::kRead;
  EXPECT_TRUE(Answered(client.fs().FinishTransfer(call, transfer, 40), 40));
  EXPECT_TRUE(Answered(client.fs().FinishTransfer(call, transfer, 0), 0));
  EXPECT_TRUE(Refused(client.fs().FinishTransfer(call, transfer, -EIO), EIO));
  transfer.kind = Transfer::Kind::kWrite;
  EXPECT_TRUE(Answered(client.fs().FinishTransfer(call, transfer, 41), sizeof(abi::WriteOut)));
  abi::WriteOut written;
  std::memcpy(&written, area.data(), sizeof(written));
  EXPECT_EQ(written.size, 41u);
  EXPECT_TRUE(Refused(client.fs().FinishTransfer(call, transfer, -ENOSPC), ENOSPC));
  transfer.kind = Transfer::Kind::kFsync;
  EXPECT_TRUE(Answered(client.fs().FinishTransfer(call, transfer, 0), 0));
}

TEST(CountReply, CountsRequestsAndErrorsByOperation) {
  Counters counters;
  Request request;
  request.header.opcode = static_cast<uint32_t>(Opcode::kOpen);
  FileSystem::CountReply(counters, request, Action::Reply(), 1000);
  FileSystem::CountReply(counters, request, Action::Error(Errno(EACCES)), 2000);
  request.header.opcode = 100'000;
  FileSystem::CountReply(counters, request, Action::Error(Errno(ENOSYS)), 4000);
  const auto& opens = counters.operations[static_cast<uint32_t>(Opcode::kOpen)];
  EXPECT_EQ(opens.count.value(), 2u);
  EXPECT_EQ(opens.errors.value(), 1u);
  uint64_t all = 0;
  for (const auto& operation : counters.operations) all += operation.count.value();
  EXPECT_EQ(all, 2u);
  EXPECT_EQ(opens.latency.sum_ns(), 3000u);
  EXPECT_EQ(counters.errnos[EACCES].value(), 1u);
  EXPECT_EQ(counters.errnos[ENOSYS].value(), 0u) << "no operation of ours";
}

TEST(CountReply, TakesBackASuccessThatWasCountedTooEarly) {
  Counters counters;
  Request request;
  request.header.opcode = static_cast<uint32_t>(Opcode::kRead);
  FileSystem::CountReply(counters, request, Action::Reply(5), 1000);
  FileSystem::UncountReply(counters, request, 1000);
  const auto& reads = counters.operations[static_cast<uint32_t>(Opcode::kRead)];
  EXPECT_EQ(reads.count.value(), 0u);
  EXPECT_EQ(reads.latency.bucket(LatencyBuckets::IndexOf(1000)), 0u);
  EXPECT_EQ(reads.latency.sum_ns(), 0u);
}

TEST(FileSystem, NeedsASource) {
  const auto fs = FileSystem::Create(UniqueFd(), {});
  ASSERT_FALSE(fs.ok());
  EXPECT_EQ(fs.error(), Errno(EBADF));
}

}  // namespace
}  // namespace shuntfs
