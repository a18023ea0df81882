// CREATE, TMPFILE, MKNOD, MKDIR, SYMLINK, LINK.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();
constexpr size_t kCreateReply = sizeof(abi::EntryOut) + sizeof(abi::OpenOut);

abi::CreateIn CreateArgs(int flags, mode_t mode = 0644, mode_t umask = 0) {
  return {static_cast<uint32_t>(flags), mode, umask, 0};
}

TEST(Create, MakesAndOpensTheFile) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(Answered(
      client.Send(Opcode::kCreate, kRoot, CreateArgs(O_RDWR, 0666, 027), Text("f")), kCreateReply));
  const auto entry = client.Reply<abi::EntryOut>();
  const auto open = client.Reply<abi::OpenOut>(sizeof(abi::EntryOut));
  EXPECT_EQ(tree.Status("f").stx_mode, S_IFREG | 0640);
  EXPECT_EQ(entry.attr.ino, tree.Status("f").stx_ino);
  EXPECT_EQ(client.Lookup(kRoot, "f"), entry.nodeid);
  const OpenFile* file = client.fs().handles().Find(FileHandle(open.fh));
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(pwrite(file->fd.get(), "hello", 5, 0), 5);
  EXPECT_EQ(tree.Content("f"), "hello");
  EXPECT_EQ(fcntl(file->fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_FALSE(file->synchronous);
}

TEST(Create, OfAFileThatIsThereByNowMakesTheKernelLookAgain) {
  TempTree tree;
  tree.File("f", "precious");
  tree.Symlink("/etc/shadow", "s");
  tree.Directory("d");
  Client client(tree.path());
  for (const char* name : {"f", "s", "d"}) {
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kCreate, kRoot, CreateArgs(O_RDWR | O_TRUNC), Text(name)), ESTALE))
        << name;
    EXPECT_TRUE(Refused(
        client.Send(Opcode::kCreate, kRoot, CreateArgs(O_RDWR | O_EXCL), Text(name)), EEXIST))
        << name;
  }
  EXPECT_EQ(tree.Content("f"), "precious");
  EXPECT_EQ(client.fs().handles().count(), 0u);
  EXPECT_EQ(client.fs().inodes().count(), 1u);
}

TEST(Create, KnowsASynchronousFile) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(
      Answered(client.Send(Opcode::kCreate, kRoot, CreateArgs(O_WRONLY | O_SYNC), Text("f"))));
  const auto open = client.Reply<abi::OpenOut>(sizeof(abi::EntryOut));
  EXPECT_TRUE(client.fs().handles().Find(FileHandle(open.fh))->synchronous);
}

TEST(Tmpfile, HasNoNameUntilItIsLinked) {
  TempTree tree;
  Client client(tree.path());
  const Action action =
      client.Send(Opcode::kTmpfile, kRoot, CreateArgs(O_RDWR, 0600), Text("ignored"));
  if (action.error == Errno(EOPNOTSUPP)) GTEST_SKIP() << "no O_TMPFILE on " << tree.path();
  EXPECT_TRUE(Answered(action, kCreateReply));
  const auto entry = client.Reply<abi::EntryOut>();
  EXPECT_EQ(entry.attr.nlink, 0u);
  EXPECT_EQ(entry.attr.mode, uint32_t{S_IFREG | 0600});
  while (client.fs().inodes().EvictPathFds() > 0) {
  }
  EXPECT_TRUE(client.Getattr(entry.nodeid).ok());
  EXPECT_TRUE(
      Answered(client.Send(Opcode::kLink, kRoot, abi::LinkIn{entry.nodeid}, Text("named"))));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, entry.nodeid);
  EXPECT_EQ(tree.Status("named").stx_ino, entry.attr.ino);
}

TEST(Tmpfile, WithExclCannotBeLinked) {
  TempTree tree;
  Client client(tree.path());
  const Action action =
      client.Send(Opcode::kTmpfile, kRoot, CreateArgs(O_RDWR | O_EXCL, 0600), Text("ignored"));
  if (action.error == Errno(EOPNOTSUPP)) GTEST_SKIP() << "no O_TMPFILE on " << tree.path();
  EXPECT_TRUE(Answered(action));
  const auto entry = client.Reply<abi::EntryOut>();
  EXPECT_TRUE(
      Refused(client.Send(Opcode::kLink, kRoot, abi::LinkIn{entry.nodeid}, Text("named")), ENOENT));
}

TEST(Mkdir, TakesModeAndUmask) {
  TempTree tree;
  Client client(tree.path());
  EXPECT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{01777, 022}, Text("d")),
                       sizeof(abi::EntryOut)));
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.mode, uint32_t{S_IFDIR | 01755});
  EXPECT_EQ(tree.Status("d").stx_mode, S_IFDIR | 01755);
  EXPECT_TRUE(
      Refused(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("d")), EEXIST));
}

TEST(Mkdir, TheUmaskOfOneRequestIsNotTheNextOnes) {
  TempTree tree;
  Client client(tree.path());
  client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0777, 077}, Text("a"));
  client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0777, 0}, Text("b"));
  client.Send(Opcode::kSymlink, kRoot, Text("s") + Text("t"));
  client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0777, 027}, Text("c"));
  EXPECT_EQ(tree.Status("a").stx_mode & 07777, 0700);
  EXPECT_EQ(tree.Status("b").stx_mode & 07777, 0777);
  EXPECT_EQ(tree.Status("c").stx_mode & 07777, 0750);
}

TEST(Mknod, MakesFilesPipesAndSockets) {
  TempTree tree;
  Client client(tree.path());
  for (const mode_t type : {mode_t{S_IFREG}, mode_t{S_IFIFO}, mode_t{S_IFSOCK}}) {
    const std::string name = "n" + std::to_string(type);
    EXPECT_TRUE(Answered(
        client.Send(Opcode::kMknod, kRoot, abi::MknodIn{type | 0666, 0, 022, 0}, Text(name)),
        sizeof(abi::EntryOut)));
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.mode, type | 0644);
    EXPECT_EQ(tree.Status(name).stx_mode, type | 0644);
  }
}

TEST(Mknod, DecodesDeviceNumbers) {
  TempTree tree;
  Client client(tree.path());
  // Major 259, minor 0x12345, as the kernel packs them.
  const abi::MknodIn in{S_IFBLK | 0600, 0x12310345, 0, 0};
  const Action action = client.Send(Opcode::kMknod, kRoot, in, Text("b"));
  if (action.error == Errno(EPERM)) GTEST_SKIP() << "no right to make device nodes";
  EXPECT_TRUE(Answered(action));
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.rdev, in.rdev);
  EXPECT_EQ(tree.Status("b").stx_rdev_major, 259u);
  EXPECT_EQ(tree.Status("b").stx_rdev_minor, 0x12345u);
}

TEST(Symlink, KeepsItsTargetAsItIs) {
  TempTree tree;
  Client client(tree.path());
  const std::string target = "../../no such//place/.";
  EXPECT_TRUE(Answered(client.Send(Opcode::kSymlink, kRoot, Text("s") + Text(target)),
                       sizeof(abi::EntryOut)));
  const uint64_t node = client.Reply<abi::EntryOut>().nodeid;
  const Action action = client.Send(Opcode::kReadlink, node);
  EXPECT_TRUE(Answered(action, target.size()));
  EXPECT_EQ(client.ReplyText(action.reply_bytes), target);
}

TEST(Link, IsTheSameInode) {
  TempTree tree;
  tree.File("f");
  tree.Symlink("f", "s");
  Client client(tree.path());
  const uint64_t node = client.Lookup(kRoot, "f");
  EXPECT_TRUE(Answered(client.Send(Opcode::kLink, kRoot, abi::LinkIn{node}, Text("g")),
                       sizeof(abi::EntryOut)));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, node);
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.nlink, 2u);
  EXPECT_TRUE(Refused(client.Send(Opcode::kLink, kRoot, abi::LinkIn{node}, Text("g")), EEXIST));
  // A symlink is linked itself, and not the file it names.
  const uint64_t symlink = client.Lookup(kRoot, "s");
  EXPECT_TRUE(Answered(client.Send(Opcode::kLink, kRoot, abi::LinkIn{symlink}, Text("s2"))));
  EXPECT_EQ(client.Reply<abi::EntryOut>().nodeid, symlink);
  EXPECT_EQ(tree.Status("s2").stx_mode & S_IFMT, S_IFLNK);
}

// What a caller makes belongs to the caller; needs a machine where the test may act as another
// user. In a thread of its own, since the daemon's identity cannot be given back.
TEST(Create, BelongsToTheCaller) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  TempTree tree;
  bool allowed = true;
  std::thread([&tree, &allowed] {
    allowed = ThreadIdentity::Adopt(/*privileged=*/true).ok();
    if (!allowed) return;
    Client client(tree.path(), FileSystemOptions{});
    client.SetCaller(1234, 5678);
    const Action action = client.Send(Opcode::kCreate, kRoot, CreateArgs(O_RDWR), Text("f"));
    allowed = action.error != Errno(EPERM);
    if (!allowed) return;
    EXPECT_TRUE(Answered(action));
    EXPECT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("d"))));
    EXPECT_TRUE(Answered(client.Send(Opcode::kSymlink, kRoot, Text("s") + Text("t"))));
    client.SetCaller(0, 0);
    EXPECT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("root"))));
  }).join();
  if (!allowed) GTEST_SKIP() << "this user namespace lets nobody act as user 1234";
  for (const char* name : {"f", "d", "s"}) {
    EXPECT_EQ(tree.Status(name).stx_uid, 1234u) << name;
    EXPECT_EQ(tree.Status(name).stx_gid, 5678u) << name;
  }
  EXPECT_EQ(tree.Status("root").stx_uid, 0u);
  EXPECT_EQ(tree.Status("root").stx_gid, 0u);
}

}  // namespace
}  // namespace shuntfs
