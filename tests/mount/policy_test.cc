// Whose files these are, what may be done with them and which names there are, where a mount says
// otherwise than SRC.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/mount/acl.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// Alice's and Bob's files in SRC, and somebody's who is nobody here.
constexpr uid_t kAliceInSrc = 51000;
constexpr uid_t kBobInSrc = 51001;
constexpr uid_t kStranger = 51007;
constexpr uid_t kNobody = 65534;

const char kMaps[] = "map_users=0:0/51000:12345/51001:23456,map_groups=0:0/51000:12345/51001:23456";

class Policies : public Ops {
 protected:
  void SetUp() override {
    if (plain()) {
      GTEST_SKIP() << "a bind mount has no policy";
    }
    Ops::SetUp();
  }
  void TearDown() override {
    if (!plain()) {
      Ops::TearDown();
    }
  }

  // In SRC, with the same number for user and group.
  static void MakeFile(const std::string& name, uid_t owner, mode_t mode) {
    ASSERT_TRUE(WriteFile(Src(name), "content of " + name));
    ASSERT_EQ(chown(Src(name).c_str(), owner, owner), 0);
    ASSERT_EQ(chmod(Src(name).c_str(), mode), 0);
  }
  static void MakeDirectory(const std::string& name, uid_t owner, mode_t mode) {
    ASSERT_EQ(mkdir(Src(name).c_str(), 0700), 0);
    ASSERT_EQ(chown(Src(name).c_str(), owner, owner), 0);
    ASSERT_EQ(chmod(Src(name).c_str(), mode), 0);
  }
  static int Opens(const Identity& who, const std::string& name, int flags) {
    return RunAs(who, [&] { return ErrorOf(File(Mnt(name), flags).get()); });
  }
  static long SetAcl(const std::string& path, const char* name,
                     const std::vector<AclEntry>& entries) {
    const std::string value = EncodeAcl(entries);
    return setxattr(path.c_str(), name, value.data(), value.size(), 0);
  }
};

TEST_F(Policies, MapsShowOwnersAndGiveWhatIsMadeToTheirs) {
  MakeFile("alice", kAliceInSrc, 0600);
  MakeFile("bob", kBobInSrc, 0600);
  MakeDirectory("d", kAliceInSrc, 0700);
  Remount(kMaps);
  Serves("CREATE");
  Serves("MKDIR");
  EXPECT_EQ(OwnerOf(Mnt("alice")), "12345:12345");
  EXPECT_EQ(OwnerOf(Mnt("bob")), "23456:23456");
  EXPECT_EQ(Opens(kAlice, "alice", O_RDWR), 0);
  EXPECT_EQ(Opens(kAlice, "bob", O_RDONLY), EACCES);
  EXPECT_EQ(RunAs(kAlice,
                  [&] {
                    File(Mnt("d/file"), O_CREAT | O_RDWR, 0640);
                    mkdir(Mnt("d/dir").c_str(), 0750);
                    symlink("file", Mnt("d/link").c_str());
                    mkfifo(Mnt("d/fifo").c_str(), 0600);
                    const File nameless(Mnt("d"), O_TMPFILE | O_RDWR, 0600);
                    const std::string by_fd = "/proc/self/fd/" + std::to_string(nameless.get());
                    linkat(AT_FDCWD, by_fd.c_str(), AT_FDCWD, Mnt("d/tmpfile").c_str(),
                           AT_SYMLINK_FOLLOW);
                    return ErrorOf(link(Mnt("d/file").c_str(), Mnt("d/hard").c_str()));
                  }),
            0);
  for (const char* name : {"d/file", "d/dir", "d/link", "d/fifo", "d/tmpfile", "d/hard"}) {
    EXPECT_EQ(OwnerOf(Src(name)), "51000:51000") << name;
    EXPECT_EQ(OwnerOf(Mnt(name)), "12345:12345") << name;
  }
  EXPECT_EQ(ListDirectory(Mnt("d")), ListDirectory(Src("d")));
}

TEST_F(Policies, OwnersWithoutANumberAreNobody) {
  MakeFile("theirs", kStranger, 0664);
  Remount(kMaps);
  Serves("SETATTR");
  EXPECT_EQ(OwnerOf(Mnt("theirs")), "65534:65534");
  EXPECT_EQ(ModeOf(Mnt("theirs")), 0444u) << "no more than everybody has";
  EXPECT_EQ(ErrorOf(chmod(Mnt("theirs").c_str(), 0600)), EOVERFLOW);
  EXPECT_EQ(ModeOf(Src("theirs")), 0664u);
  EXPECT_EQ(ErrorOf(chown(Mnt("theirs").c_str(), kStranger, static_cast<gid_t>(-1))), EOVERFLOW);
  EXPECT_EQ(ErrorOf(chown(Mnt("theirs").c_str(), static_cast<uid_t>(-1), kNobody)), EOVERFLOW);
  EXPECT_EQ(OwnerOf(Src("theirs")), "51007:51007");
  EXPECT_EQ(ErrorOf(chown(Mnt("theirs").c_str(), kAlice.uid, kBob.gid)), 0);
  EXPECT_EQ(OwnerOf(Src("theirs")), "51000:51001");
  EXPECT_EQ(OwnerOf(Mnt("theirs")), "12345:23456");
}

TEST_F(Policies, CallersWithoutANumberMakeNothingAndHaveNobodysRights) {
  MakeFile("theirs", kStranger, 0660);
  MakeFile("open", kStranger, 0644);
  MakeDirectory("d", 0, 0777);
  Remount(kMaps);
  Serves("CREATE");
  const Identity nobody{kNobody, kNobody, {}};
  const Identity member{kAlice.uid, kAlice.gid, {kNobody}};
  for (const Identity& who : {nobody, Identity{777, 777, {}}, Identity{kAlice.uid, 777, {}}}) {
    EXPECT_EQ(Opens(who, "d/new", O_CREAT | O_RDWR), EOVERFLOW) << who.uid;
    EXPECT_EQ(RunAs(who, [&] { return ErrorOf(mkdir(Mnt("d/dir").c_str(), 0755)); }), EOVERFLOW);
    EXPECT_EQ(Opens(who, "theirs", O_RDONLY), EACCES) << who.uid;
    EXPECT_EQ(Opens(who, "open", O_RDONLY), 0) << who.uid;
    EXPECT_NE(RunAs(who, [&] { return ErrorOf(chmod(Mnt("open").c_str(), 0666)); }), 0);
    EXPECT_NE(
        RunAs(who, [&] { return ErrorOf(utimensat(AT_FDCWD, Mnt("open").c_str(), nullptr, 0)); }),
        0);
  }
  EXPECT_EQ(Opens(member, "theirs", O_RDONLY), EACCES) << "65534 is no group of theirs";
  EXPECT_TRUE(ListDirectory(Src("d")).empty());
  EXPECT_EQ(ModeOf(Src("open")), 0644u);
}

TEST_F(Policies, TheRestCanKeepItsNumbers) {
  MakeFile("alice", kAliceInSrc, 0600);
  MakeFile("theirs", kStranger, 0640);
  Remount("map_users=51000:12345/same");
  Serves("LOOKUP");
  EXPECT_EQ(OwnerOf(Mnt("alice")), "12345:51000");
  EXPECT_EQ(OwnerOf(Mnt("theirs")), "51007:51007");
  EXPECT_EQ(ModeOf(Mnt("theirs")), 0640u);
}

TEST_F(Policies, AclsAreMappedBothWays) {
  MakeFile("f", kAliceInSrc, 0640);
  ASSERT_EQ(SetAcl(Src("f"), kAccessAcl,
                   {{AclTag::kUserObject, 6},
                    {AclTag::kUser, 4, kBobInSrc},
                    {AclTag::kGroupObject, 0},
                    {AclTag::kMask, 4},
                    {AclTag::kOther, 0}}),
            0);
  Remount(kMaps);
  Serves("GETXATTR");
  Serves("SETXATTR");
  const std::vector<AclEntry> here = {{AclTag::kUserObject, 6},
                                      {AclTag::kUser, 4, kBob.uid},
                                      {AclTag::kGroupObject, 0},
                                      {AclTag::kMask, 4},
                                      {AclTag::kOther, 0}};
  EXPECT_TRUE(Xattr(Mnt("f"), kAccessAcl) == EncodeAcl(here));
  EXPECT_EQ(Opens(kBob, "f", O_RDONLY), 0);
  EXPECT_EQ(Opens(kBob, "f", O_RDWR), EACCES);
  EXPECT_EQ(Opens({kBobInSrc, kBobInSrc, {}}, "f", O_RDONLY), EACCES);
  // Written back, and with an entry more.
  std::vector<AclEntry> more = here;
  more.insert(more.begin() + 3, {AclTag::kGroup, 4, kAlice.gid});
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(SetAcl(Mnt("f"), kAccessAcl, more)); }), 0);
  EXPECT_TRUE(Xattr(Mnt("f"), kAccessAcl) == EncodeAcl(more));
  more[1].id = kBobInSrc;
  more[3].id = kAliceInSrc;
  EXPECT_TRUE(Xattr(Src("f"), kAccessAcl) == EncodeAcl(more));
  more[1].id = kStranger;
  EXPECT_EQ(ErrorOf(SetAcl(Mnt("f"), kAccessAcl, more)), EOVERFLOW);
}

TEST_F(Policies, DefaultAclsAreInheritedByWhatCallersMake) {
  MakeDirectory("d", kAliceInSrc, 0700);
  Remount(kMaps);
  Serves("SETXATTR");
  const std::vector<AclEntry> acl = {{AclTag::kUserObject, 7},
                                     {AclTag::kUser, 6, kBob.uid},
                                     {AclTag::kGroupObject, 0},
                                     {AclTag::kMask, 7},
                                     {AclTag::kOther, 1}};
  ASSERT_EQ(SetAcl(Mnt("d"), kDefaultAcl, acl), 0);
  ASSERT_EQ(chmod(Mnt("d").c_str(), 0711), 0);
  EXPECT_EQ(Opens(kAlice, "d/f", O_CREAT | O_RDWR), 0);
  EXPECT_EQ(Opens(kBob, "d/f", O_RDWR), EACCES) << "made with mode 644: the mask has no w";
  EXPECT_EQ(Opens(kBob, "d/f", O_RDONLY), 0);
  EXPECT_EQ(OwnerOf(Src("d/f")), "51000:51000");
}

TEST_F(Policies, ForcedOwnersAndBits) {
  MakeFile("f", kStranger, 0604);
  MakeDirectory("d", kStranger, 0700);
  MakeDirectory("all", 0, 0777);
  ASSERT_EQ(symlink("f", Src("link").c_str()), 0);
  Remount("force_user=12345,force_group=12345,file_mode=770:060,dir_mode=750:050");
  Serves("SETATTR");
  for (const char* name : {"f", "d", "link"}) {
    EXPECT_EQ(OwnerOf(Mnt(name)), "12345:12345") << name;
  }
  EXPECT_EQ(ModeOf(Mnt("f")), 0660u);
  EXPECT_EQ(ModeOf(Mnt("d")), 0750u);
  EXPECT_EQ(Opens(kAlice, "f", O_RDWR), 0);
  EXPECT_EQ(Opens({kBob.uid, kBob.gid, {kAlice.gid}}, "f", O_RDWR), 0);
  EXPECT_EQ(Opens(kBob, "f", O_RDONLY), EACCES);
  EXPECT_EQ(RunAs(kAlice, [&] { return ErrorOf(chmod(Mnt("f").c_str(), 0740)); }), 0);
  EXPECT_EQ(ModeOf(Src("f")), 0704u) << "what is not shown as it is stays";
  EXPECT_EQ(ErrorOf(chown(Mnt("f").c_str(), kBob.uid, static_cast<gid_t>(-1))), EPERM);
  EXPECT_EQ(ErrorOf(chown(Mnt("f").c_str(), static_cast<uid_t>(-1), kBob.gid)), EPERM);
  EXPECT_EQ(OwnerOf(Src("f")), "51007:51007");
  EXPECT_EQ(Opens({kBob.uid, kBob.gid, {kAlice.gid}}, "all/f", O_CREAT | O_RDWR), EACCES)
      << "write was taken from the group";
}

TEST_F(Policies, WhatIsMadeHasOneOwnerAndItsBits) {
  MakeDirectory("d", 0, 0777);
  Remount("create_user=51000,create_group=51001,create_file_mode=660:020,create_dir_mode=770:070");
  Serves("CREATE");
  EXPECT_EQ(RunAs(kAlice,
                  [&] {
                    umask(077);
                    mkdir(Mnt("d/dir").c_str(), 0777);
                    return ErrorOf(File(Mnt("d/f"), O_CREAT | O_RDWR, 0666).get());
                  }),
            0);
  for (const char* name : {"d/dir", "d/f"}) {
    EXPECT_EQ(OwnerOf(Src(name)), "51000:51001") << name;
  }
  EXPECT_EQ(ModeOf(Src("d/f")), 0620u);
  EXPECT_EQ(ModeOf(Src("d/dir")), 0770u);
}

TEST_F(Policies, RootIsSquashed) {
  MakeFile("secret", 0, 0600);
  MakeFile("own", kAliceInSrc, 0600);
  MakeDirectory("d", 0, 0777);
  Remount(
      "squash=root,squash_user=51000,squash_group=51000,noatime,attr_timeout=0,entry_timeout=0");
  Serves("OPEN");
  EXPECT_EQ(ErrorOf(File(Mnt("secret"), O_RDONLY).get()), EACCES);
  EXPECT_EQ(ErrorOf(chown(Mnt("own").c_str(), 0, 0)), EPERM);
  EXPECT_EQ(ErrorOf(chmod(Mnt("secret").c_str(), 0666)), EPERM);
  EXPECT_EQ(ReadFile(Mnt("own")), "content of own");
  EXPECT_TRUE(WriteFile(Mnt("d/f"), "x"));
  EXPECT_EQ(OwnerOf(Src("d/f")), "51000:51000");
  EXPECT_EQ(Opens(kBob, "d/g", O_CREAT | O_RDWR), 0);
  EXPECT_EQ(OwnerOf(Src("d/g")), "23456:23456");
  EXPECT_EQ(ErrorOf(unlink(Mnt("d/g").c_str())), 0) << "the directory is everybody's";
}

// Of root's privileges nothing is left: not those for files alone, but every one.
TEST_F(Policies, SquashedRootHasNoCapability) {
  MakeFile("own", kAliceInSrc, 0600);
  for (const char* name : {"written", "truncated", "allocated", "opened"})
    MakeFile(name, kAliceInSrc, 04755);
  Remount("squash=root,squash_user=51000,squash_group=51000");
  Serves("SETXATTR");
  for (const char* name : {"trusted.t", "security.t"}) {
    EXPECT_EQ(ErrorOf(setxattr(Mnt("own").c_str(), name, "v", 1, 0)), EPERM) << name;
  }
  // linux/capability.h, struct vfs_cap_data: revision 2, no capability.
  const char no_capability[20] = {0, 0, 0, 2};
  EXPECT_EQ(ErrorOf(setxattr(Mnt("own").c_str(), "security.capability", no_capability,
                             sizeof(no_capability), 0)),
            EPERM);
  for (const char* name : {"trusted.t", "security.capability"}) {
    char value[32];
    EXPECT_EQ(ErrorOf(getxattr(Src("own").c_str(), name, value, sizeof(value))), ENODATA) << name;
  }
  ASSERT_EQ(truncate(Mnt("truncated").c_str(), 1), 0);
  EXPECT_EQ(ModeOf(Src("truncated")), 0755u);
  const File opened(Mnt("opened"), O_WRONLY | O_TRUNC);
  EXPECT_EQ(ModeOf(Src("opened")), 0755u);
  const File allocated(Mnt("allocated"), O_WRONLY);
  ASSERT_EQ(fallocate(allocated.get(), 0, 0, 8192), 0);
  EXPECT_EQ(ModeOf(Src("allocated")), 0755u);
  if (Config().mode == Mode::kKernel) return;  // what is written does not come to the daemon
  ASSERT_TRUE(WriteAt(File(Mnt("written"), O_WRONLY).get(), "x", 0));
  EXPECT_EQ(ModeOf(Src("written")), 0755u);
}

// The kernel honours capabilities that a process has without being root.
TEST_F(Policies, CapabilitiesWithoutRootCountForNothing) {
  const Identity keeper{kAlice.uid, kAlice.gid, {}, Capabilities::kAll};
  for (const char* options :
       {"squash=root", "map_users=12345:12345,map_groups=12345:12345",
        "squash=root,create_user=12345", "map_users=12345:12345/1000:0,map_groups=12345:12345"}) {
    SCOPED_TRACE(options);
    MakeFile("secret", 0, 0600);
    MakeFile("own", kAlice.uid, 0600);
    MakeDirectory("closed", 0, 0755);
    MakeFile("closed/f", 0, 0644);
    Remount(std::string(options) + ",entry_timeout=0,attr_timeout=0");
    Serves("OPEN");
    EXPECT_EQ(Opens(keeper, "secret", O_RDONLY), EACCES);
    EXPECT_EQ(Opens(keeper, "secret", O_RDWR), EACCES);
    EXPECT_EQ(Opens(keeper, "closed/new", O_CREAT | O_RDWR), EACCES);
    EXPECT_EQ(RunAs(keeper, [] { return ErrorOf(mkdir(Mnt("closed/d").c_str(), 0755)); }), EACCES);
    EXPECT_EQ(RunAs(keeper, [] { return ErrorOf(unlink(Mnt("closed/f").c_str())); }), EACCES);
    EXPECT_EQ(RunAs(keeper, [] { return ErrorOf(truncate(Mnt("closed/f").c_str(), 0)); }), EACCES);
    EXPECT_NE(
        RunAs(keeper, [] { return ErrorOf(chown(Mnt("secret").c_str(), kAlice.uid, kAlice.gid)); }),
        0);
    EXPECT_NE(RunAs(keeper, [] { return ErrorOf(chmod(Mnt("secret").c_str(), 0666)); }), 0);
    EXPECT_EQ(
        RunAs(keeper, [] { return ErrorOf(setxattr(Mnt("own").c_str(), "trusted.t", "v", 1, 0)); }),
        EPERM);
    EXPECT_EQ(Opens(keeper, "own", O_RDWR), 0);
    EXPECT_EQ(OwnerOf(Src("secret")), "0:0");
    EXPECT_EQ(ModeOf(Src("secret")), 0600u);
    std::filesystem::remove_all(Src("closed"));
  }
}

// What a policy takes from privileges it leaves to groups.
TEST_F(Policies, GroupsCountWhereTheSourceChecks) {
  constexpr gid_t kTeam = 61000;
  std::vector<gid_t> many;
  for (gid_t group = 61300; group > kTeam; --group) many.push_back(group);
  many.push_back(kTeam);
  const Identity member{kAlice.uid, kAlice.gid, {kTeam}};
  const Identity in_many{kAlice.uid, kAlice.gid, many};
  MakeFile("shared", 0, 0660);
  ASSERT_EQ(chown(Src("shared").c_str(), 0, kTeam), 0);
  MakeFile("denied", 0, 0604);
  ASSERT_EQ(chown(Src("denied").c_str(), 0, kTeam), 0);
  MakeDirectory("team", 0, 0770);
  ASSERT_EQ(chown(Src("team").c_str(), 0, kTeam), 0);
  MakeFile("own", kAlice.uid, 0600);
  Remount("squash=root,entry_timeout=0,attr_timeout=0");
  Serves("OPEN");
  Serves("CREATE");
  for (const Identity& who : {member, in_many}) {
    EXPECT_EQ(Opens(who, "shared", O_RDWR), 0);
    EXPECT_EQ(Opens(who, "denied", O_RDONLY), EACCES) << "the group class has no bit";
    EXPECT_EQ(Opens(who, "team/f", O_CREAT | O_RDWR), 0);
    EXPECT_EQ(OwnerOf(Src("team/f")), "12345:12345");
    EXPECT_EQ(RunAs(who, [] { return ErrorOf(chown(Mnt("own").c_str(), kAlice.uid, kTeam)); }), 0);
    EXPECT_EQ(OwnerOf(Src("own")), "12345:61000");
    EXPECT_EQ(RunAs(who,
                    [] {
                      const File file(Mnt("shared"), O_RDWR);
                      return ErrorOf(ftruncate(file.get(), 3));
                    }),
              0)
        << "no owner";
    EXPECT_EQ(RunAs(who, [] { return ErrorOf(unlink(Mnt("team/f").c_str())); }), 0);
  }
  const Identity kept{kAlice.uid, kAlice.gid, {kTeam}, Capabilities::kAll};
  EXPECT_EQ(Opens(kept, "denied", O_RDONLY), EACCES);
  EXPECT_EQ(Opens(kAlice, "shared", O_RDONLY), EACCES);
  EXPECT_EQ(Opens(kAlice, "team/f", O_CREAT | O_RDWR), EACCES);
  Remount("map_users=12345:12345,map_groups=12345:12345/61000:700");
  const Identity mapped{kAlice.uid, kAlice.gid, {700}};
  EXPECT_EQ(Opens(mapped, "shared", O_RDWR), 0);
  EXPECT_EQ(Opens(member, "shared", O_RDWR), EACCES) << "61000 is no group of SRC's here";
}

// What was opened stays open, and the kernel's own writing back needs no rights.
TEST_F(Policies, RightsAreCheckedWhenAFileIsOpened) {
  MakeFile("f", kAlice.uid, 0666);
  MakeFile("own", kBob.uid, 0600);
  const auto changes = [](const std::string& name, int last_mode) {
    const File file(Mnt(name), O_RDWR);
    if (!file.ok()) return 1;
    if (last_mode != 0 && fchmod(file.get(), static_cast<mode_t>(last_mode)) != 0) return 2;
    if (!WriteAt(file.get(), "written", 0)) return 3;
    if (fsync(file.get()) != 0) return 4;
    if (ftruncate(file.get(), 4) != 0) return 5;
    return ReadAt(file.get(), 4, 0) == "writ" ? 0 : 6;
  };
  const std::string modes[] = {"squash=root", "squash=root,writeback"};
  for (const std::string& options : modes) {
    if (Config().mode == Mode::kKernel && options != modes[0]) continue;  // one or the other
    SCOPED_TRACE(options);
    Remount(options);
    Serves("SETATTR");
    EXPECT_EQ(RunAs(kBob, [&] { return changes("f", 0); }), 0) << "who need not own the file";
    ASSERT_EQ(chmod(Src("own").c_str(), 0600), 0);
    EXPECT_EQ(RunAs(kBob, [&] { return changes("own", 0400); }), 0);
    EXPECT_EQ(ReadFile(Src("f")), "writ");
  }
}

// Rights are the caller's, and owner is who the policy says.
TEST_F(Policies, MakersForAnotherNeedTheirOwnRights) {
  MakeDirectory("open", 0, 0777);
  MakeDirectory("closed", 0, 0755);
  Remount("squash=root,create_user=51000,create_group=51001");
  Serves("CREATE");
  EXPECT_EQ(Opens(kAlice, "open/f", O_CREAT | O_RDWR), 0);
  EXPECT_EQ(OwnerOf(Src("open/f")), "51000:51001");
  EXPECT_EQ(Opens(kAlice, "closed/f", O_CREAT | O_RDWR), EACCES);
  EXPECT_EQ(Opens(kRoot, "open/root", O_CREAT | O_RDWR), 0);
  EXPECT_EQ(OwnerOf(Src("open/root")), "65534:65534");
}

TEST_F(Policies, CallersWithoutANumberHaveNoCapability) {
  MakeFile("open", kStranger, 04777);
  Remount("map_users=51000:12345,map_groups=51000:12345");
  Serves("SETXATTR");
  for (const char* name : {"trusted.t", "security.t"}) {
    EXPECT_NE(ErrorOf(setxattr(Mnt("open").c_str(), name, "v", 1, 0)), 0) << name;
  }
  ASSERT_EQ(truncate(Mnt("open").c_str(), 1), 0);
  EXPECT_EQ(ModeOf(Src("open")), 0777u);
}

// Nobody gets, by an owner that the mount invents, a program that runs as that owner.
TEST_F(Policies, InventedOwnersSetNoIds) {
  MakeFile("tool", 0, 0755);
  MakeFile("own", kAlice.uid, 0755);
  MakeDirectory("d", 0, 0777);
  Remount("force_user=12345");
  Serves("SETATTR");
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(chmod(Mnt("tool").c_str(), 04755)); }), EPERM);
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(chmod(Mnt("tool").c_str(), 0700)); }), 0);
  EXPECT_EQ(ModeOf(Src("tool")), 0700u);
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(chmod(Mnt("own").c_str(), 04755)); }), 0);
  struct statvfs mount;
  ASSERT_EQ(statvfs(Mnt().c_str(), &mount), 0);
  EXPECT_NE(mount.f_flag & ST_NOSUID, 0u);
  Remount("create_user=root");
  EXPECT_EQ(RunAs(kAlice,
                  [] {
                    umask(0);
                    mknod(Mnt("d/node").c_str(), S_IFREG | 06777, 0);
                    return ErrorOf(File(Mnt("d/f"), O_CREAT | O_RDWR, 06777).get());
                  }),
            0);
  for (const char* name : {"d/node", "d/f"}) {
    EXPECT_EQ(OwnerOf(Src(name)), "0:12345") << name;
    EXPECT_EQ(ModeOf(Src(name)), 0777u) << name;
  }
}

TEST_F(Policies, EverybodyIsSquashed) {
  MakeFile("secret", 0, 0600);
  MakeFile("own", kAliceInSrc, 0600);
  MakeDirectory("d", kAliceInSrc, 0700);
  Remount("squash=all,squash_user=51000,squash_group=51000");
  Serves("OPEN");
  Serves("CREATE");
  for (const Identity& who : {kRoot, kAlice, kBob}) {
    EXPECT_EQ(Opens(who, "secret", O_RDONLY), EACCES) << who.uid;
    EXPECT_EQ(Opens(who, "own", O_RDWR), 0) << who.uid;
    const std::string name = "d/" + std::to_string(who.uid);
    EXPECT_EQ(Opens(who, name, O_CREAT | O_RDWR), 0) << who.uid;
    EXPECT_EQ(OwnerOf(Src(name)), "51000:51000") << who.uid;
    EXPECT_EQ(RunAs(who, [&] { return ErrorOf(chmod(Mnt(name).c_str(), 0600)); }), 0) << who.uid;
    EXPECT_EQ(RunAs(who, [&] { return ErrorOf(chown(Mnt(name).c_str(), 1, 1)); }), EPERM);
  }
}

// Whoever asks has the rights of the one: those that an ACL gives to him, not those to the caller.
TEST_F(Policies, AclsSpeakOfTheOneWhoEverybodyIs) {
  MakeFile("his", 0, 0600);
  MakeFile("bobs", 0, 0600);
  MakeFile("own", kAliceInSrc, 0600);
  std::vector<AclEntry> acl = {{AclTag::kUserObject, 6},
                               {AclTag::kUser, 4, kAliceInSrc},
                               {AclTag::kGroupObject, 0},
                               {AclTag::kMask, 4},
                               {AclTag::kOther, 0}};
  ASSERT_EQ(SetAcl(Src("his"), kAccessAcl, acl), 0);
  acl[1].id = kBob.uid;
  ASSERT_EQ(SetAcl(Src("bobs"), kAccessAcl, acl), 0);
  Remount("squash=all,squash_user=51000,squash_group=51000");
  Serves("OPEN");
  Serves("SETXATTR");
  for (const Identity& who : {kRoot, kAlice, kBob}) {
    EXPECT_EQ(Opens(who, "his", O_RDONLY), 0) << who.uid;
    EXPECT_EQ(Opens(who, "his", O_RDWR), EACCES) << who.uid;
    EXPECT_EQ(Opens(who, "bobs", O_RDONLY), EACCES) << who.uid;
  }
  EXPECT_EQ(SetAcl(Mnt("own"), kAccessAcl, acl), 0);
  EXPECT_TRUE(Xattr(Src("own"), kAccessAcl) == EncodeAcl(acl));
  EXPECT_EQ(ErrorOf(SetAcl(Mnt("his"), kAccessAcl, acl)), EPERM);
}

// The kernel checks by the ACL where there is one, so it has to say what the shown mode does.
TEST_F(Policies, ForcedBitsHoldForAcls) {
  MakeFile("f", kStranger, 0660);
  ASSERT_EQ(SetAcl(Src("f"), kAccessAcl,
                   {{AclTag::kUserObject, 6},
                    {AclTag::kUser, 6, kBob.uid},
                    {AclTag::kGroupObject, 6},
                    {AclTag::kMask, 6},
                    {AclTag::kOther, 4}}),
            0);
  Remount("file_mode=740");
  Serves("GETXATTR");
  EXPECT_EQ(ModeOf(Mnt("f")), 0640u);
  EXPECT_EQ(Opens(kBob, "f", O_RDONLY), 0);
  EXPECT_EQ(Opens(kBob, "f", O_RDWR), EACCES);
  EXPECT_EQ(Opens(kAlice, "f", O_RDONLY), EACCES);
  const std::vector<AclEntry> less = {
      {AclTag::kUserObject, 6}, {AclTag::kGroupObject, 0}, {AclTag::kOther, 0}};
  EXPECT_EQ(ErrorOf(SetAcl(Mnt("f"), kAccessAcl, less)), EPERM);
}

TEST_F(Policies, HiddenNamesAreNotThere) {
  MakeFile("secret.key", 0, 0644);
  MakeFile("shown", 0, 0644);
  MakeDirectory(".git", 0, 0755);
  MakeDirectory("d", 0, 0755);
  MakeFile("d/other.key", 0, 0644);
  Remount("hide=*.key/.git");
  Serves("LOOKUP");
  ServesAny({"READDIR", "READDIRPLUS"});
  EXPECT_EQ(ListDirectory(Mnt()), (std::vector<std::string>{"d", "shown"}));
  EXPECT_EQ(ListDirectory(Mnt("d")), std::vector<std::string>{});
  EXPECT_EQ(ErrorOf(File(Mnt("secret.key"), O_RDONLY).get()), ENOENT);
  EXPECT_EQ(ErrorOf(File(Mnt(".git/config"), O_RDONLY).get()), ENOENT);
  EXPECT_EQ(ErrorOf(unlink(Mnt("secret.key").c_str())), ENOENT);
  EXPECT_EQ(ErrorOf(File(Mnt("new.key"), O_CREAT | O_RDWR).get()), EACCES);
  EXPECT_EQ(ErrorOf(mkdir(Mnt("d/.git").c_str(), 0755)), EACCES);
  EXPECT_EQ(ErrorOf(symlink("x", Mnt("x.key").c_str())), EACCES);
  EXPECT_EQ(ErrorOf(link(Mnt("shown").c_str(), Mnt("y.key").c_str())), EACCES);
  EXPECT_EQ(ErrorOf(rename(Mnt("shown").c_str(), Mnt("secret.key").c_str())), EACCES);
  EXPECT_EQ(ErrorOf(rmdir(Mnt("d").c_str())), ENOTEMPTY) << "what is hidden is there in SRC";
  EXPECT_EQ(ReadFile(Src("secret.key")), "content of secret.key");
}

TEST_F(Policies, XattrsByRule) {
  MakeFile("f", 0, 0644);
  if (setxattr(Src("f").c_str(), "user.a", "1", 1, 0) != 0) {
    GTEST_SKIP() << "no user xattrs on the backing file system";
  }
  ASSERT_EQ(setxattr(Src("f").c_str(), "trusted.t", "1", 1, 0), 0);
  const auto names = [] {
    std::string list(1000, '\0');
    const ssize_t bytes = listxattr(Mnt("f").c_str(), list.data(), list.size());
    list.resize(static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
    return list;
  };
  const auto set = [](const char* name) {
    return ErrorOf(setxattr(Mnt("f").c_str(), name, "2", 1, 0));
  };
  Remount("xattrs=none");
  Serves("GETXATTR");
  EXPECT_EQ(names(), "");
  EXPECT_EQ(Xattr(Mnt("f"), "user.a"), "<EOPNOTSUPP>");
  EXPECT_EQ(set("user.a"), EOPNOTSUPP);
  Remount("xattrs=user");
  Serves("SETXATTR");
  EXPECT_EQ(names(), std::string("user.a\0", 7));
  EXPECT_EQ(Xattr(Mnt("f"), "trusted.t"), "<EOPNOTSUPP>");
  EXPECT_EQ(set("trusted.t"), EOPNOTSUPP);
  EXPECT_EQ(set("user.a"), 0);
  EXPECT_EQ(Xattr(Src("f"), "user.a"), "2");
  Remount("xattrs=readonly");
  Serves("GETXATTR");
  EXPECT_EQ(Xattr(Mnt("f"), "trusted.t"), "1");
  EXPECT_EQ(set("user.a"), EPERM);
  EXPECT_EQ(ErrorOf(removexattr(Mnt("f").c_str(), "user.a")), EPERM);
}

// The mount flag alone would be gone after a remount.
TEST_F(Policies, ReadOnlyIsEnforcedBehindTheKernel) {
  MakeFile("f", 0, 0644);
  Remount("ro");
  Serves("OPEN");
  ASSERT_EQ(mount(nullptr, Mnt().c_str(), nullptr, MS_REMOUNT, nullptr), 0) << errno;
  EXPECT_EQ(ErrorOf(File(Mnt("f"), O_RDWR).get()), EROFS);
  EXPECT_EQ(ErrorOf(mkdir(Mnt("d").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrorOf(unlink(Mnt("f").c_str())), EROFS);
  EXPECT_EQ(ErrorOf(chmod(Mnt("f").c_str(), 0600)), EROFS);
  EXPECT_EQ(ReadFile(Mnt("f")), "content of f");
  EXPECT_EQ(ListDirectory(Src()), std::vector<std::string>{"f"});
}

// Data moves as ever under a policy, in each mode by its own way; the fixture asserts which.
TEST_F(Policies, DataMovesAsEver) {
  MakeFile("f", kAliceInSrc, 0600);
  Remount(std::string(kMaps) + ",file_mode=777,hide=x,create_file_mode=700");
  Serves("READ");
  Serves("WRITE");
  const std::string content = Pattern(300000);
  EXPECT_EQ(RunAs(kAlice,
                  [&] {
                    const File file(Mnt("f"), O_RDWR);
                    if (!WriteAt(file.get(), content, 0) || fsync(file.get()) != 0) return 1;
                    posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
                    return ReadAt(file.get(), content.size(), 0) == content ? 0 : 2;
                  }),
            0);
  EXPECT_TRUE(ReadFile(Src("f")) == content);
}

}  // namespace
}  // namespace shuntfs::mount_test
