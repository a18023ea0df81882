// SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR in every name space that Linux has.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// cap_net_raw, effective and permitted, as revision 2 of security.capability.
constexpr char kNetRaw[] =
    "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
constexpr size_t kNetRawBytes = 20;

long Set(const std::string& path, const char* name, const std::string& value, int flags = 0) {
  return lsetxattr(path.c_str(), name, value.data(), value.size(), flags);
}

TEST_F(Ops, Setxattr) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x");
    t.Call("set", Set(f, "user.one", "1"));
    t.Call("replace", Set(f, "user.one", "one"));
    t.Call("create an existing one", Set(f, "user.one", "2", XATTR_CREATE));
    t.Call("replace a missing one", Set(f, "user.two", "2", XATTR_REPLACE));
    t.Call("create", Set(f, "user.three", "3", XATTR_CREATE));
    t.Call("empty value", Set(f, "user.empty", ""));
    t.Call("any bytes", Set(f, "user.bytes", std::string("\0\xff\n", 3)));
    t.Call("longest name", Set(f, ("user." + std::string(250, 'n')).c_str(), "v"));
    t.Call("name too long", Set(f, ("user." + std::string(251, 'n')).c_str(), "v"));
    t.Call("no such name space", Set(f, "nothing.here", "v"));
    t.Call("trusted", Set(f, "trusted.key", "v"));
    t.Call("security", Set(f, "security.key", "v"));
    symlink("f", (dir + "/s").c_str());
    t.Call("user on a symlink", Set(dir + "/s", "user.one", "1"));
    t.Call("trusted on a symlink", Set(dir + "/s", "trusted.one", "1"));
    t.Call("directory", Set(dir, "user.dir", "1"));
    const File file(f, O_RDONLY);
    t.Call("descriptor", fsetxattr(file.get(), "user.fd", "1", 1, 0));
  });
}

TEST_F(Ops, SetxattrOfLargeValues) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x");
    for (const size_t size : {size_t{1000}, size_t{3000}, size_t{20000}, size_t{65536}}) {
      const std::string value = Pattern(size);
      const long rc = Set(f, "user.large", value);
      t.Call("set " + std::to_string(size), rc);
      t.Note("same", rc != 0 || Xattr(f, "user.large") == value);
    }
    t.Call("larger than Linux allows", Set(f, "user.large", std::string(65537, 'x')));
  });
}

TEST_F(Ops, Getxattr) {
  Serves("GETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x");
    Set(f, "user.key", "value");
    char buffer[16];
    t.Call("size", getxattr(f.c_str(), "user.key", nullptr, 0));
    t.Call("exact", getxattr(f.c_str(), "user.key", buffer, 5));
    t.Call("too small", getxattr(f.c_str(), "user.key", buffer, 4));
    t.Call("larger", getxattr(f.c_str(), "user.key", buffer, sizeof(buffer)));
    t.Call("missing", getxattr(f.c_str(), "user.none", buffer, sizeof(buffer)));
    t.Call("missing file", getxattr((dir + "/none").c_str(), "user.key", buffer, sizeof(buffer)));
    t.Call("no such name space", getxattr(f.c_str(), "nothing.here", buffer, sizeof(buffer)));
    const File file(f, O_RDONLY);
    t.Call("descriptor", fgetxattr(file.get(), "user.key", buffer, sizeof(buffer)));
  });
}

TEST_F(Ops, Listxattr) {
  Serves("LISTXATTR");
  const auto list = [](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    char buffer[4096];
    t.Call("size", listxattr(f.c_str(), nullptr, 0));
    t.Call("list", listxattr(f.c_str(), buffer, sizeof(buffer)));
    t.Call("too small", listxattr(f.c_str(), buffer, 3));
  };
  SameAsNative([&](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    list(dir, t);
    Set(dir + "/f", "user.one", "1");
    Set(dir + "/f", "user.two", "2");
    Set(dir + "/f", "trusted.three", "3");
    Set(dir + "/f", "security.four", "4");
    list(dir, t);
    // Who lacks the privilege does not see the trusted names.
    chmod((dir + "/f").c_str(), 0666);
    t.Note("as a user", RunAs(kAlice, [&] {
             char names[4096];
             const ssize_t size = listxattr((dir + "/f").c_str(), names, sizeof(names));
             return size < 0 ? 200 : static_cast<int>(size);
           }));
  });
}

TEST_F(Ops, Removexattr) {
  Serves("REMOVEXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x");
    Set(f, "user.one", "1");
    Set(f, "user.two", "2");
    t.Call("remove", removexattr(f.c_str(), "user.one"));
    t.Call("again", removexattr(f.c_str(), "user.one"));
    const File file(f, O_RDONLY);
    t.Call("descriptor", fremovexattr(file.get(), "user.two"));
    t.Call("missing file", removexattr((dir + "/none").c_str(), "user.one"));
  });
}

TEST_F(Ops, XattrsFollowThePermissionsOfTheCaller) {
  Serves("SETXATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x", 0640);
    chown(f.c_str(), kAlice.uid, kAlice.gid);
    Set(f, "user.key", "v");
    Set(f, "trusted.key", "v");
    const auto attempt = [&](const char* what, const Identity& who, auto call) {
      t.Note(what, RunAs(who, [&] { return ErrorOf(call()); }));
    };
    char buffer[16];
    attempt("owner sets", kAlice, [&] { return Set(f, "user.mine", "v"); });
    attempt("owner sets trusted", kAlice, [&] { return Set(f, "trusted.mine", "v"); });
    attempt("owner sets security", kAlice, [&] { return Set(f, "security.mine", "v"); });
    attempt("owner gets trusted", kAlice,
            [&] { return getxattr(f.c_str(), "trusted.key", buffer, sizeof(buffer)); });
    attempt("other gets", kBob,
            [&] { return getxattr(f.c_str(), "user.key", buffer, sizeof(buffer)); });
    attempt("other sets", kBob, [&] { return Set(f, "user.theirs", "v"); });
    attempt("other removes", kBob, [&] { return removexattr(f.c_str(), "user.key"); });
  });
}

TEST_F(Ops, SecurityCapabilityIsKeptAndShown) {
  Serves("SETXATTR");
  const std::string value(kNetRaw, kNetRawBytes);
  ASSERT_TRUE(WriteFile(Mnt("program"), "x", 0755));
  ASSERT_EQ(Set(Mnt("program"), "security.capability", value), 0);
  EXPECT_EQ(Xattr(Mnt("program"), "security.capability"), value);
  EXPECT_EQ(Xattr(Src("program"), "security.capability"), value);
}

class SecurityCapability : public Ops {
 protected:
  // Gives a file a capability, lets `who` do `change` to it: both trees must agree on what is
  // left, and the native kernel leaves nothing.
  void DroppedBy(const Identity& who, const std::function<long(const std::string&)>& change) {
    SameAsNative([&](const std::string& dir, Transcript& t) {
      const std::string f = dir + "/program";
      WriteFile(f, "content");
      chmod(f.c_str(), 0777);
      t.Call("set", Set(f, "security.capability", std::string(kNetRaw, kNetRawBytes)));
      t.Note("change", RunAs(who, [&] { return ErrorOf(change(f)); }));
      EXPECT_EQ(Xattr(f, "security.capability"), "<ENODATA>");
    });
  }
};

TEST_F(SecurityCapability, DroppedOnWriteByAUser) {
  Serves("WRITE");
  DroppedBy(kAlice, [](const std::string& f) {
    return WriteAt(File(f, O_WRONLY).get(), "y", 0) ? 0L : -1L;
  });
}

TEST_F(SecurityCapability, DroppedOnWriteByRoot) {
  Serves("WRITE");
  DroppedBy(kRoot, [](const std::string& f) {
    return WriteAt(File(f, O_WRONLY).get(), "y", 0) ? 0L : -1L;
  });
}

TEST_F(SecurityCapability, DroppedOnTruncate) {
  DroppedBy(kAlice, [](const std::string& f) { return truncate(f.c_str(), 1); });
}

TEST_F(SecurityCapability, DroppedOnChown) {
  Serves("SETATTR");
  DroppedBy(kRoot, [](const std::string& f) { return chown(f.c_str(), 5, 6); });
}

// One round trip more per write(2) is what makes other servers slow.
TEST_F(Ops, NoGetxattrPerWrite) {
  Serves("WRITE");
  constexpr int kWrites = 500;
  const File file(Mnt("f"), O_CREAT | O_WRONLY);
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_EQ(write(file.get(), "x", 1), 1);
  }
  ASSERT_EQ(fsync(file.get()), 0);
  if (!plain()) {
    EXPECT_GE(Served("WRITE"), Config().mode == Mode::kKernel ? 0 : uint64_t{kWrites});
    EXPECT_LE(Served("GETXATTR"), 2u);
  }
  const uint64_t before = Served("GETXATTR");
  EXPECT_EQ(RunAs(kAlice,
                  [&] {
                    const File mine(Mnt("f"), O_RDONLY);
                    return mine.ok() ? 0 : errno;
                  }),
            0);
  EXPECT_LE(Served("GETXATTR") - before, 2u);
}

}  // namespace
}  // namespace shuntfs::mount_test
