// The decisions of a policy but for extended attributes.
#include "core/policy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace shuntfs {
namespace {

using abi::Opcode;

UserMap Users(const std::vector<IdRange>& ranges) { return UserMap(ranges); }
GroupMap Groups(const std::vector<IdRange>& ranges) { return GroupMap(ranges); }

FileStatus StatusWith(uint32_t uid, uint32_t gid, uint32_t mode) {
  FileStatus status{};
  status.stx_uid = uid;
  status.stx_gid = gid;
  status.stx_mode = static_cast<uint16_t>(mode);
  return status;
}

// A request that owns its payload.
class Message {
 public:
  template <typename In>
  Message(Opcode opcode, const In& in, std::string payload = {}) : Message(opcode, payload) {
    std::memcpy(request_.op_in.data(), &in, sizeof(in));
  }
  explicit Message(Opcode opcode, std::string payload = {}) : payload_(std::move(payload)) {
    request_.header.opcode = static_cast<uint32_t>(opcode);
    request_.payload = std::as_writable_bytes(std::span<char>(payload_));
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  Message& From(uint32_t uid, uint32_t gid) {
    request_.header.uid = uid;
    request_.header.gid = gid;
    return *this;
  }
  const Request& request() const { return request_; }

 private:
  std::string payload_;
  Request request_;
};

int ErrorOf(const Outcome& outcome) { return outcome.ok() ? 0 : outcome.error().value(); }

TEST(ModeRule, TakesAwayThenSets) {
  const ModeRule rule{0750, 0002};
  EXPECT_EQ(rule.Apply(S_IFREG | 04777), S_IFREG | 04752u);
  EXPECT_EQ(rule.Apply(0000), 0002u);
  EXPECT_EQ(rule.free(), 0750u);
  EXPECT_TRUE(ModeRule{}.trivial());
  EXPECT_FALSE((ModeRule{0777, 0001}.trivial()));
}

TEST(PolicyOptions, NothingToEnforceIsTold) {
  EXPECT_FALSE(PolicyOptions().any());
  PolicyOptions options;
  options.create_dir_mode.add = 02;
  EXPECT_TRUE(options.any());
}

TEST(Policy, ShowsMappedOwners) {
  PolicyOptions options;
  options.users = Users({{1000, 2000, 1}});
  const FileStatus shown = Policy(options).Shown(StatusWith(1000, 33, S_IFREG | 0640));
  EXPECT_EQ(shown.stx_uid, 2000u);
  EXPECT_EQ(shown.stx_gid, 33u);
  EXPECT_EQ(shown.stx_mode, S_IFREG | 0640);
}

TEST(Policy, AnUnknownOwnerIsNobodyWithTheRightsOfEverybody) {
  PolicyOptions options;
  options.users = Users({{1000, 2000, 1}});
  options.groups = Groups({{1000, 2000, 1}});
  const Policy policy(options);
  FileStatus shown = policy.Shown(StatusWith(0, 1000, S_IFREG | 04754));
  EXPECT_EQ(shown.stx_uid, kOverflowId);
  EXPECT_EQ(shown.stx_mode, S_IFREG | 04454);
  shown = policy.Shown(StatusWith(1000, 5, S_IFDIR | 0770));
  EXPECT_EQ(shown.stx_gid, kOverflowId);
  EXPECT_EQ(shown.stx_mode, S_IFDIR | 0700);
  shown = policy.Shown(StatusWith(5, 5, S_IFLNK | 0777));
  EXPECT_EQ(shown.stx_uid, kOverflowId);
  EXPECT_EQ(shown.stx_mode, S_IFLNK | 0777);
}

TEST(Policy, ForcesOwnersAndBits) {
  PolicyOptions options;
  options.force_user = CallerUid(33);
  options.force_group = CallerGid(34);
  options.file_mode = {0660, 0040};
  options.dir_mode = {0770, 0050};
  const Policy policy(options);
  FileStatus shown = policy.Shown(StatusWith(0, 0, S_IFREG | 04707));
  EXPECT_EQ(shown.stx_uid, 33u);
  EXPECT_EQ(shown.stx_gid, 34u);
  EXPECT_EQ(shown.stx_mode, S_IFREG | 04640);
  shown = policy.Shown(StatusWith(0, 0, S_IFDIR | 0707));
  EXPECT_EQ(shown.stx_mode, S_IFDIR | 0750);
  shown = policy.Shown(StatusWith(0, 0, S_IFLNK | 0777));
  EXPECT_EQ(shown.stx_mode, S_IFLNK | 0777) << "links have no permissions";
}

TEST(Policy, TheCallerIsMappedAndAnUnknownOneOwnsNothing) {
  PolicyOptions options;
  options.users = Users({{1000, 2000, 1}});
  options.groups = Groups({{1000, 2000, 2}});
  const Policy policy(options);
  struct Row {
    uint32_t uid;
    uint32_t gid;
    int error;
  };
  for (const Row& row : {Row{2000, 2001, 0},
                         {2000, 5, EOVERFLOW},
                         {5, 2000, EOVERFLOW},
                         {0, 2000, EOVERFLOW},
                         {kOverflowId, 2000, EOVERFLOW},
                         {2000, kOverflowId, EOVERFLOW}}) {
    Message message(Opcode::kMkdir);
    const Result<Caller> caller = policy.CallerOf(message.From(row.uid, row.gid).request());
    ASSERT_EQ(caller.ok() ? 0 : caller.error().value(), row.error) << row.uid << ":" << row.gid;
    if (!caller.ok()) continue;
    EXPECT_EQ(caller->uid, HostUid(1000));
    EXPECT_EQ(caller->gid, HostGid(1001));
  }
}

TEST(Policy, WhatIsMadeCanHaveOneOwner) {
  PolicyOptions options;
  options.create_user = HostUid(70);
  options.create_group = HostGid(71);
  Message message(Opcode::kMkdir);
  const Result<Caller> caller = Policy(options).CallerOf(message.From(5, 6).request());
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->uid, HostUid(70));
  EXPECT_EQ(caller->gid, HostGid(71));
}

TEST(Policy, EverybodyIsCheckedBySourceWhereRootIsNotRootThere) {
  PolicyOptions mapped;
  mapped.users = Users({{1000, 2000, 1}});
  PolicyOptions with_root;
  with_root.users = Users({{0, 0, 1}, {1000, 2000, 1}});
  PolicyOptions moved_root;
  moved_root.users = Users({{0, 3000, 1}, {1000, 0, 1}});
  PolicyOptions root;
  root.squash = Squash::kRoot;
  root.squash_user = HostUid(40);
  root.squash_group = HostGid(41);
  PolicyOptions all = root;
  all.squash = Squash::kAll;
  struct Row {
    const PolicyOptions& options;
    uint32_t caller;
    std::optional<uint32_t> checked_as;
  };
  const Row rows[] = {
      {mapped, 2000, 1000},
      {mapped, 0, kOverflowId},
      {mapped, kOverflowId, kOverflowId},
      {with_root, 2000, std::nullopt},
      {with_root, 777, kOverflowId},
      {with_root, 0, std::nullopt},
      {moved_root, 0, 1000},
      {moved_root, 3000, std::nullopt},
      {root, 0, 40},
      {root, 1000, 1000},
      {all, 0, 40},
      {all, 1000, 40},
  };
  for (const Row& row : rows) {
    Message lookup(Opcode::kLookup);
    const auto caller = Policy(row.options).CheckedAs(lookup.From(row.caller, 0).request());
    ASSERT_EQ(caller.has_value(), row.checked_as.has_value()) << row.caller;
    if (caller) {
      EXPECT_EQ(caller->uid.value(), *row.checked_as);
    }
    Message read(Opcode::kRead);
    EXPECT_FALSE(Policy(row.options).CheckedAs(read.From(row.caller, 0).request()))
        << "an open file's rights were checked when it was opened";
  }
  Message mkdir(Opcode::kMkdir);
  const Result<Caller> maker = Policy(all).CallerOf(mkdir.From(5, 6).request());
  ASSERT_TRUE(maker.ok());
  EXPECT_EQ(maker->uid, HostUid(40));
  EXPECT_EQ(maker->gid, HostGid(41));
}

abi::SetattrIn Change(uint32_t valid, uint32_t uid, uint32_t gid, uint32_t mode) {
  abi::SetattrIn in{};
  in.valid = valid;
  in.uid = uid;
  in.gid = gid;
  in.mode = mode;
  return in;
}

TEST(Policy, ChangesAreMappedBack) {
  PolicyOptions options;
  options.users = Users({{1000, 2000, 1}});
  options.groups = Groups({{1000, 2000, 1}});
  const Policy policy(options);
  const FileStatus known = StatusWith(1000, 1000, S_IFREG | 0644);
  const FileStatus unknown = StatusWith(5, 5, S_IFREG | 0644);
  constexpr uint32_t kOwner = abi::kSetattrUid | abi::kSetattrGid;
  const Result<abi::SetattrIn> owner = policy.ToHost(Change(kOwner, 2000, 2000, 0), unknown);
  ASSERT_TRUE(owner.ok());
  EXPECT_EQ(owner->uid, 1000u);
  EXPECT_EQ(owner->gid, 1000u);
  struct Row {
    abi::SetattrIn in;
    const FileStatus& status;
    int error;
  };
  const Row rows[] = {
      {Change(abi::kSetattrUid, 1000, 0, 0), known, EOVERFLOW},
      {Change(abi::kSetattrGid, 0, 5, 0), known, EOVERFLOW},
      {Change(abi::kSetattrUid, kOverflowId, 0, 0), known, EOVERFLOW},
      {Change(abi::kSetattrMode, 0, 0, 0600), known, 0},
      {Change(abi::kSetattrMode, 0, 0, 0600), unknown, EOVERFLOW},
      {Change(abi::kSetattrMode | kOwner, 2000, 2000, 0600), unknown, 0},
      {Change(abi::kSetattrSize, 0, 0, 0), unknown, 0},
  };
  for (const Row& row : rows) {
    const Result<abi::SetattrIn> change = policy.ToHost(row.in, row.status);
    EXPECT_EQ(change.ok() ? 0 : change.error().value(), row.error) << row.in.valid;
  }
}

TEST(Policy, AForcedOwnerCannotBeChangedAndForcedBitsStay) {
  PolicyOptions options;
  options.force_user = CallerUid(33);
  options.file_mode = {0770, 0040};
  const Policy policy(options);
  const FileStatus status = StatusWith(0, 0, S_IFREG | 0604);
  const Result<abi::SetattrIn> uid = policy.ToHost(Change(abi::kSetattrUid, 33, 0, 0), status);
  ASSERT_FALSE(uid.ok());
  EXPECT_EQ(uid.error(), Errno(EPERM));
  EXPECT_TRUE(policy.ToHost(Change(abi::kSetattrGid, 0, 7, 0), status).ok());
  // Shown is 0640; x for the owner is added, and what is not shown as it is stays.
  const Result<abi::SetattrIn> mode = policy.ToHost(Change(abi::kSetattrMode, 0, 0, 04740), status);
  ASSERT_TRUE(mode.ok());
  EXPECT_EQ(mode->mode & 07777, 04704u);
}

// With an owner that is not SRC's own, a set-id bit would give rights that nobody gave away.
TEST(Policy, OnlyWhoOwnsAFileInTheSourceSetsIdsOnIt) {
  PolicyOptions forced;
  forced.force_user = CallerUid(5);
  PolicyOptions group = forced;
  group.force_group = CallerGid(6);
  PolicyOptions mapped;
  mapped.users = Users({{1000, 5, 1}, {0, 0, 1}});
  mapped.groups = Groups({{1000, 6, 1}, {0, 0, 1}});
  struct Row {
    const PolicyOptions& options;
    uint32_t uid;
    uint32_t mode;
    FileStatus status;
    int error;
  };
  const Row rows[] = {
      {forced, 5, 0755, StatusWith(0, 0, S_IFREG | 0755), 0},
      {forced, 5, 04755, StatusWith(0, 0, S_IFREG | 0755), EPERM},
      {forced, 5, 04755, StatusWith(0, 0, S_IFREG | 04755), EPERM},
      {forced, 5, 02755, StatusWith(0, 0, S_IFREG | 0755), EPERM},
      {forced, 5, 02755, StatusWith(0, 0, S_IFDIR | 0755), 0},
      {forced, 5, 06755, StatusWith(5, 0, S_IFREG | 0755), 0},
      {forced, 0, 06755, StatusWith(5, 0, S_IFREG | 0755), 0},
      {group, 5, 02755, StatusWith(5, 0, S_IFREG | 0755), EPERM},
      {group, 5, 06755, StatusWith(5, 6, S_IFREG | 0755), 0},
      {mapped, 5, 06755, StatusWith(1000, 1000, S_IFREG | 0755), 0},
      {mapped, 5, 04755, StatusWith(1001, 1000, S_IFREG | 0755), EPERM},
      {mapped, 0, 04755, StatusWith(1000, 1000, S_IFREG | 0755), 0},
  };
  for (const Row& row : rows) {
    Message setattr(Opcode::kSetattr);
    EXPECT_EQ(ErrorOf(Policy(row.options)
                          .AdmitSetId(setattr.From(row.uid, 6).request(), row.mode, row.status)),
              row.error)
        << &row - rows;
  }
}

TEST(Policy, WhatIsMadeForSomebodyElseSetsNoIds) {
  PolicyOptions options;
  options.create_user = HostUid(7);
  const auto made = [&options](uint32_t uid, uint32_t gid, uint32_t mode) {
    Message mknod(Opcode::kMknod);
    return Policy(options).ForNew(mknod.From(uid, gid).request(), mode, 0).mode & 07777;
  };
  EXPECT_EQ(made(5, 6, S_IFREG | 06755), 0755u);
  EXPECT_EQ(made(5, 6, S_IFDIR | 02755), 02755u);
  EXPECT_EQ(made(7, 6, S_IFREG | 06755), 06755u);
  EXPECT_EQ(made(0, 0, S_IFREG | 06755), 06755u);
  options.create_group = HostGid(8);
  EXPECT_EQ(made(7, 6, S_IFREG | 06755), 0755u);
  EXPECT_EQ(made(7, 8, S_IFREG | 06755), 06755u);
  options.squash = Squash::kRoot;
  EXPECT_EQ(made(0, 0, S_IFREG | 06755), 06755u) << "the owner is the one that root is squashed to";
}

TEST(Policy, TimesAloneOfAnOpenFileAreTheKernelsOwn) {
  PolicyOptions options;
  options.squash = Squash::kAll;
  struct Row {
    uint32_t valid;
    bool checked;
  };
  for (const Row& row :
       {Row{abi::kSetattrFh | abi::kSetattrMtime, false}, Row{abi::kSetattrMtime, true},
        Row{abi::kSetattrFh | abi::kSetattrMtime | abi::kSetattrSize, true}}) {
    Message setattr(Opcode::kSetattr, Change(row.valid, 0, 0, 0));
    EXPECT_EQ(Policy(options).CheckedAs(setattr.From(5, 6).request()).has_value(), row.checked);
  }
}

TEST(Policy, GroupsHaveTheirNumbersInSource) {
  PolicyOptions options;
  options.groups = Groups({{1000, 2000, 2}});
  const gid_t here[] = {1000, 2000, 0, 2001};
  EXPECT_EQ(Policy(options).GroupsInSource(here), std::vector<gid_t>({1000, 1001}));
  EXPECT_EQ(Policy(PolicyOptions()).GroupsInSource(here).size(), 4u);
}

TEST(Policy, CallersActWithoutPrivilegeInTheirGroup) {
  PolicyOptions options;
  options.squash = Squash::kRoot;
  options.squash_group = HostGid(41);
  Message root(Opcode::kWrite);
  Message user(Opcode::kWrite);
  EXPECT_TRUE(Policy(options).ActsWithoutPrivilege(root.From(0, 0).request()));
  EXPECT_EQ(Policy(options).GroupOf(root.From(0, 0).request()), HostGid(41));
  EXPECT_TRUE(Policy(options).ActsWithoutPrivilege(user.From(5, 6).request()));
  EXPECT_FALSE(Policy(PolicyOptions()).ActsWithoutPrivilege(root.From(0, 0).request()));
  EXPECT_EQ(Policy(options).GroupOf(user.From(5, 6).request()), HostGid(6));
  PolicyOptions mapped;
  mapped.users = Users({{1000, 5, 1}});
  EXPECT_TRUE(Policy(mapped).ActsWithoutPrivilege(root.From(0, 0).request()));
  EXPECT_EQ(Policy(mapped).GroupOf(root.From(0, 0).request()), HostGid(kOverflowId));
  EXPECT_TRUE(Policy(mapped).ActsWithoutPrivilege(user.From(5, 6).request()));
}

TEST(Policy, NewFilesGetTheirBitsWhateverTheUmask) {
  PolicyOptions options;
  options.create_file_mode = {0660, 0020};
  options.create_dir_mode = {0770, 0070};
  const Policy policy(options);
  const Policy::NewMode file =
      policy.ForNew(Message(Opcode::kCreate).request(), S_IFREG | 0666, 022);
  EXPECT_EQ(file.mode & ~file.umask & 07777, 0660u);
  const Policy::NewMode directory =
      policy.ForNew(Message(Opcode::kMkdir).request(), S_IFDIR | 0777, 077);
  EXPECT_EQ(directory.mode & ~directory.umask & 07777, 0770u);
}

TEST(Policy, ReadOnlyRefusesWhatChangesAndNothingElse) {
  PolicyOptions options;
  options.read_only = true;
  const Policy policy(options);
  for (const Opcode opcode :
       {Opcode::kSetattr, Opcode::kSymlink, Opcode::kMknod, Opcode::kMkdir, Opcode::kUnlink,
        Opcode::kRmdir, Opcode::kRename, Opcode::kRename2, Opcode::kLink, Opcode::kCreate,
        Opcode::kTmpfile, Opcode::kWrite, Opcode::kSetxattr, Opcode::kRemovexattr,
        Opcode::kFallocate, Opcode::kCopyFileRange, Opcode::kCopyFileRange64}) {
    EXPECT_EQ(ErrorOf(policy.Admit(Message(opcode).request())), EROFS)
        << InfoOf(static_cast<uint32_t>(opcode)).name;
  }
  for (const Opcode opcode :
       {Opcode::kLookup,   Opcode::kForget,  Opcode::kGetattr,     Opcode::kStatx,
        Opcode::kReadlink, Opcode::kRead,    Opcode::kFlush,       Opcode::kRelease,
        Opcode::kFsync,    Opcode::kStatfs,  Opcode::kGetxattr,    Opcode::kListxattr,
        Opcode::kOpendir,  Opcode::kReaddir, Opcode::kReaddirplus, Opcode::kReleasedir,
        Opcode::kLseek,    Opcode::kSyncfs,  Opcode::kInterrupt,   Opcode::kDestroy}) {
    EXPECT_EQ(ErrorOf(policy.Admit(Message(opcode).request())), 0)
        << InfoOf(static_cast<uint32_t>(opcode)).name;
  }
  const auto open = [&policy](uint32_t flags) {
    return ErrorOf(policy.Admit(Message(Opcode::kOpen, abi::OpenIn{flags, 0}).request()));
  };
  EXPECT_EQ(open(O_RDONLY), 0);
  EXPECT_EQ(open(O_WRONLY), EROFS);
  EXPECT_EQ(open(O_RDWR), EROFS);
  EXPECT_EQ(open(O_RDONLY | O_TRUNC), EROFS);
  const auto access = [&policy](uint32_t mask) {
    return ErrorOf(policy.Admit(Message(Opcode::kAccess, abi::AccessIn{mask, 0}).request()));
  };
  EXPECT_EQ(access(R_OK), 0);
  EXPECT_EQ(access(W_OK), EROFS);
  const auto control = [&policy](uint32_t command) {
    abi::IoctlIn in{};
    in.cmd = command;
    return ErrorOf(policy.Admit(Message(Opcode::kIoctl, in).request()));
  };
  EXPECT_EQ(control(FS_IOC_GETFLAGS), 0);
  EXPECT_EQ(control(FS_IOC_SETFLAGS), EROFS);
  EXPECT_EQ(control(FS_IOC_FSSETXATTR), EROFS);
}

TEST(NamePatterns, MatchExactNamesAndPatterns) {
  const NamePatterns patterns(std::vector<std::string>{".git", "*.key", "core.[0-9]*", "a\\*b"});
  for (const char* name : {".git", "x.key", ".key", "core.7", "a*b"})
    EXPECT_TRUE(patterns.Match(name)) << name;
  for (const char* name : {".gitignore", "git", "x.keys", "core.x", "axb", "KEY.KEY"})
    EXPECT_FALSE(patterns.Match(name)) << name;
  for (const char* name : {".GIT", "x.KEY", "CORE.7", ".git"})
    EXPECT_TRUE(patterns.MatchIgnoringCase(name)) << name;
  for (const char* name : {".GITIGNORE", "x.keys", "CORE.x"})
    EXPECT_FALSE(patterns.MatchIgnoringCase(name)) << name;
  EXPECT_TRUE(NamePatterns().empty());
  // A directory keeps its own names.
  const NamePatterns dots(std::vector<std::string>{".*"});
  EXPECT_TRUE(dots.Match(".git"));
  EXPECT_FALSE(dots.Match("."));
  EXPECT_FALSE(dots.Match(".."));
}

TEST(Policy, HiddenNamesAreNotThereAndCannotBeMade) {
  using namespace std::string_literals;
  PolicyOptions options;
  options.hidden = NamePatterns(std::vector<std::string>{"secret"});
  const Policy policy(options);
  struct Row {
    Opcode opcode;
    std::string payload;
    int error;
  };
  const Row rows[] = {
      {Opcode::kLookup, "secret\0"s, ENOENT},
      {Opcode::kLookup, "secrets\0"s, 0},
      {Opcode::kUnlink, "secret\0"s, ENOENT},
      {Opcode::kRmdir, "secret\0"s, ENOENT},
      {Opcode::kCreate, "secret\0"s, EACCES},
      {Opcode::kMkdir, "secret\0"s, EACCES},
      {Opcode::kMknod, "secret\0"s, EACCES},
      {Opcode::kLink, "secret\0"s, EACCES},
      {Opcode::kSymlink, "secret\0x\0"s, EACCES},
      {Opcode::kSymlink, "x\0secret\0"s, 0},
      {Opcode::kRename, "secret\0x\0"s, ENOENT},
      {Opcode::kRename2, "x\0secret\0"s, EACCES},
      {Opcode::kRename, "x\0y\0"s, 0},
      {Opcode::kLookup, "secret"s, 0},  // no name at all: for the handler to refuse
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ErrorOf(policy.Admit(Message(row.opcode, row.payload).request())), row.error)
        << row.payload;
  }
}

}  // namespace
}  // namespace shuntfs
