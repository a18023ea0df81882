// LOOKUP, CREATE, MKNOD, MKDIR, UNLINK, RMDIR, SYMLINK, READLINK, LINK, RENAME, RENAME2, TMPFILE
// and the names themselves.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

TEST_F(Ops, Lookup) {
  Serves("LOOKUP");
  ASSERT_TRUE(WriteFile(Src("there"), "x"));
  EXPECT_EQ(StatOf(Mnt("there")).st_size, 1);
  struct stat info = {};
  EXPECT_EQ(ErrorOf(lstat(Mnt("missing").c_str(), &info)), ENOENT);
  EXPECT_EQ(ErrorOf(lstat(Mnt("there/below").c_str(), &info)), ENOTDIR);
}

TEST_F(Ops, LookupSeesWhatAppearsInTheSource) {
  Serves("LOOKUP");
  EXPECT_FALSE(Exists(Mnt("later")));
  ASSERT_TRUE(WriteFile(Src("later"), "x"));
  EXPECT_TRUE(Eventually([&] { return Exists(Mnt("later")); }));
}

TEST_F(Ops, LookupSeesWhatVanishesFromTheSource) {
  Serves("LOOKUP");
  ASSERT_TRUE(WriteFile(Src("now"), "x"));
  EXPECT_TRUE(Exists(Mnt("now")));
  ASSERT_EQ(unlink(Src("now").c_str()), 0);
  EXPECT_TRUE(Eventually([&] { return !Exists(Mnt("now")); }));
}

TEST_F(Ops, Create) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    t.Done("create", File(dir + "/f", O_RDWR | O_CREAT | O_EXCL, 0640).get());
    t.Done("create again", File(dir + "/f", O_RDWR | O_CREAT | O_EXCL, 0640).get());
    t.Done("open or create", File(dir + "/f", O_RDWR | O_CREAT, 0600).get());
    t.Done("create in a file", File(dir + "/f/g", O_RDWR | O_CREAT, 0600).get());
    t.Done("create in nothing", File(dir + "/none/g", O_RDWR | O_CREAT, 0600).get());
    t.Done("create with sticky and setgid", File(dir + "/s", O_RDWR | O_CREAT, 03750).get());
    const File read_only_mode(dir + "/r", O_RDWR | O_CREAT, 0000);
    t.Call("write to a file of mode 0", write(read_only_mode.get(), "abc", 3));
  });
}

TEST_F(Ops, Mknod) {
  Serves("MKNOD");
  SameAsNative([](const std::string& dir, Transcript& t) {
    t.Call("regular", mknod((dir + "/regular").c_str(), S_IFREG | 0604, 0));
    t.Call("again", mknod((dir + "/regular").c_str(), S_IFREG | 0604, 0));
    t.Call("fifo", mknod((dir + "/fifo").c_str(), S_IFIFO | 0622, 0));
    t.Call("socket", mknod((dir + "/socket").c_str(), S_IFSOCK | 0600, 0));
    t.Call("directory", mknod((dir + "/dir").c_str(), S_IFDIR | 0600, 0));
  });
}

TEST_F(Ops, Mkdir) {
  Serves("MKDIR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    t.Call("mkdir", mkdir((dir + "/d").c_str(), 0751));
    t.Call("again", mkdir((dir + "/d").c_str(), 0751));
    t.Call("below", mkdir((dir + "/d/e").c_str(), 01777));
    t.Call("below nothing", mkdir((dir + "/none/e").c_str(), 0700));
    t.Note("links", static_cast<long>(StatOf(dir + "/d").st_nlink));
  });
}

TEST_F(Ops, Rmdir) {
  Serves("RMDIR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    mkdir((dir + "/d").c_str(), 0755);
    mkdir((dir + "/d/e").c_str(), 0755);
    WriteFile(dir + "/f", "");
    t.Call("not empty", rmdir((dir + "/d").c_str()));
    t.Call("empty", rmdir((dir + "/d/e").c_str()));
    t.Call("now empty", rmdir((dir + "/d").c_str()));
    t.Call("gone", rmdir((dir + "/d").c_str()));
    t.Call("a file", rmdir((dir + "/f").c_str()));
  });
}

TEST_F(Ops, Unlink) {
  Serves("UNLINK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "content");
    mkdir((dir + "/d").c_str(), 0755);
    t.Call("file", unlink((dir + "/f").c_str()));
    t.Call("gone", unlink((dir + "/f").c_str()));
    t.Call("directory", unlink((dir + "/d").c_str()));
    t.Done("open", File(dir + "/f", O_RDONLY).get());
  });
}

TEST_F(Ops, Symlink) {
  Serves("SYMLINK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/f", "content");
    t.Call("relative", symlink("f", (dir + "/relative").c_str()));
    t.Call("again", symlink("f", (dir + "/relative").c_str()));
    t.Call("dangling", symlink("/no/such/place", (dir + "/dangling").c_str()));
    t.Call("empty", symlink("", (dir + "/empty").c_str()));
    t.Call("long", symlink(std::string(4000, 'x').c_str(), (dir + "/long").c_str()));
    t.Call("odd bytes", symlink("a\n\x80\xff b", (dir + "/odd").c_str()));
    t.Note("followed", ReadFile(dir + "/relative"));
  });
}

TEST_F(Ops, Readlink) {
  Serves("READLINK");
  const std::string longest(4095, 'y');
  ASSERT_EQ(symlink(longest.c_str(), Src("long").c_str()), 0);
  ASSERT_EQ(symlink("to/there", Src("short").c_str()), 0);
  EXPECT_EQ(Target(Mnt("long")), longest);
  EXPECT_EQ(Target(Mnt("short")), "to/there");
  char four[4];
  EXPECT_EQ(readlink(Mnt("short").c_str(), four, sizeof(four)), 4);
  ASSERT_TRUE(WriteFile(Src("file"), ""));
  EXPECT_EQ(Target(Mnt("file")), "<EINVAL>");
}

TEST_F(Ops, Link) {
  Serves("LINK");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/a", "shared");
    mkdir((dir + "/d").c_str(), 0755);
    symlink("a", (dir + "/s").c_str());
    t.Call("link", link((dir + "/a").c_str(), (dir + "/d/b").c_str()));
    t.Call("exists", link((dir + "/a").c_str(), (dir + "/d/b").c_str()));
    t.Call("directory", link((dir + "/d").c_str(), (dir + "/e").c_str()));
    t.Call("the symlink itself", link((dir + "/s").c_str(), (dir + "/s2").c_str()));
    t.Call("the symlink's target", linkat(AT_FDCWD, (dir + "/s").c_str(), AT_FDCWD,
                                          (dir + "/c").c_str(), AT_SYMLINK_FOLLOW));
    t.Note("links", static_cast<long>(StatOf(dir + "/a").st_nlink));
    unlink((dir + "/a").c_str());
    t.Note("content by the other name", ReadFile(dir + "/d/b"));
    t.Note("links", static_cast<long>(StatOf(dir + "/c").st_nlink));
  });
}

TEST_F(Ops, HardLinksAreOneInode) {
  Serves("LINK");
  ASSERT_TRUE(WriteFile(Mnt("a"), "first"));
  ASSERT_EQ(link(Mnt("a").c_str(), Mnt("b").c_str()), 0);
  ASSERT_EQ(link(Src("a").c_str(), Src("c").c_str()), 0);
  EXPECT_EQ(StatOf(Mnt("a")).st_ino, StatOf(Mnt("b")).st_ino);
  EXPECT_EQ(StatOf(Mnt("a")).st_ino, StatOf(Mnt("c")).st_ino);
  EXPECT_EQ(StatOf(Mnt("c")).st_nlink, 3u);
  // One inode means one page cache: a mapping of one name shows a write through another.
  const File reader(Mnt("a"), O_RDONLY);
  const File writer(Mnt("c"), O_WRONLY);
  EXPECT_EQ(ReadAt(reader.get(), 5, 0), "first");
  ASSERT_TRUE(WriteAt(writer.get(), "again", 0));
  EXPECT_EQ(ReadAt(reader.get(), 5, 0), "again");
}

TEST_F(Ops, Rename) {
  Serves("RENAME");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/a", "a");
    WriteFile(dir + "/b", "bb");
    mkdir((dir + "/d").c_str(), 0755);
    mkdir((dir + "/d/e").c_str(), 0755);
    mkdir((dir + "/x").c_str(), 0755);
    const auto move = [&](const char* from, const char* to) {
      t.Call(std::string(from) + " to " + to, rename((dir + from).c_str(), (dir + to).c_str()));
    };
    move("/a", "/c");
    move("/c", "/b");
    move("/b", "/d/e/b");
    move("/missing", "/y");
    move("/d", "/d/e/f");
    move("/x", "/d");
    move("/d/e/b", "/x");
    move("/x", "/d/e/b");
    move("/d", "/x");
    t.Note("content", ReadFile(dir + "/x/e/b"));
  });
}

TEST_F(Ops, RenameKeepsOpenFilesAndNodes) {
  Serves("RENAME");
  ASSERT_TRUE(WriteFile(Mnt("a"), "old"));
  ASSERT_TRUE(WriteFile(Mnt("b"), "replaced"));
  const File a(Mnt("a"), O_RDWR);
  const File b(Mnt("b"), O_RDWR);
  const ino_t inode = StatOf(Mnt("a")).st_ino;
  ASSERT_EQ(rename(Mnt("a").c_str(), Mnt("b").c_str()), 0);
  EXPECT_EQ(StatOf(Mnt("b")).st_ino, inode);
  EXPECT_EQ(ReadAll(a.get()), "old");
  EXPECT_EQ(ReadAll(b.get()), "replaced");
  ASSERT_TRUE(WriteAt(a.get(), "new", 0));
  EXPECT_EQ(ReadFile(Src("b")), "new");
}

TEST_F(Ops, RenameOfADirectoryMovesWhatIsBelow) {
  Serves("RENAME");
  ASSERT_EQ(mkdir(Mnt("d").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Mnt("d/e").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Mnt("d/e/f"), "1"));
  const File inside(Mnt("d/e"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(rename(Mnt("d").c_str(), Mnt("moved").c_str()), 0);
  const File created(openat(inside.get(), "g", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  EXPECT_TRUE(created.ok());
  EXPECT_TRUE(Exists(Src("moved/e/g")));
  EXPECT_EQ(ReadFile(Mnt("moved/e/f")), "1");
}

TEST_F(Ops, Rename2NoReplace) {
  Serves("RENAME2");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/a", "a");
    WriteFile(dir + "/b", "b");
    t.Call("taken", renameat2(AT_FDCWD, (dir + "/a").c_str(), AT_FDCWD, (dir + "/b").c_str(),
                              RENAME_NOREPLACE));
    t.Call("free", renameat2(AT_FDCWD, (dir + "/a").c_str(), AT_FDCWD, (dir + "/c").c_str(),
                             RENAME_NOREPLACE));
    t.Call("missing", renameat2(AT_FDCWD, (dir + "/a").c_str(), AT_FDCWD, (dir + "/d").c_str(),
                                RENAME_NOREPLACE));
  });
  // The kernel looks the new name up first; what appeared behind its back is the daemon's to see.
  ASSERT_TRUE(WriteFile(Mnt("from"), "1"));
  ASSERT_FALSE(Exists(Mnt("to")));
  ASSERT_TRUE(WriteFile(Src("to"), "2"));
  EXPECT_EQ(ErrorOf(renameat2(AT_FDCWD, Mnt("from").c_str(), AT_FDCWD, Mnt("to").c_str(),
                              RENAME_NOREPLACE)),
            EEXIST);
  EXPECT_EQ(ReadFile(Src("to")), "2");
}

TEST_F(Ops, Rename2Exchange) {
  Serves("RENAME2");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/a", "a");
    mkdir((dir + "/d").c_str(), 0755);
    WriteFile(dir + "/d/b", "b");
    const auto exchange = [&](const char* one, const char* other) {
      t.Call(std::string(one) + " and " + other, renameat2(AT_FDCWD, (dir + one).c_str(), AT_FDCWD,
                                                           (dir + other).c_str(), RENAME_EXCHANGE));
    };
    exchange("/a", "/d/b");
    t.Note("a", ReadFile(dir + "/a"));
    t.Note("d/b", ReadFile(dir + "/d/b"));
    exchange("/a", "/d");
    t.Note("a/b", ReadFile(dir + "/a/b"));
    t.Note("d", ReadFile(dir + "/d"));
    exchange("/a", "/missing");
    exchange("/a", "/a/b");
  });
}

TEST_F(Ops, Rename2Whiteout) {
  Serves("RENAME2");
  SameAsNative([](const std::string& dir, Transcript& t) {
    WriteFile(dir + "/a", "a");
    t.Call("whiteout", renameat2(AT_FDCWD, (dir + "/a").c_str(), AT_FDCWD, (dir + "/b").c_str(),
                                 RENAME_WHITEOUT));
    t.Note("moved", ReadFile(dir + "/b"));
    t.Note("left behind", Describe(dir + "/a"));
    t.Call("with exchange", renameat2(AT_FDCWD, (dir + "/a").c_str(), AT_FDCWD,
                                      (dir + "/b").c_str(), RENAME_WHITEOUT | RENAME_EXCHANGE));
  });
}

TEST_F(Ops, Tmpfile) {
  Serves("TMPFILE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    File file(dir, O_TMPFILE | O_RDWR, 0640);
    t.Done("open", file.get());
    t.Call("write", write(file.get(), "nameless", 8));
    struct stat info = {};
    t.Call("fstat", fstat(file.get(), &info));
    t.Note("links", static_cast<long>(info.st_nlink));
    t.Note("mode", static_cast<long>(info.st_mode));
    t.Note("names before", static_cast<long>(ListDirectory(dir).size()));
    const std::string by_fd = "/proc/self/fd/" + std::to_string(file.get());
    t.Call("give it a name",
           linkat(AT_FDCWD, by_fd.c_str(), AT_FDCWD, (dir + "/named").c_str(), AT_SYMLINK_FOLLOW));
    t.Note("content", ReadFile(dir + "/named"));
    t.Note("links now", static_cast<long>(StatOf(dir + "/named").st_nlink));

    File exclusive(dir, O_TMPFILE | O_RDWR | O_EXCL, 0600);
    t.Done("open for good", exclusive.get());
    const std::string no_link = "/proc/self/fd/" + std::to_string(exclusive.get());
    t.Call("no name for it",
           linkat(AT_FDCWD, no_link.c_str(), AT_FDCWD, (dir + "/x").c_str(), AT_SYMLINK_FOLLOW));
  });
}

TEST_F(Ops, NamesOf255Bytes) {
  Serves("LOOKUP");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string longest(255, 'n');
    const std::string too_long(256, 'n');
    t.Done("create 255", File(dir + "/" + longest, O_CREAT | O_RDWR).get());
    t.Done("create 256", File(dir + "/" + too_long, O_CREAT | O_RDWR).get());
    t.Call("rename",
           rename((dir + "/" + longest).c_str(), (dir + "/" + std::string(255, 'm')).c_str()));
    t.Call("rename to 256",
           rename((dir + "/" + std::string(255, 'm')).c_str(), (dir + "/" + too_long).c_str()));
    t.Call("mkdir 255", mkdir((dir + "/" + longest).c_str(), 0755));
    t.Call("mkdir 256", mkdir((dir + "/" + too_long).c_str(), 0755));
    t.Note("names", static_cast<long>(ListDirectory(dir).size()));
  });
}

TEST_F(Ops, NamesOfAnyBytes) {
  ServesAny({"READDIR", "READDIRPLUS"});
  SameAsNative([](const std::string& dir, Transcript& t) {
    for (int byte = 1; byte < 256; ++byte) {
      if (byte == '/') {
        continue;
      }
      const std::string name = "n" + std::string(1, static_cast<char>(byte)) + "e";
      t.Done(std::to_string(byte), File(dir + "/" + name, O_CREAT | O_RDWR).get());
    }
    t.Done("a single dash", File(dir + "/-", O_CREAT | O_RDWR).get());
    t.Done("three dots", File(dir + "/...", O_CREAT | O_RDWR).get());
    t.Done("not UTF-8", File(dir + "/\xc3\x28\xff\xfe", O_CREAT | O_RDWR).get());
    std::string all;
    for (const std::string& name : ListDirectory(dir)) {
      all += name + "|";
      t.Call("unlink", unlink((dir + "/" + name).c_str()));
    }
    t.Note("listed", all);
  });
}

TEST_F(Ops, DeepPaths) {
  Serves("LOOKUP");
  std::string path = Mnt();
  for (int depth = 0; depth < 100; ++depth) {
    path += "/directory" + std::to_string(depth);
    ASSERT_EQ(mkdir(path.c_str(), 0755), 0) << depth;
  }
  ASSERT_TRUE(WriteFile(path + "/leaf", "deep"));
  EXPECT_EQ(ReadFile(Src() + path.substr(Mnt().size()) + "/leaf"), "deep");
  File up(path, O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 100; ++depth) {
    up = File(openat(up.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(up.ok());
  }
  struct stat top = {};
  ASSERT_EQ(fstat(up.get(), &top), 0);
  EXPECT_EQ(top.st_ino, StatOf(Mnt()).st_ino);
}

}  // namespace
}  // namespace shuntfs::mount_test
