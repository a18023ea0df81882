// Who may do what: every operation that a program can cause, by callers of all kinds. The mount
// does what the file system of SRC itself does for the one who the caller is there.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/mount/acl.h"
#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr uid_t kUser = 51000;  // in SRC; its group has the same number
constexpr gid_t kTeam = 51002;  // a supplementary group of the user

// What an operation is, where that decides what can be compared.
enum Traits : unsigned {
  kPlain = 0,
  kMakes = 1,       // makes something, which callers without a number in SRC cannot
  kNamesIds = 2,    // names users or groups, which a map gives other numbers
  kAsksKernel = 4,  // answered by the kernel, which does not know who is squashed
  kForOwners = 8,   // the kernel lets the owner by number do it, or who has a capability
};

struct Operation {
  const char* name;
  unsigned traits;
  long (*run)(const std::string& path);
};

long WithFile(const std::string& path, int flags, long (*run)(int fd)) {
  const File file(path, flags);
  return file.ok() ? run(file.get()) : -1;
}

// Adds to the attributes of a file: ext4 does not take those away that say how it is stored.
long AddAttribute(int fd, long attribute) {
  long flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return -1;
  flags |= attribute;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

long SetTimes(const std::string& path, long atime_ns, long mtime_ns) {
  const timespec times[2] = {{1, atime_ns}, {1, mtime_ns}};
  return utimensat(AT_FDCWD, path.c_str(), times, 0);
}

long SetAcl(const std::string& path, const char* name) {
  const std::string acl = EncodeAcl({{AclTag::kUserObject, 7},
                                     {AclTag::kUser, 5, kBob.uid},
                                     {AclTag::kGroupObject, 5},
                                     {AclTag::kMask, 5},
                                     {AclTag::kOther, 5}});
  return setxattr(path.c_str(), name, acl.data(), acl.size(), 0);
}

long SetXattr(const std::string& path, const char* name) {
  return setxattr(path.c_str(), name, "v", 1, 0);
}

constexpr auto kKeep = static_cast<uid_t>(-1);

using Path = const std::string&;

const Operation kOnFiles[] = {
    {"stat", kPlain, [](Path p) -> long { return StatOf(p).st_nlink == 0 ? -1 : 0; }},
    {"access r", kAsksKernel, [](Path p) -> long { return access(p.c_str(), R_OK); }},
    {"access w", kAsksKernel, [](Path p) -> long { return access(p.c_str(), W_OK); }},
    {"read", kPlain,
     [](Path p) {
       return WithFile(p, O_RDONLY, [](int fd) -> long {
         char byte;
         return pread(fd, &byte, 1, 0);
       });
     }},
    {"write", kPlain,
     [](Path p) {
       return WithFile(p, O_WRONLY, [](int fd) -> long { return pwrite(fd, "w", 1, 0); });
     }},
    {"sync", kPlain,
     [](Path p) { return WithFile(p, O_RDWR, [](int fd) -> long { return fsync(fd); }); }},
    {"seek", kPlain,
     [](Path p) {
       return WithFile(p, O_RDONLY, [](int fd) -> long { return lseek(fd, 0, SEEK_HOLE); });
     }},
    {"allocate", kPlain,
     [](Path p) {
       return WithFile(p, O_WRONLY, [](int fd) -> long { return fallocate(fd, 0, 0, 9000); });
     }},
    {"copy range", kPlain,
     [](Path p) {
       return WithFile(p, O_RDWR, [](int fd) -> long {
         off_t from = 0;
         off_t to = 1;
         return copy_file_range(fd, &from, fd, &to, 1, 0);
       });
     }},
    {"shorten the open file", kPlain,
     [](Path p) { return WithFile(p, O_WRONLY, [](int fd) -> long { return ftruncate(fd, 1); }); }},
    {"open and truncate", kPlain,
     [](Path p) { return WithFile(p, O_WRONLY | O_TRUNC, [](int) -> long { return 0; }); }},
    {"truncate", kPlain, [](Path p) -> long { return truncate(p.c_str(), 1); }},
    {"chmod 640", kPlain, [](Path p) -> long { return chmod(p.c_str(), 0640); }},
    {"chmod 6755", kPlain, [](Path p) -> long { return chmod(p.c_str(), 06755); }},
    {"chown to the user", kNamesIds, [](Path p) -> long { return chown(p.c_str(), kUser, kKeep); }},
    {"chown to Bob", kNamesIds, [](Path p) -> long { return chown(p.c_str(), kBob.uid, kKeep); }},
    {"chgrp to the team", kNamesIds, [](Path p) -> long { return chown(p.c_str(), kKeep, kTeam); }},
    {"chgrp to root", kNamesIds, [](Path p) -> long { return chown(p.c_str(), kKeep, 0); }},
    {"times now", kPlain,
     [](Path p) -> long { return utimensat(AT_FDCWD, p.c_str(), nullptr, 0); }},
    {"times", kPlain, [](Path p) { return SetTimes(p, 1, 1); }},
    {"one time now", kPlain, [](Path p) { return SetTimes(p, UTIME_NOW, UTIME_OMIT); }},
    {"get xattr", kPlain, [](Path p) -> long { return getxattr(p.c_str(), "user.a", nullptr, 0); }},
    {"list xattrs", kPlain, [](Path p) -> long { return listxattr(p.c_str(), nullptr, 0); }},
    {"set user xattr", kPlain, [](Path p) { return SetXattr(p, "user.b"); }},
    {"set trusted xattr", kPlain, [](Path p) { return SetXattr(p, "trusted.t"); }},
    {"set security xattr", kPlain, [](Path p) { return SetXattr(p, "security.t"); }},
    {"remove xattr", kPlain, [](Path p) -> long { return removexattr(p.c_str(), "user.a"); }},
    {"set ACL", kNamesIds | kForOwners, [](Path p) { return SetAcl(p, kAccessAcl); }},
    {"set attribute", kForOwners,
     [](Path p) {
       return WithFile(p, O_RDONLY, [](int fd) { return AddAttribute(fd, FS_NODUMP_FL); });
     }},
    {"make append-only", kPlain,
     [](Path p) {
       return WithFile(p, O_RDONLY, [](int fd) { return AddAttribute(fd, FS_APPEND_FL); });
     }},
    {"link", kForOwners, [](Path p) -> long { return link(p.c_str(), (p + ".hard").c_str()); }},
    {"rename", kPlain, [](Path p) -> long { return rename(p.c_str(), (p + ".new").c_str()); }},
    {"unlink", kPlain, [](Path p) -> long { return unlink(p.c_str()); }},
};

const Operation kOnDirectories[] = {
    {"list", kPlain,
     [](Path p) -> long {
       DIR* directory = opendir(p.c_str());
       if (directory == nullptr) return -1;
       long names = 0;
       while (readdir(directory) != nullptr) ++names;
       closedir(directory);
       return names;
     }},
    {"look up", kPlain, [](Path p) -> long { return StatOf(p + "/roots").st_nlink == 0 ? -1 : 0; }},
    {"sizes", kPlain,
     [](Path p) -> long {
       struct statvfs status;
       return statvfs((p + "/roots").c_str(), &status);
     }},
    {"read a link", kPlain,
     [](Path p) -> long {
       char target[16];
       return readlink((p + "/link").c_str(), target, sizeof(target));
     }},
    {"create", kMakes,
     [](Path p) { return WithFile(p + "/new", O_CREAT | O_RDWR, [](int) -> long { return 0; }); }},
    {"create nameless", kMakes,
     [](Path p) { return WithFile(p, O_TMPFILE | O_RDWR, [](int) -> long { return 0; }); }},
    {"mkdir", kMakes, [](Path p) -> long { return mkdir((p + "/new").c_str(), 0777); }},
    {"mkfifo", kMakes, [](Path p) -> long { return mkfifo((p + "/new").c_str(), 0666); }},
    {"make a device", kMakes | kForOwners,
     [](Path p) -> long { return mknod((p + "/new").c_str(), S_IFCHR | 0666, makedev(1, 3)); }},
    {"symlink", kMakes, [](Path p) -> long { return symlink("target", (p + "/new").c_str()); }},
    {"link in", kForOwners,
     [](Path p) -> long { return link((p + "/users").c_str(), (p + "/new").c_str()); }},
    {"unlink the user's", kPlain, [](Path p) -> long { return unlink((p + "/users").c_str()); }},
    {"unlink root's", kPlain, [](Path p) -> long { return unlink((p + "/roots").c_str()); }},
    {"rmdir", kPlain, [](Path p) -> long { return rmdir((p + "/sub").c_str()); }},
    {"rename root's", kPlain,
     [](Path p) -> long { return rename((p + "/roots").c_str(), (p + "/new").c_str()); }},
    {"replace root's", kPlain,
     [](Path p) -> long { return rename((p + "/users").c_str(), (p + "/roots").c_str()); }},
    {"exchange", kPlain,
     [](Path p) -> long {
       return renameat2(AT_FDCWD, (p + "/users").c_str(), AT_FDCWD, (p + "/roots").c_str(),
                        RENAME_EXCHANGE);
     }},
    {"chmod", kPlain, [](Path p) -> long { return chmod(p.c_str(), 02777); }},
    {"chgrp to the team", kNamesIds, [](Path p) -> long { return chown(p.c_str(), kKeep, kTeam); }},
    {"set default ACL", kNamesIds | kForOwners, [](Path p) { return SetAcl(p, kDefaultAcl); }},
};

struct Target {
  const char* name;
  uid_t user;
  gid_t group;
  mode_t mode;
};

const Target kFiles[] = {
    {"root600", 0, 0, 0600},         {"root644", 0, 0, 0644},
    {"root666", 0, 0, 0666},         {"user600", kUser, kUser, 0600},
    {"user400", kUser, kUser, 0400}, {"user6777", kUser, kUser, 06777},
    {"team660", 0, kTeam, 0660},     {"team604", 0, kTeam, 0604},
    {"group2666", 0, kUser, 02666},  {"bob666", kBob.uid, kBob.gid, 0666},
};

const Target kDirectories[] = {
    {"root700", 0, 0, 0700},   {"root755", 0, 0, 0755},         {"root777", 0, 0, 0777},
    {"root1777", 0, 0, 01777}, {"user755", kUser, kUser, 0755}, {"team2770", 0, kTeam, 02770},
};

// One kind of caller, and who that is in SRC.
struct Caller {
  const char* name;
  Identity here;
  Identity in_source;
  unsigned leaves_out = kPlain;
  // Capabilities of root count in the mount, whether root has them or not, for set-id bits.
  bool leaves_out_set_id = false;

  bool Skips(const Operation& operation) const { return (operation.traits & leaves_out) != 0; }
  bool Skips(const Target& target) const {
    return leaves_out_set_id && (target.mode & (S_ISUID | S_ISGID)) != 0;
  }
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The lines in which two texts differ.
std::string Differences(const std::string& mount, const std::string& native) {
  std::vector<std::string> left = Lines(mount);
  std::vector<std::string> right = Lines(native);
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  std::vector<std::string> only;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                      std::back_inserter(only));
  std::string text;
  for (const std::string& line : only) text += "mount: " + line + "\n";
  only.clear();
  std::set_difference(right.begin(), right.end(), left.begin(), left.end(),
                      std::back_inserter(only));
  for (const std::string& line : only) text += "native: " + line + "\n";
  return text;
}

class Rights : public Ops {
 protected:
  void SetUp() override {
    if (plain()) GTEST_SKIP() << "a bind mount has no rights of its own";
    Ops::SetUp();
  }
  void TearDown() override {
    if (!plain()) Ops::TearDown();
  }

  // Mounts with `options` and lets each of `callers` run all operations through the mount, and its
  // counterpart the same ones in SRC.
  void Compare(const std::string& options, const std::vector<Caller>& callers) {
    // What the kernel has cached it gives without asking.
    Remount(options + ",entry_timeout=0,attr_timeout=0");
    for (const char* operation :
         {"LOOKUP", "GETATTR", "SETATTR",   "READLINK",   "SYMLINK", "MKNOD",    "MKDIR",
          "UNLINK", "RMDIR",   "RENAME",    "RENAME2",    "LINK",    "OPEN",     "CREATE",
          "READ",   "WRITE",   "STATFS",    "FSYNC",      "OPENDIR", "SETXATTR", "GETXATTR",
          "IOCTL",  "TMPFILE", "LISTXATTR", "REMOVEXATTR"})
      Serves(operation);
    ServesAny({"READDIR", "READDIRPLUS"});
    for (const Caller& caller : callers) {
      SCOPED_TRACE(options + " " + caller.name);
      MakeTrees("mount", caller);
      MakeTrees("native", caller);
      const std::string through = Run(caller, caller.here, Mnt("mount"));
      EXPECT_NE(through, "");
      EXPECT_EQ(Differences(through, Run(caller, caller.in_source, Src("native"))), "");
      EXPECT_EQ(Differences(DescribeTree(Src("mount")), DescribeTree(Src("native"))), "");
      std::filesystem::remove_all(Src("mount"));
      std::filesystem::remove_all(Src("native"));
    }
  }

 private:
  static void Own(const std::string& path, const Target& target) {
    ASSERT_EQ(chown(path.c_str(), target.user, target.group), 0);
    ASSERT_EQ(chmod(path.c_str(), target.mode), 0);
  }

  // A directory for each operation, so that none meets what another has done.
  static void MakeTrees(const std::string& name, const Caller& caller) {
    ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0);
    for (const Operation& operation : kOnFiles) {
      if (caller.Skips(operation)) continue;
      const std::string top = Src(name + "/" + operation.name);
      ASSERT_EQ(mkdir(top.c_str(), 0777), 0);
      ASSERT_EQ(chmod(top.c_str(), 0777), 0);
      for (const Target& target : kFiles) {
        const std::string path = top + "/" + target.name;
        ASSERT_TRUE(WriteFile(path, "content"));
        setxattr(path.c_str(), "user.a", "1", 1, 0);
        Own(path, target);
      }
    }
    for (const Operation& operation : kOnDirectories) {
      if (caller.Skips(operation)) continue;
      const std::string top = Src(name + "/in " + operation.name);
      ASSERT_EQ(mkdir(top.c_str(), 0755), 0);
      for (const Target& target : kDirectories) {
        const std::string path = top + "/" + target.name;
        ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
        ASSERT_TRUE(WriteFile(path + "/roots", "x"));
        ASSERT_TRUE(WriteFile(path + "/users", "x"));
        ASSERT_EQ(chown((path + "/users").c_str(), kUser, kUser), 0);
        ASSERT_EQ(mkdir((path + "/sub").c_str(), 0755), 0);
        ASSERT_EQ(symlink("roots", (path + "/link").c_str()), 0);
        Own(path, target);
      }
    }
  }

  // What came back, as text.
  static std::string Run(const Caller& caller, const Identity& who, const std::string& top) {
    const std::string file_name = Tree().base() + "/transcript";
    const File out(file_name, O_CREAT | O_TRUNC | O_RDWR);
    const int code = RunAs(who, [&] {
      Transcript transcript;
      const auto run = [&](const Operation& operation, const std::string& path,
                           const Target& target) {
        if (caller.Skips(target)) return;
        errno = 0;
        const long result = operation.run(path + "/" + target.name);
        // What a map answers where what is shown is not what is there; it is refused either way.
        if (result < 0 && errno == EOVERFLOW) errno = EPERM;
        transcript.Call(std::string(operation.name) + " " + target.name, result);
      };
      for (const Operation& operation : kOnFiles) {
        if (caller.Skips(operation)) continue;
        for (const Target& target : kFiles) run(operation, top + "/" + operation.name, target);
      }
      for (const Operation& operation : kOnDirectories) {
        if (caller.Skips(operation)) continue;
        for (const Target& target : kDirectories)
          run(operation, top + "/in " + operation.name, target);
      }
      return WriteAt(out.get(), transcript.text(), 0) ? 0 : 1;
    });
    EXPECT_EQ(code, 0);
    return ReadAt(out.get(), 1 << 20, 0);
  }
};

const Identity kMember{kUser, kUser, {kTeam}};
const Identity kMemberWithAll{kUser, kUser, {kTeam}, Capabilities::kAll};
const Identity kStranger{777, 777, {}};
const Identity kRootWithout{0, 0, {}, Capabilities::kNone};
const Identity kSquashed{kUser, kUser, {}};

TEST_F(Rights, AreTheCallersOwn) {
  Compare("allow_other", {{"a user", kMember, kMember},
                          {"root without capabilities", kRootWithout, kRootWithout, kPlain,
                           /*leaves_out_set_id=*/true},
                          {"a stranger", kStranger, kStranger}});
}

TEST_F(Rights, OfSquashedRootAreThoseOfOneUser) {
  Compare("squash=root,squash_user=51000,squash_group=51000",
          {{"root", kRoot, kSquashed, kAsksKernel},
           {"a user", kMember, kMember},
           {"a user with capabilities", kMemberWithAll, kMember, kAsksKernel}});
}

TEST_F(Rights, OfSquashedCallersAreThoseOfOneUser) {
  Compare("squash=all,squash_user=51000,squash_group=51000",
          {{"root", kRoot, kSquashed},
           {"a stranger", kStranger, kSquashed, kForOwners},
           {"a user with capabilities", kMemberWithAll, kSquashed}});
}

TEST_F(Rights, OfCallersWithoutANumberAreNobodys) {
  const Identity user{12345, 12345, {700}};
  const Identity user_with_all{12345, 12345, {700}, Capabilities::kAll};
  const Identity nobody{65534, 65534, {}};
  constexpr unsigned kAll = kMakes | kNamesIds | kAsksKernel;
  Compare("map_users=51000:12345,map_groups=51000:12345/51002:700",
          {{"a user", user, kMember, kNamesIds},
           {"a user with capabilities", user_with_all, kMember, kNamesIds | kAsksKernel},
           {"a stranger", kStranger, nobody, kAll},
           {"root", kRoot, nobody, kAll}});
}

// chown(2) that names nobody takes set-id bits away.
TEST_F(Rights, SetIdBitsAreTheOwnersToDrop) {
  Remount("attr_timeout=0");
  Serves("SETATTR");
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  ASSERT_EQ(chown(Src("f").c_str(), kUser, kUser), 0);
  ASSERT_EQ(chmod(Src("f").c_str(), 06755), 0);
  RunAs(kStranger, [] { return ErrorOf(chown(Mnt("f").c_str(), kKeep, kKeep)); });
  EXPECT_EQ(ModeOf(Src("f")), 06755u);
  EXPECT_EQ(RunAs(kMember, [] { return ErrorOf(chown(Mnt("f").c_str(), kKeep, kKeep)); }), 0);
  EXPECT_EQ(ModeOf(Src("f")), 0755u);
}

}  // namespace
}  // namespace shuntfs::mount_test
