// Operations under a policy: what they show, whose the things they make are, what they refuse.
// Those that act as others need root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();
constexpr uint32_t kHost = 1000;  // owns files in SRC,
constexpr uint32_t kHere = 2000;  // and is this for callers
constexpr uint32_t kStray = 5;    // has no number here

FileSystemOptions Unprivileged() { return Client::Unprivileged(); }

FileSystemOptions Mapped() {
  FileSystemOptions options;
  options.policy.users = UserMap(std::vector<IdRange>{{0, 0, 1}, {kHost, kHere, 1}});
  options.policy.groups = GroupMap(std::vector<IdRange>{{0, 0, 1}, {kHost, kHere, 1}});
  return options;
}

class AsRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to act as others";
    chmod(tree_.path().c_str(), 0777);
  }
  // Serves the tree in a thread of its own, since a thread that was adopted cannot go back.
  void Serve(const FileSystemOptions& options, const std::function<void(Client&)>& body) {
    std::thread([&] {
      Client client(tree_.path(), options);
      body(client);
    }).join();
  }
  void Own(std::string_view name, uint32_t id, mode_t mode) {
    ASSERT_EQ(chown(tree_.At(name).c_str(), id, id), 0);
    ASSERT_EQ(chmod(tree_.At(name).c_str(), mode), 0);
  }
  std::string OwnerOf(std::string_view name) {
    const FileStatus status = tree_.Status(name);
    return std::to_string(status.stx_uid) + ":" + std::to_string(status.stx_gid);
  }

  TempTree tree_;
};

abi::SetattrIn Change(uint32_t valid, uint32_t uid, uint32_t gid, uint32_t mode = 0) {
  abi::SetattrIn in{};
  in.valid = valid;
  in.uid = uid;
  in.gid = gid;
  in.mode = mode;
  return in;
}

TEST_F(AsRoot, EveryAnswerShowsTheMappedOwner) {
  tree_.File("f");
  Own("f", kHost, 0640);
  Serve(Mapped(), [](Client& client) {
    const uint64_t node = client.Lookup(kRoot, "f");
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, kHere);
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.gid, kHere);
    EXPECT_EQ(client.Getattr(node)->uid, kHere);
    ASSERT_TRUE(Answered(client.Send(Opcode::kStatx, node, abi::StatxIn{})));
    EXPECT_EQ(client.Reply<abi::StatxOut>().stat.uid, kHere);
    EXPECT_EQ(client.Reply<abi::StatxOut>().stat.gid, kHere);
    abi::ReadIn in{};
    in.fh = client.OpenDirectory(kRoot);
    in.size = 4096;
    const Action listed = client.Send(Opcode::kReaddirplus, kRoot, in);
    ASSERT_TRUE(Answered(listed));
    bool seen = false;
    for (size_t at = 0; at < listed.reply_bytes;) {
      const auto entry = client.Reply<abi::DirentPlus>(at);
      if (entry.entry_out.nodeid == node) {
        seen = true;
        EXPECT_EQ(entry.entry_out.attr.uid, kHere);
      }
      at += (sizeof(entry) + entry.dirent.namelen + 7) & ~size_t{7};
    }
    EXPECT_TRUE(seen);
  });
}

TEST_F(AsRoot, WhatIsMadeBelongsToTheMappedCaller) {
  Serve(Mapped(), [this](Client& client) {
    client.SetCaller(kHere, kHere);
    const abi::CreateIn create{O_RDWR, S_IFREG | 0644, 0, 0};
    ASSERT_TRUE(Answered(client.Send(Opcode::kCreate, kRoot, create, Text("file"))));
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, kHere);
    EXPECT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("dir"))));
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, kHere);
    EXPECT_TRUE(Answered(
        client.Send(Opcode::kMknod, kRoot, abi::MknodIn{S_IFIFO | 0600, 0, 0, 0}, Text("fifo"))));
    EXPECT_TRUE(Answered(client.Send(Opcode::kSymlink, kRoot, Text("link") + Text("file"))));
    for (const char* name : {"file", "dir", "fifo", "link"})
      EXPECT_EQ(OwnerOf(name), "1000:1000") << name;
    ASSERT_TRUE(Answered(client.Send(Opcode::kTmpfile, kRoot, create, Text("ignored"))));
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, kHere);
  });
}

TEST_F(AsRoot, ACallerWithoutANumberMakesNothing) {
  Serve(Mapped(), [this](Client& client) {
    const abi::CreateIn create{O_RDWR, S_IFREG | 0644, 0, 0};
    struct Who {
      uint32_t uid, gid;
    };
    for (const Who& who : {Who{kStray, kHere}, {kHere, kStray}, {kOverflowId, kOverflowId}}) {
      client.SetCaller(who.uid, who.gid);
      EXPECT_TRUE(Refused(client.Send(Opcode::kCreate, kRoot, create, Text("a")), EOVERFLOW));
      EXPECT_TRUE(Refused(client.Send(Opcode::kTmpfile, kRoot, create, Text("a")), EOVERFLOW));
      EXPECT_TRUE(
          Refused(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("b")), EOVERFLOW));
      EXPECT_TRUE(Refused(
          client.Send(Opcode::kMknod, kRoot, abi::MknodIn{S_IFIFO | 0600, 0, 0, 0}, Text("c")),
          EOVERFLOW));
      EXPECT_TRUE(Refused(client.Send(Opcode::kSymlink, kRoot, Text("d") + Text("x")), EOVERFLOW));
    }
    for (const char* name : {"a", "b", "c", "d"}) EXPECT_FALSE(tree_.Exists(name)) << name;
    EXPECT_EQ(client.fs().handles().count(), 0u);
  });
}

TEST_F(AsRoot, OwnersAreChangedByTheirNumbersHere) {
  tree_.File("f");
  tree_.File("stray");
  Own("stray", kStray, 0644);
  Serve(Mapped(), [this](Client& client) {
    const uint64_t node = client.Lookup(kRoot, "f");
    constexpr uint32_t kOwner = abi::kSetattrUid | abi::kSetattrGid;
    ASSERT_TRUE(Answered(client.Send(Opcode::kSetattr, node, Change(kOwner, kHere, kHere))));
    EXPECT_EQ(client.Reply<abi::AttrOut>().attr.uid, kHere);
    EXPECT_EQ(OwnerOf("f"), "1000:1000");
    for (const uint32_t nobody : {kHost, kStray, kOverflowId}) {
      EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, node, Change(abi::kSetattrUid, nobody, 0)),
                          EOVERFLOW));
      EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, node, Change(abi::kSetattrGid, 0, nobody)),
                          EOVERFLOW));
    }
    EXPECT_EQ(OwnerOf("f"), "1000:1000");
    const uint64_t stray = client.Lookup(kRoot, "stray");
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, kOverflowId);
    EXPECT_EQ(client.Reply<abi::EntryOut>().attr.mode, uint32_t{S_IFREG | 0444});
    EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, stray, Change(abi::kSetattrMode, 0, 0, 0700)),
                        EOVERFLOW));
    EXPECT_EQ(tree_.Status("stray").stx_mode, S_IFREG | 0644);
  });
}

// The kernel takes 65534 for the owner of all files whose owners have no number, and lets it do
// what owners may.
TEST_F(AsRoot, ACallerWithoutANumberHasNobodysRights) {
  tree_.File("private", "secret");
  tree_.File("public", "known");
  Own("private", kStray, 0600);
  Own("public", kStray, 0644);
  Serve(Mapped(), [this](Client& client) {
    const uint64_t secret = client.Lookup(kRoot, "private");
    const uint64_t known = client.Lookup(kRoot, "public");
    client.SetCaller(kOverflowId, kOverflowId);
    EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, secret, abi::OpenIn{O_RDONLY, 0}), EACCES));
    EXPECT_TRUE(Answered(client.Send(Opcode::kOpen, known, abi::OpenIn{O_RDONLY, 0})));
    EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, known, abi::OpenIn{O_WRONLY, 0}), EACCES));
    abi::SetattrIn times{};
    times.valid = abi::kSetattrMtime;
    EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, known, times), EPERM));
    const Action set =
        client.Send(Opcode::kSetxattr, known, abi::SetxattrIn{1, 0, 0, 0}, Text("user.a") + "1");
    EXPECT_TRUE(set.error == Errno(EACCES) || set.error == Errno(EOPNOTSUPP)) << set.error.value();
    // Whoever comes next is served as before.
    client.SetCaller(kHere, kHere);
    EXPECT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("d"))));
    EXPECT_EQ(OwnerOf("d"), "1000:1000");
    EXPECT_TRUE(Answered(client.Send(Opcode::kOpen, secret, abi::OpenIn{O_RDONLY, 0})))
        << "the kernel has checked this one";
  });
}

FileSystemOptions Squashed(Squash squash) {
  FileSystemOptions options;
  options.policy.squash = squash;
  options.policy.squash_user = HostUid(kHost);
  options.policy.squash_group = HostGid(kHost);
  options.noatime = true;  // which only the owner of a file may ask for
  return options;
}

TEST_F(AsRoot, SquashedCallersHaveOneUsersRights) {
  tree_.File("private", "secret");
  tree_.File("public", "known");
  tree_.File("own");
  Own("private", 0, 0600);
  Own("public", 0, 0644);
  Own("own", kHost, 0600);
  for (const Squash squash : {Squash::kRoot, Squash::kAll}) {
    Serve(Squashed(squash), [this, squash](Client& client) {
      const uint64_t secret = client.Lookup(kRoot, "private");
      const uint64_t known = client.Lookup(kRoot, "public");
      EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, secret, abi::OpenIn{O_RDONLY, 0}), EACCES));
      EXPECT_TRUE(Answered(client.Send(Opcode::kOpen, known, abi::OpenIn{O_RDONLY, 0})));
      EXPECT_NE(client.Open(client.Lookup(kRoot, "own"), O_RDWR), 0u);
      EXPECT_NE(client.OpenDirectory(kRoot), 0u);
      EXPECT_TRUE(Refused(
          client.Send(Opcode::kSetattr, known, Change(abi::kSetattrMode, 0, 0, 0777)), EPERM));
      EXPECT_TRUE(
          Refused(client.Send(Opcode::kSetattr, known, Change(abi::kSetattrUid, kHost, 0)), EPERM));
      ASSERT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("d"))));
      EXPECT_EQ(OwnerOf("d"), "1000:1000");
      EXPECT_TRUE(Answered(client.Send(Opcode::kRmdir, kRoot, Text("d"))));
      client.SetCaller(777, 777);
      const bool all = squash == Squash::kAll;
      ASSERT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0755, 0}, Text("e"))));
      EXPECT_EQ(OwnerOf("e"), all ? "1000:1000" : "777:777");
      EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, secret, abi::OpenIn{O_RDONLY, 0}), EACCES));
    });
    tree_.Remove("e");
  }
}

TEST_F(AsRoot, WhatIsMadeCanHaveOneOwnerAndForcedBits) {
  FileSystemOptions options;
  options.policy.create_user = HostUid(kHost);
  options.policy.create_group = HostGid(1001);
  options.policy.create_file_mode = {0660, 0020};
  options.policy.create_dir_mode = {0770, 0070};
  Serve(options, [this](Client& client) {
    client.SetCaller(777, 778);
    const abi::CreateIn create{O_RDWR, S_IFREG | 0666, 022, 0};
    ASSERT_TRUE(Answered(client.Send(Opcode::kCreate, kRoot, create, Text("f"))));
    EXPECT_EQ(OwnerOf("f"), "1000:1001");
    EXPECT_EQ(tree_.Status("f").stx_mode, S_IFREG | 0660);
    ASSERT_TRUE(Answered(client.Send(Opcode::kMkdir, kRoot, abi::MkdirIn{0777, 077}, Text("d"))));
    EXPECT_EQ(tree_.Status("d").stx_mode, S_IFDIR | 0770);
    ASSERT_TRUE(Answered(
        client.Send(Opcode::kMknod, kRoot, abi::MknodIn{S_IFIFO | 0666, 0, 022, 0}, Text("p"))));
    EXPECT_EQ(tree_.Status("p").stx_mode, S_IFIFO | 0660);
  });
}

TEST(OpsPolicy, ForcedBitsAreShownAndStayOutOfChmod) {
  TempTree tree;
  tree.File("f", "", 0604);
  FileSystemOptions options = Unprivileged();
  options.policy.file_mode = {0770, 0040};
  options.policy.force_user = CallerUid(33);
  Client client(tree.path(), options);
  const uint64_t node = client.Lookup(kRoot, "f");
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.mode, uint32_t{S_IFREG | 0640});
  EXPECT_EQ(client.Reply<abi::EntryOut>().attr.uid, 33u);
  ASSERT_TRUE(Answered(client.Send(Opcode::kSetattr, node, Change(abi::kSetattrMode, 0, 0, 0740))));
  EXPECT_EQ(client.Reply<abi::AttrOut>().attr.mode, uint32_t{S_IFREG | 0740});
  EXPECT_EQ(tree.Status("f").stx_mode, S_IFREG | 0704);
  EXPECT_TRUE(Refused(client.Send(Opcode::kSetattr, node, Change(abi::kSetattrUid, 33, 0)), EPERM));
}

TEST(OpsPolicy, HiddenNamesAreInNoListing) {
  TempTree tree;
  FileSystemOptions options = Unprivileged();
  options.policy.hidden = NamePatterns(std::vector<std::string>{"*.hidden"});
  // More of them than the directory buffer holds at a time: an empty answer would be the end.
  for (int i = 0; i < 2000; ++i) tree.File(std::to_string(i) + ".hidden");
  tree.File("shown");
  Client client(tree.path(), options);
  for (const bool plus : {false, true}) {
    abi::ReadIn in{};
    in.fh = client.OpenDirectory(kRoot);
    in.size = 4096;
    std::vector<std::string> names;
    while (true) {
      const Action listed = client.Send(plus ? Opcode::kReaddirplus : Opcode::kReaddir, kRoot, in);
      ASSERT_TRUE(Answered(listed));
      if (listed.reply_bytes == 0) break;
      const size_t head = plus ? sizeof(abi::DirentPlus) : sizeof(abi::Dirent);
      for (size_t at = 0; at < listed.reply_bytes;) {
        const auto dirent = client.Reply<abi::Dirent>(at + head - sizeof(abi::Dirent));
        names.push_back(client.ReplyText(listed.reply_bytes).substr(at + head, dirent.namelen));
        in.offset = dirent.off;
        at += (head + dirent.namelen + 7) & ~size_t{7};
      }
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{".", "..", "shown"}));
  }
  EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, Text("1.hidden")), ENOENT));
  EXPECT_EQ(client.fs().inodes().count(), 2u) << "nobody was told of them";
}

// Two names of one file that differ in case alone stand for a directory that disregards case: it
// answers the same, and few file systems of the machines that run this test can be made to.
TEST(OpsPolicy, AHiddenNameIsNotReachedInAnotherCase) {
  TempTree tree;
  FileSystemOptions options = Unprivileged();
  options.policy.hidden = NamePatterns(std::vector<std::string>{"secret", "*.key"});
  tree.File("SECRET");
  tree.File("A.KEY");
  for (const auto& [from, to] : {std::pair("SECRET", "secret"), {"A.KEY", "a.key"}})
    std::filesystem::create_hard_link(tree.path() + "/" + from, tree.path() + "/" + to);
  tree.File("SHOWN.KEY");  // no other spelling leads to it
  tree.File("other");
  Client client(tree.path(), options);
  for (const char* name : {"secret", "SECRET", "A.KEY", "a.key"})
    EXPECT_TRUE(Refused(client.Send(Opcode::kLookup, kRoot, Text(name)), ENOENT)) << name;
  EXPECT_TRUE(Refused(client.Send(Opcode::kUnlink, kRoot, Text("SECRET")), ENOENT));
  abi::RenameIn in{};
  in.newdir = kRoot;
  EXPECT_TRUE(
      Refused(client.Send(Opcode::kRename, kRoot, in, Text("other") + Text("SECRET")), EACCES));
  EXPECT_TRUE(Refused(client.Send(Opcode::kRename, kRoot, in, Text("SECRET") + Text("x")), ENOENT));
  EXPECT_TRUE(Refused(client.Send(Opcode::kSymlink, kRoot, Text("A.KEY") + Text("x")), EACCES));
  for (const char* name : {"SHOWN.KEY", "other"}) EXPECT_NE(client.Lookup(kRoot, name), 0u) << name;

  abi::ReadIn read{};
  read.fh = client.OpenDirectory(kRoot);
  read.size = 4096;
  const Action listed = client.Send(Opcode::kReaddir, kRoot, read);
  ASSERT_TRUE(Answered(listed));
  const std::string listing = client.ReplyText(listed.reply_bytes);
  EXPECT_EQ(listing.find("SECRET"), std::string::npos);
  EXPECT_EQ(listing.find("A.KEY"), std::string::npos);
  EXPECT_NE(listing.find("SHOWN.KEY"), std::string::npos);
}

TEST(OpsPolicy, ReadOnlyHoldsWithoutTheKernel) {
  TempTree tree;
  tree.File("f", "content");
  FileSystemOptions options = Unprivileged();
  options.policy.read_only = true;
  Client client(tree.path(), options);
  const uint64_t node = client.Lookup(kRoot, "f");
  EXPECT_TRUE(Refused(client.Send(Opcode::kOpen, node, abi::OpenIn{O_RDWR, 0}), EROFS));
  EXPECT_TRUE(Refused(client.Send(Opcode::kUnlink, kRoot, Text("f")), EROFS));
  EXPECT_NE(client.Open(node, O_RDONLY), 0u);
  EXPECT_EQ(tree.Content("f"), "content");
}

TEST(OpsPolicy, XattrsByRule) {
  TempTree tree;
  tree.File("f");
  if (setxattr(tree.At("f").c_str(), "user.a", "1", 1, 0) != 0)
    GTEST_SKIP() << "no xattrs on " << tree.path();
  FileSystemOptions options = Unprivileged();
  options.policy.xattr = XattrRule::kNone;
  Client none(tree.path(), options);
  options.policy.xattr = XattrRule::kReadOnly;
  Client readonly(tree.path(), options);
  const auto get = [](Client& client) {
    return client.Send(Opcode::kGetxattr, client.Lookup(kRoot, "f"), abi::GetxattrIn{100, 0},
                       Text("user.a"));
  };
  const auto set = [](Client& client) {
    return client.Send(Opcode::kSetxattr, client.Lookup(kRoot, "f"), abi::SetxattrIn{1, 0, 0, 0},
                       Text("user.a") + "2");
  };
  const auto list = [](Client& client) {
    return client.Send(Opcode::kListxattr, client.Lookup(kRoot, "f"), abi::GetxattrIn{100, 0});
  };
  EXPECT_TRUE(Refused(get(none), EOPNOTSUPP));
  EXPECT_TRUE(Refused(set(none), EOPNOTSUPP));
  EXPECT_TRUE(Answered(list(none), 0));
  EXPECT_TRUE(Answered(get(readonly), 1));
  EXPECT_TRUE(Refused(set(readonly), EPERM));
  EXPECT_TRUE(Answered(list(readonly), Text("user.a").size()));
  EXPECT_TRUE(Refused(
      readonly.Send(Opcode::kRemovexattr, readonly.Lookup(kRoot, "f"), Text("user.a")), EPERM));
}

TEST(OpsPolicy, WithoutOneThereIsNone) {
  TempTree tree;
  EXPECT_EQ(Client(tree.path()).fs().policy(), nullptr);
}

}  // namespace
}  // namespace shuntfs
