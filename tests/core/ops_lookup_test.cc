// LOOKUP, FORGET, BATCH_FORGET.
#include <gtest/gtest.h>

#include <string>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

TEST(Lookup, GivesTheEntry) {
  TempTree tree;
  tree.File("f", "12345", 0640);
  FileSystemOptions options = Client::Unprivileged();
  options.timeouts.entry = CacheTimeout::FromSeconds(7);
  options.timeouts.attr = CacheTimeout::FromSeconds(8.5);
  Client client(tree.path(), options);
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, kRoot, Text("f")), sizeof(abi::EntryOut)));
  const auto entry = client.Reply<abi::EntryOut>();
  const FileStatus status = tree.Status("f");
  EXPECT_NE(entry.nodeid, 0u);
  EXPECT_EQ(entry.attr.ino, status.stx_ino);
  EXPECT_EQ(entry.attr.size, 5u);
  EXPECT_EQ(entry.attr.mode, uint32_t{S_IFREG | 0640});
  EXPECT_EQ(entry.entry_valid, 7u);
  EXPECT_EQ(entry.attr_valid, 8u);
  EXPECT_EQ(entry.attr_valid_nsec, 500'000'000u);
}

TEST(Lookup, TakesAnyBytesAndTheLongestName) {
  TempTree tree;
  const std::string longest(255, 'n');
  const std::string odd = "\xff\x01 \n\\";
  tree.File(longest);
  tree.File(odd);
  Client client(tree.path());
  EXPECT_NE(client.Lookup(kRoot, longest), 0u);
  EXPECT_NE(client.Lookup(kRoot, odd), 0u);
}

TEST(Lookup, DoesNotFollowSymlinks) {
  TempTree tree;
  tree.Symlink("/etc", "s");
  Client client(tree.path());
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, kRoot, Text("s"))));
  const auto entry = client.Reply<abi::EntryOut>();
  EXPECT_EQ(entry.attr.mode & S_IFMT, uint32_t{S_IFLNK});
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, entry.nodeid, Text("passwd")), ENOTDIR));
}

TEST(Lookup, OfNothingCanBeRemembered) {
  TempTree tree;
  Client forgetful(tree.path());
  EXPECT_TRUE(Refused(forgetful.Send(Opcode::kLookup, kRoot, Text("none")), ENOENT));
  FileSystemOptions options = Client::Unprivileged();
  options.timeouts.negative = CacheTimeout::FromSeconds(3.5);
  Client client(tree.path(), options);
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, kRoot, Text("none")), sizeof(abi::EntryOut)));
  const auto entry = client.Reply<abi::EntryOut>();
  EXPECT_EQ(entry.nodeid, 0u);
  EXPECT_EQ(entry.entry_valid, 3u);
  EXPECT_EQ(entry.entry_valid_nsec, 500'000'000u);
  EXPECT_EQ(client.fs().inodes().count(), 1u);
}

TEST(Lookup, TimeoutsCanChangeMeanwhile) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  client.fs().SetTimeouts({CacheTimeout::FromSeconds(40.5), CacheTimeout::FromSeconds(0),
                           CacheTimeout::FromSeconds(31536000)});
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, kRoot, Text("f"))));
  EXPECT_EQ(client.Reply<abi::EntryOut>().entry_valid, 40u);
  EXPECT_EQ(client.Reply<abi::EntryOut>().entry_valid_nsec, 500'000'000u);
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr_valid, 0u);
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, kRoot, Text("none"))));
  EXPECT_EQ(client.Reply<abi::EntryOut>().entry_valid, 31536000u);
}

TEST(Lookup, CountsWhatForgetTakesBack) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  const uint64_t node = client.Lookup(kRoot, "f");
  EXPECT_EQ(client.Lookup(kRoot, "f"), node);
  EXPECT_EQ(client.Send(Opcode::kForget, node, abi::ForgetIn{1}).kind, Action::Kind::kNoReply);
  EXPECT_TRUE(client.Getattr(node).ok());
  EXPECT_EQ(client.Send(Opcode::kForget, node, abi::ForgetIn{1}).kind, Action::Kind::kNoReply);
  EXPECT_EQ(client.fs().inodes().count(), 1u);
  EXPECT_EQ(client.counters().odd_forgets.value(), 0u);
  client.Send(Opcode::kForget, node, abi::ForgetIn{1});
  EXPECT_EQ(client.counters().odd_forgets.value(), 1u);
}

// What the kernel asks for a file handle whose inode it does not have (fs/fuse/inode.c,
// fuse_get_dentry and fuse_get_parent).
TEST(Lookup, OfAHandleGivesTheInodeItselfOrItsParent) {
  TempTree tree;
  tree.Directory("d");
  tree.Directory("d/e");
  Client client(tree.path());
  const uint64_t d = client.Lookup(kRoot, "d");
  const uint64_t e = client.Lookup(d, "e");
  client.Send(Opcode::kForget, e, abi::ForgetIn{1});
  client.Send(Opcode::kForget, d, abi::ForgetIn{1});
  EXPECT_EQ(client.fs().inodes().count(), 1u);
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, e, Text(".")), sizeof(abi::EntryOut)));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, e);
  EXPECT_EQ(client.Reply<abi::EntryOut>().generation, client.fs().generation());
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.ino, tree.Status("d/e").stx_ino);
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, e, Text("..")), sizeof(abi::EntryOut)));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, d);
  EXPECT_EQ(client.fs().inodes().count(), 3u) << "both are counted";
  EXPECT_TRUE(Answered(client.Send(Opcode::kLookup, d, Text("..")), sizeof(abi::EntryOut)));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, kRoot);
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, Text("..")), ESTALE))
      << "nothing above SRC is shown";
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, e + (1ULL << 32), Text(".")), ESTALE));
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, 1ULL << 31, Text(".")), ESTALE));
}

TEST(Lookup, OfAHandleOfAFileThatIsGoneIsStale) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  const uint64_t node = client.Lookup(kRoot, "f");
  client.Send(Opcode::kForget, node, abi::ForgetIn{1});
  tree.Remove("f");
  tree.File("f");
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, node, Text(".")), ESTALE));
}

TEST(Lookup, WithoutRoomForTheReplyIsAnError) {
  TempTree tree;
  tree.File("f");
  Client client(tree.path());
  client.SetReplyRoom(sizeof(abi::EntryOut) - 1);
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, Text("f")), EIO));
}

// The root directory of the machine holds /proc, of a kind that may block.
TEST(Lookup, IntoAFileSystemThatMayBlockIsLeftToAThreadThatMay) {
  FileSystemOptions options = Client::Unprivileged();
  options.allow_pseudo_filesystems = true;
  Client client("/", options);
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kLookup, kRoot, Text("proc"))));
  client.SetMayBlock(true);
  const uint64_t proc = client.Lookup(kRoot, "proc");
  const auto shown = client.Reply<abi::EntryOut>().attr.ino;
  const Result<FileStatus> status = StatusAt(AT_FDCWD, "/proc");
  ASSERT_TRUE(status.ok());
  EXPECT_NE(shown, status->stx_ino) << "two file systems share the numbers";
  EXPECT_EQ(shown >> 31, 1u) << "32-bit programs cannot have it";
  client.SetMayBlock(false);
  EXPECT_TRUE(Offloaded(client.Send(Opcode::kLookup, proc, Text("self"))));
}

TEST(Lookup, OfAnInterfaceOfTheKernelIsRefused) {
  Client client("/");
  client.SetMayBlock(true);
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, Text("proc")), EACCES));
  EXPECT_EQ(client.fs().inodes().count(), 1u);
}

TEST(BatchForget, TakesManyBack) {
  TempTree tree;
  tree.File("f");
  tree.File("g");
  Client client(tree.path());
  const uint64_t f = client.Lookup(kRoot, "f");
  const uint64_t g = client.Lookup(kRoot, "g");
  client.Lookup(kRoot, "g");
  const std::string list = Bytes(abi::ForgetOne{f, 1}) + Bytes(abi::ForgetOne{g, 2});
  EXPECT_EQ(client.Send(Opcode::kBatchForget, 0, abi::BatchForgetIn{2, 0}, list).kind,
            Action::Kind::kNoReply);
  EXPECT_EQ(client.fs().inodes().count(), 1u);
  EXPECT_EQ(client.counters().odd_forgets.value(), 0u);
}

TEST(BatchForget, BelievesTheMessageAndNotTheCount) {
  TempTree tree;
  tree.File("f");
  tree.File("g");
  Client client(tree.path());
  const uint64_t f = client.Lookup(kRoot, "f");
  const uint64_t g = client.Lookup(kRoot, "g");
  const std::string cut = Bytes(abi::ForgetOne{f, 1}) + Bytes(abi::ForgetOne{g, 1}).substr(0, 15);
  client.Send(Opcode::kBatchForget, 0, abi::BatchForgetIn{0xffffffff, 0}, cut);
  EXPECT_EQ(client.fs().inodes().count(), 2u) << "only f was named in full";
  EXPECT_TRUE(client.Getattr(g).ok());
  client.Send(Opcode::kBatchForget, 0, abi::BatchForgetIn{0, 0}, Bytes(abi::ForgetOne{g, 1}));
  EXPECT_TRUE(client.Getattr(g).ok());
}

}  // namespace
}  // namespace shuntfs
