// POSIX ACLs: kept, enforced, inherited, and in step with the permission bits.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/acl.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

long SetAcl(const std::string& path, const char* name, const std::vector<AclEntry>& entries) {
  const std::string value = EncodeAcl(entries);
  return setxattr(path.c_str(), name, value.data(), value.size(), 0);
}

// rw for the owner, `permissions` for Bob, nothing for the rest.
std::vector<AclEntry> ForBob(uint16_t permissions, uint16_t mask = 7) {
  return {{AclTag::kUserObject, 6},
          {AclTag::kUser, permissions, kBob.uid},
          {AclTag::kGroupObject, 0},
          {AclTag::kMask, mask},
          {AclTag::kOther, 0}};
}

TEST_F(Ops, AclIsKeptAndShown) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    t.Call("set", SetAcl(dir + "/f", kAccessAcl, ForBob(4)));
    t.Note("mode shows the mask", static_cast<long>(ModeOf(dir + "/f")));
    t.Note("same", Xattr(dir + "/f", kAccessAcl) == EncodeAcl(ForBob(4)));
    t.Call("default on a file", SetAcl(dir + "/f", kDefaultAcl, ForBob(4)));
    t.Call("invalid", SetAcl(dir + "/f", kAccessAcl, {{AclTag::kUserObject, 7}}));
    t.Call("remove", removexattr((dir + "/f").c_str(), kAccessAcl));
    t.Note("gone", Xattr(dir + "/f", kAccessAcl));
  });
}

// The kernel checks everybody but the owner by the ACL, which such a file system cannot be asked
// for.
TEST_F(Ops, FileSystemsWithoutAclsAreForAllUsers) {
  MountInside("ram", "ramfs");
  Serves("GETXATTR");
  ASSERT_EQ(chmod(Src("ram").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Src("ram/d").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Src("ram/d/f"), "x"));
  ASSERT_EQ(chmod(Src("ram/d/f").c_str(), 0604), 0);
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(File(Mnt("ram/d/f"), O_RDONLY).get()); }), 0);
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(File(Mnt("ram/d/f"), O_WRONLY).get()); }), EACCES);
  EXPECT_EQ(RunAs(kAlice, [] { return static_cast<int>(ListDirectory(Mnt("ram/d")).size()); }), 1);
  EXPECT_EQ(ErrorOf(SetAcl(Mnt("ram/d/f"), kAccessAcl, ForBob(4))), EOPNOTSUPP);
}

TEST_F(Ops, AclIsEnforced) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x", 0600);
    chown(f.c_str(), kAlice.uid, kAlice.gid);
    const auto attempt = [&](const char* what, const Identity& who, int flags) {
      t.Note(what, RunAs(who, [&] { return ErrorOf(File(f, flags).get()); }));
    };
    attempt("Bob reads without ACL", kBob, O_RDONLY);
    t.Call("read for Bob", SetAcl(f, kAccessAcl, ForBob(4)));
    attempt("Bob reads", kBob, O_RDONLY);
    attempt("Bob writes", kBob, O_WRONLY);
    attempt("a third one reads", {34567, 34567, {}}, O_RDONLY);
    t.Call("all for Bob, mask without write", SetAcl(f, kAccessAcl, ForBob(6, 4)));
    attempt("Bob writes against the mask", kBob, O_WRONLY);
    t.Call("for a group", SetAcl(f, kAccessAcl,
                                 {{AclTag::kUserObject, 6},
                                  {AclTag::kGroupObject, 0},
                                  {AclTag::kGroup, 6, 777},
                                  {AclTag::kMask, 6},
                                  {AclTag::kOther, 0}}));
    attempt("member writes", {34567, 34567, {777}}, O_RDWR);
    attempt("not a member", {34567, 34567, {778}}, O_RDONLY);
    attempt("owner", kAlice, O_RDWR);
  });
}

TEST_F(Ops, AclOnADirectoryGuardsItsNames) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    mkdir((dir + "/d").c_str(), 0700);
    WriteFile(dir + "/d/f", "x", 0666);
    const auto attempt = [&](const char* what, auto call) {
      t.Note(what, RunAs(kBob, [&] { return ErrorOf(call()); }));
    };
    attempt("enter", [&] { return File(dir + "/d/f", O_RDONLY).get(); });
    t.Call("search for Bob", SetAcl(dir + "/d", kAccessAcl, ForBob(1)));
    attempt("enter with search", [&] { return File(dir + "/d/f", O_RDONLY).get(); });
    attempt("list with search", [&] { return File(dir + "/d", O_RDONLY | O_DIRECTORY).get(); });
    attempt("create with search", [&] { return mkdir((dir + "/d/e").c_str(), 0755); });
    t.Call("all for Bob", SetAcl(dir + "/d", kAccessAcl, ForBob(7)));
    attempt("create", [&] { return mkdir((dir + "/d/e").c_str(), 0755); });
    attempt("remove", [&] { return unlink((dir + "/d/f").c_str()); });
  });
}

TEST_F(Ops, DefaultAclIsInherited) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/d";
    mkdir(d.c_str(), 0777);
    t.Call("set", SetAcl(d, kDefaultAcl, ForBob(6)));
    t.Done("file", File(d + "/file", O_CREAT | O_RDWR, 0666).get());
    t.Done("private file", File(d + "/private", O_CREAT | O_RDWR, 0600).get());
    t.Call("directory", mkdir((d + "/dir").c_str(), 0777));
    t.Call("below it", mkdir((d + "/dir/dir").c_str(), 0750));
    t.Call("node", mknod((d + "/node").c_str(), S_IFREG | 0666, 0));
    t.Call("fifo", mkfifo((d + "/fifo").c_str(), 0666));
    t.Call("symlink", symlink("file", (d + "/link").c_str()));
    File nameless(d, O_TMPFILE | O_RDWR, 0666);
    const std::string by_fd = "/proc/self/fd/" + std::to_string(nameless.get());
    t.Call("name for it",
           linkat(AT_FDCWD, by_fd.c_str(), AT_FDCWD, (d + "/tmpfile").c_str(), AT_SYMLINK_FOLLOW));
    t.Note("Bob writes the file",
           RunAs(kBob, [&] { return ErrorOf(File(d + "/file", O_RDWR).get()); }));
  });
}

TEST_F(Ops, DefaultAclTakesThePlaceOfTheUmask) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/d";
    mkdir(d.c_str(), 0777);
    chmod(d.c_str(), 0777);
    const mode_t old = umask(077);
    t.Done("without", File(d + "/without", O_CREAT | O_RDWR, 0666).get());
    t.Call("set", SetAcl(d, kDefaultAcl, ForBob(6)));
    t.Done("with", File(d + "/with", O_CREAT | O_RDWR, 0666).get());
    t.Call("directory", mkdir((d + "/dir").c_str(), 0777));
    umask(old);
    t.Note("without", static_cast<long>(ModeOf(d + "/without")));
    t.Note("with", static_cast<long>(ModeOf(d + "/with")));
  });
}

TEST_F(Ops, ChmodChangesTheMaskOfAnAcl) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x", 0600);
    t.Call("set", SetAcl(f, kAccessAcl, ForBob(6)));
    t.Call("chmod", chmod(f.c_str(), 0640));
    t.Note("Bob reads", RunAs(kBob, [&] { return ErrorOf(File(f, O_RDONLY).get()); }));
    t.Note("Bob writes", RunAs(kBob, [&] { return ErrorOf(File(f, O_WRONLY).get()); }));
    t.Call("chmod back", chmod(f.c_str(), 0670));
    t.Note("Bob writes again", RunAs(kBob, [&] { return ErrorOf(File(f, O_WRONLY).get()); }));
  });
}

TEST_F(Ops, AclMayBeSetByTheOwnerOnly) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x", 0666);
    chown(f.c_str(), kAlice.uid, kAlice.gid);
    t.Note("owner", RunAs(kAlice, [&] { return ErrorOf(SetAcl(f, kAccessAcl, ForBob(6))); }));
    t.Note("other", RunAs(kBob, [&] { return ErrorOf(SetAcl(f, kAccessAcl, ForBob(7))); }));
    // The kernel drops setgid when somebody outside the group sets an ACL.
    chown(f.c_str(), kAlice.uid, 777);
    chmod(f.c_str(), 02755);
    t.Note("owner outside the group",
           RunAs(kAlice, [&] { return ErrorOf(SetAcl(f, kAccessAcl, ForBob(6))); }));
    t.Note("mode", static_cast<long>(ModeOf(f)));
  });
}

}  // namespace
}  // namespace shuntfs::mount_test
