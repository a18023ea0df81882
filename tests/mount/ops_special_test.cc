// FIFOs, sockets, device nodes, whiteouts, file systems mounted inside SRC, IOCTL, and the
// operations that are not offered.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

TEST_F(Ops, FifosCarryData) {
  Serves("MKNOD");
  ASSERT_EQ(mkfifo(Mnt("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(S_ISFIFO(StatOf(Src("fifo")).st_mode));
  const pid_t writer = Spawn(kRoot, [&] {
    const File file(Mnt("fifo"), O_WRONLY);
    return write(file.get(), "through the fifo", 16) == 16 ? 0 : 1;
  });
  const File reader(Mnt("fifo"), O_RDONLY);
  char buffer[32];
  EXPECT_EQ(read(reader.get(), buffer, sizeof(buffer)), 16);
  EXPECT_EQ(std::string(buffer, 16), "through the fifo");
  EXPECT_EQ(Wait(writer), 0);
}

TEST_F(Ops, SocketsAreBoundAndReached) {
  Serves("MKNOD");
  const File listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = Mnt("socket");
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
      << std::strerror(errno);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  EXPECT_TRUE(S_ISSOCK(StatOf(Src("socket")).st_mode));
  const pid_t client = Spawn(kRoot, [&] {
    const File peer(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 1;
    return write(peer.get(), "hello", 5) == 5 ? 0 : 2;
  });
  const File accepted(accept(listener.get(), nullptr, nullptr));
  char buffer[8];
  EXPECT_EQ(read(accepted.get(), buffer, sizeof(buffer)), 5);
  EXPECT_EQ(Wait(client), 0);
}

TEST_F(Ops, DeviceNodes) {
  Serves("MKNOD");
  SameAsNative([](const std::string& dir, Transcript& t) {
    t.Call("null", mknod((dir + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)));
    t.Call("large numbers",
           mknod((dir + "/large").c_str(), S_IFBLK | 0600, makedev(4095, 1048575)));
    t.Note("by a user", RunAs(kAlice, [&] {
             return ErrorOf(mknod((dir + "/zero").c_str(), S_IFCHR | 0666, makedev(1, 5)));
           }));
  });
  // The node that the client opens is the device itself; its data never passes the daemon.
  ASSERT_EQ(mknod(Mnt("zero").c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  const File zero(Mnt("zero"), O_RDONLY);
  ASSERT_TRUE(zero.ok()) << std::strerror(errno);
  EXPECT_EQ(ReadAt(zero.get(), 8, 0), std::string(8, '\0'));
}

// An open of a special file must never make the daemon open it: this FIFO has no writer, and a
// daemon that opened it would wait for one.
TEST_F(Ops, MetadataOfFifosNeverOpensThem) {
  Serves("SETATTR");
  ASSERT_EQ(mkfifo(Src("fifo").c_str(), 0600), 0);
  EXPECT_EQ(chmod(Mnt("fifo").c_str(), 0640), 0);
  EXPECT_EQ(chown(Mnt("fifo").c_str(), 1, 2), 0);
  const timespec times[2] = {{1, 0}, {2, 0}};
  EXPECT_EQ(utimensat(AT_FDCWD, Mnt("fifo").c_str(), times, 0), 0);
  EXPECT_EQ(rename(Mnt("fifo").c_str(), Mnt("other").c_str()), 0);
  EXPECT_EQ(link(Mnt("other").c_str(), Mnt("third").c_str()), 0);
  EXPECT_EQ(Describe(Mnt("third")), Describe(Src("third")));
  EXPECT_EQ(unlink(Mnt("third").c_str()), 0);
}

TEST_F(Ops, WhiteoutNodes) {
  Serves("MKNOD");
  SameAsNative([](const std::string& dir, Transcript& t) {
    t.Call("whiteout", mknod((dir + "/gone").c_str(), S_IFCHR, makedev(0, 0)));
    t.Note("by a user", RunAs(kAlice, [&] {
             return ErrorOf(mknod((dir + "/gone2").c_str(), S_IFCHR, makedev(0, 0)));
           }));
  });
}

TEST_F(Ops, FileSystemsMountedInsideTheSource) {
  Serves("LOOKUP");
  MountInside("inside");
  Serves("CREATE");
  ASSERT_TRUE(WriteFile(Mnt("file"), "outer"));
  ASSERT_TRUE(WriteFile(Mnt("inside/file"), "inner"));
  EXPECT_EQ(ReadFile(Src("inside/file")), "inner");
  EXPECT_EQ(ReadFile(Mnt("inside/file")), "inner");
  ASSERT_EQ(mkdir(Mnt("inside/dir").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Mnt("inside/dir/leaf"), "leaf"));
  EXPECT_EQ(ListDirectory(Mnt("inside")), ListDirectory(Src("inside")));
  EXPECT_EQ(ErrorOf(rename(Mnt("file").c_str(), Mnt("inside/moved").c_str())), EXDEV);
  EXPECT_EQ(ErrorOf(link(Mnt("file").c_str(), Mnt("inside/linked").c_str())), EXDEV);
  EXPECT_EQ(rename(Mnt("inside/file").c_str(), Mnt("inside/dir/file").c_str()), 0);
  EXPECT_EQ(ErrorOf(rmdir(Mnt("inside").c_str())), EBUSY);
  EXPECT_EQ(ReadFile(Mnt("inside/dir/file")), "inner");
}

// Two file systems may use the same inode number; the mount must not take two files for one.
TEST_F(Ops, SameInodeNumberOnTwoFileSystems) {
  MountInside("one");
  MountInside("two");
  Serves("LOOKUP");
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(WriteFile(Src("one/f" + std::to_string(i)), "one"));
    ASSERT_TRUE(WriteFile(Src("two/f" + std::to_string(i)), "two"));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ReadFile(Mnt("one/f" + std::to_string(i))), "one");
    EXPECT_EQ(ReadFile(Mnt("two/f" + std::to_string(i))), "two");
  }
  // Some pair has the same number below; if the two were one inode, so would this write be.
  const File first(Mnt("one/f0"), O_RDWR);
  ASSERT_TRUE(WriteAt(first.get(), "ONE", 0));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ReadFile(Mnt("two/f" + std::to_string(i))), "two");
  }
}

// What a backup program remembers of a file, and what a 32-bit program can have.
TEST_F(Ops, InodeNumbersOfFileSystemsBelowStayTheSameAndFit32Bits) {
  if (plain()) GTEST_SKIP() << "a bind mount shows other device numbers";
  MountInside("one");
  MountInside("two");
  Serves("LOOKUP");
  const std::vector<std::string> names = {"one/f", "one", "two/f", "two"};
  ASSERT_TRUE(WriteFile(Src("one/f"), "one"));
  ASSERT_TRUE(WriteFile(Src("two/f"), "two"));
  std::map<std::string, ino_t> before;
  std::set<ino_t> different;
  for (const std::string& name : names) {
    before[name] = StatOf(Mnt(name)).st_ino;
    different.insert(before[name]);
    EXPECT_EQ(StatOf(Mnt(name)).st_dev, StatOf(Mnt()).st_dev);
    EXPECT_EQ(before[name] >> 32, 0u) << name << ": stat(2) of 32-bit programs fails";
  }
  EXPECT_EQ(different.size(), names.size());
  for (const std::string directory : {"one", "two"}) {
    DIR* open = opendir(Mnt(directory).c_str());
    ASSERT_NE(open, nullptr);
    while (const dirent* entry = readdir(open)) {
      if (std::string(entry->d_name) == "f") {
        EXPECT_EQ(entry->d_ino, before[directory + "/f"]);
      }
    }
    closedir(open);
  }
  Remount("");
  for (auto name = names.rbegin(); name != names.rend(); ++name)
    EXPECT_EQ(StatOf(Mnt(*name)).st_ino, before[*name]) << *name;
}

TEST_F(Ops, IoctlChattr) {
  Serves("IOCTL");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    mkdir((dir + "/d").c_str(), 0755);
    const auto set = [&](const std::string& what, const std::string& name, unsigned set_flags,
                         unsigned clear_flags) {
      const File file(dir + name, O_RDONLY);
      unsigned flags = 0;
      t.Call(what + ": get", ioctl(file.get(), FS_IOC_GETFLAGS, &flags));
      flags = (flags & ~clear_flags) | set_flags;
      t.Call(what + ": set", ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
      flags = 0;
      t.Call(what + ": get again", ioctl(file.get(), FS_IOC_GETFLAGS, &flags));
      t.Note("flags", flags & (FS_NODUMP_FL | FS_APPEND_FL | FS_IMMUTABLE_FL | FS_NOATIME_FL));
    };
    set("nodump", "/f", FS_NODUMP_FL, 0);
    set("noatime on a directory", "/d", FS_NOATIME_FL, 0);
    set("append only", "/f", FS_APPEND_FL, FS_NODUMP_FL);
    t.Done("open to overwrite", File(dir + "/f", O_WRONLY).get());
    t.Done("open to append", File(dir + "/f", O_WRONLY | O_APPEND).get());
    set("immutable", "/f", FS_IMMUTABLE_FL, FS_APPEND_FL);
    t.Done("open for write", File(dir + "/f", O_WRONLY).get());
    t.Call("unlink", unlink((dir + "/f").c_str()));
    t.Call("chmod", chmod((dir + "/f").c_str(), 0600));
    set("plain again", "/f", 0, FS_IMMUTABLE_FL | FS_APPEND_FL);
    t.Call("unlink", unlink((dir + "/f").c_str()));
  });
}

TEST_F(Ops, IoctlChattrByAUser) {
  Serves("IOCTL");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x", 0666);
    chown((dir + "/f").c_str(), kAlice.uid, kAlice.gid);
    for (const Identity& who : {kAlice, kBob}) {
      for (const unsigned wanted : {unsigned{FS_NODUMP_FL}, unsigned{FS_IMMUTABLE_FL}}) {
        t.Note("set", RunAs(who, [&] {
                 const File file(dir + "/f", O_RDONLY);
                 unsigned flags = 0;
                 if (ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return 200;
                 flags |= wanted;
                 return ErrorOf(ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
               }));
      }
    }
  });
}

// The kernel checks the caller of a control by its number, and FUSE passes on the numbers of 32-bit
// programs without a check when a 64-bit program uses them.
TEST_F(Ops, IoctlChattrByAStrangerUnderEveryNumber) {
  Serves("IOCTL");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x", 0644);
    mkdir((dir + "/d").c_str(), 0755);
    const auto flags_of = [&](const std::string& name) {
      const File file(dir + name, O_RDONLY);
      unsigned flags = 0;
      t.Call("get", ioctl(file.get(), FS_IOC_GETFLAGS, &flags));
      return flags & (FS_APPEND_FL | FS_IMMUTABLE_FL);
    };
    const auto set_as = [&](const Identity& who, const std::string& name, unsigned long command,
                            unsigned flags) {
      return RunAs(who, [&] {
        const File file(dir + name, O_RDONLY);
        if (command == FS_IOC_FSSETXATTR) {
          fsxattr attributes = {};
          if ((flags & FS_IMMUTABLE_FL) != 0) attributes.fsx_xflags |= FS_XFLAG_IMMUTABLE;
          if ((flags & FS_APPEND_FL) != 0) attributes.fsx_xflags |= FS_XFLAG_APPEND;
          return ErrorOf(ioctl(file.get(), command, &attributes));
        }
        long argument = 0;
        if (ioctl(file.get(), FS_IOC_GETFLAGS, &argument) != 0) return 200;
        argument = (argument & ~long{FS_IMMUTABLE_FL | FS_APPEND_FL}) | flags;
        return ErrorOf(ioctl(file.get(), command, &argument));
      });
    };
    for (const char* name : {"/f", "/d"}) {
      for (const unsigned long command : {static_cast<unsigned long>(FS_IOC_SETFLAGS),
                                          static_cast<unsigned long>(FS_IOC32_SETFLAGS),
                                          static_cast<unsigned long>(FS_IOC_FSSETXATTR)}) {
        for (const unsigned flags : {unsigned{FS_IMMUTABLE_FL}, unsigned{FS_APPEND_FL}}) {
          t.Note("a stranger sets", set_as(kAlice, name, command, flags));
          t.Note("flags", flags_of(name));
          t.Note("root sets", set_as(Identity{}, name, FS_IOC_SETFLAGS, flags));
          t.Note("a stranger clears", set_as(kAlice, name, command, 0));
          t.Note("flags", flags_of(name));
          t.Note("root clears", set_as(Identity{}, name, FS_IOC_SETFLAGS, 0));
        }
      }
    }
  });
}

TEST_F(Ops, IoctlExtendedAttributesOfTheFile) {
  Serves("IOCTL");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "x");
    const File file(dir + "/f", O_RDONLY);
    fsxattr attributes = {};
    t.Call("get", ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes));
    t.Note("flags", attributes.fsx_xflags);
    attributes.fsx_xflags |= FS_XFLAG_NODUMP;
    t.Call("set", ioctl(file.get(), FS_IOC_FSSETXATTR, &attributes));
    attributes = {};
    t.Call("get again", ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes));
    t.Note("flags", attributes.fsx_xflags);
  });
}

// Such file systems decide by who opens a file, and that is the daemon.
TEST_F(Ops, PseudoFileSystemsAreServedOnlyIfAskedFor) {
  if (plain()) GTEST_SKIP() << "a bind mount refuses nothing";
  Serves("LOOKUP");
  ServesAny({"READDIR", "READDIRPLUS"});
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  MountInside("proc", "proc");
  MountInside("sys", "sysfs");
  const std::string own_map = "proc/" + std::to_string(getpid()) + "/uid_map";
  EXPECT_EQ(ListDirectory(Mnt()), (std::vector<std::string>{"f", "proc", "sys"}));
  for (const Identity& who : {kRoot, kAlice}) {
    for (const std::string& name : {std::string("proc"), std::string("sys"), own_map}) {
      EXPECT_EQ(RunAs(who, [&] { return ErrorOf(access(Mnt(name).c_str(), F_OK)); }), EACCES)
          << name << " for " << who.uid;
    }
  }
  Remount("allow_pseudo_filesystems");
  EXPECT_TRUE(File(Mnt(own_map), O_RDONLY).ok()) << errno;
  EXPECT_TRUE(Exists(Mnt("sys/kernel")));
  EXPECT_EQ(RunAs(kAlice, [] { return ErrorOf(File(Mnt("proc/stat"), O_RDONLY).get()); }), 0)
      << "procfs has no ACLs";
}

TEST_F(Ops, IoctlOfAnotherKindIsRefused) {
  Serves("IOCTL");
  ASSERT_TRUE(WriteFile(Mnt("f"), "x"));
  const File file(Mnt("f"), O_RDWR);
  char buffer[64] = {};
  const int error = ErrorOf(ioctl(file.get(), _IOR('Z', 99, int), buffer));
  EXPECT_TRUE(error == ENOTTY || error == ENOSYS) << ErrorName(error);
  EXPECT_EQ(ReadFile(Mnt("f")), "x");
}

// What is not offered is answered ENOSYS once; after that the kernel does not ask any more.
TEST_F(Ops, PollIsRefusedOnce) {
  Serves("READ");
  ASSERT_TRUE(WriteFile(Mnt("f"), "x"));
  const File file(Mnt("f"), O_RDONLY);
  for (int i = 0; i < 10; ++i) {
    pollfd ready = {file.get(), POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&ready, 1, 0), 1);
    EXPECT_EQ(ready.revents, POLLIN | POLLOUT);
  }
  EXPECT_EQ(ReadAll(file.get()), "x");
  if (!plain()) {
    EXPECT_EQ(Served("POLL"), 1u);
    EXPECT_EQ(Status().Errors("POLL"), 1u);
  }
}

}  // namespace
}  // namespace shuntfs::mount_test
