// OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR: listings that neither lose nor repeat.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

// One entry as getdents64 gives it; `next` is the offset that follows it.
struct Entry {
  std::string name;
  ino_t inode;
  unsigned char type;
  off_t next;
};

// Reads from where `fd` stands to the end, `buffer_bytes` at a time.
std::vector<Entry> ReadEntries(int fd, size_t buffer_bytes = 32768) {
  std::vector<Entry> entries;
  std::vector<char> buffer(buffer_bytes);
  for (;;) {
    const long count = syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    if (count < 0) {
      ADD_FAILURE() << "getdents64: " << std::strerror(errno);
      return entries;
    }
    if (count == 0) {
      return entries;
    }
    for (long at = 0; at < count;) {
      dirent64 header;
      std::memcpy(&header, buffer.data() + at, offsetof(dirent64, d_name));
      entries.push_back({buffer.data() + at + offsetof(dirent64, d_name), header.d_ino,
                         header.d_type, header.d_off});
      at += header.d_reclen;
    }
  }
}

std::set<std::string> Names(const std::vector<Entry>& entries) {
  std::set<std::string> names;
  for (const Entry& entry : entries) {
    names.insert(entry.name);
  }
  return names;
}

void MakeFiles(const std::string& directory, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    const File file(directory + "/" + prefix + std::to_string(i), O_CREAT | O_WRONLY);
    ASSERT_TRUE(file.ok()) << i << ": " << std::strerror(errno);
  }
}

// The same names without an inode each: many times faster on a disk. ext4 takes 65,000 links.
void MakeLinks(const std::string& directory, const std::string& prefix, int count) {
  constexpr int kLinksPerFile = 60000;
  std::string target;
  for (int i = 0; i < count; ++i) {
    const std::string name = directory + "/" + prefix + std::to_string(i);
    if (i % kLinksPerFile == 0) {
      target = name;
      ASSERT_TRUE(WriteFile(target, "")) << std::strerror(errno);
    } else {
      ASSERT_EQ(link(target.c_str(), name.c_str()), 0) << i << ": " << std::strerror(errno);
    }
  }
}

TEST_F(Ops, Opendir) {
  Serves("OPENDIR");
  ASSERT_TRUE(WriteFile(Src("file"), ""));
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  EXPECT_TRUE(File(Mnt("d"), O_RDONLY | O_DIRECTORY).ok());
  EXPECT_FALSE(File(Mnt("file"), O_RDONLY | O_DIRECTORY).ok());
  EXPECT_EQ(errno, ENOTDIR);
  EXPECT_FALSE(File(Mnt("d"), O_RDWR).ok());
  EXPECT_EQ(errno, EISDIR);
}

TEST_F(Ops, Releasedir) {
  Serves("RELEASEDIR");
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  File directory(Mnt("d"), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.ok());
  directory.Close();
  if (!plain()) {
    EXPECT_TRUE(Eventually([&] { return Served("RELEASEDIR") > 0; }));
  }
}

TEST_F(Ops, Fsyncdir) {
  Serves("FSYNCDIR");
  ASSERT_EQ(mkdir(Mnt("d").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Mnt("d/f"), "x"));
  const File directory(Mnt("d"), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(fsync(directory.get()), 0);
  EXPECT_EQ(fdatasync(directory.get()), 0);
}

TEST_F(Ops, ReaddirGivesEveryEntryWithInodeAndType) {
  ServesAny({"READDIR", "READDIRPLUS"});
  ASSERT_TRUE(WriteFile(Src("file"), "x"));
  ASSERT_EQ(mkdir(Src("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("file", Src("link").c_str()), 0);
  ASSERT_EQ(mkfifo(Src("fifo").c_str(), 0600), 0);
  ASSERT_EQ(mknod(Src("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  std::map<std::string, Entry> entries;
  for (const Entry& entry : ReadEntries(directory.get())) {
    EXPECT_TRUE(entries.emplace(entry.name, entry).second) << entry.name << " came twice";
  }
  EXPECT_EQ(entries.size(), 7u);
  EXPECT_EQ(entries.count("."), 1u);
  EXPECT_EQ(entries.count(".."), 1u);
  for (const char* name : {"file", "dir", "link", "fifo", "socket"}) {
    ASSERT_EQ(entries.count(name), 1u) << name;
    const struct stat info = StatOf(Mnt(name));
    EXPECT_EQ(entries[name].inode, info.st_ino) << name;
    EXPECT_EQ(entries[name].type, IFTODT(info.st_mode)) << name;
  }
}

TEST_F(Ops, Readdirplus) {
  Remount("entry_timeout=600,attr_timeout=600");
  Serves("READDIRPLUS");
  MakeFiles(Src(), "f", 200);
  const uint64_t lookups = Served("LOOKUP");
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(ReadEntries(directory.get()).size(), 202u);
  // What READDIRPLUS brought needs no LOOKUP of its own.
  struct stat info = {};
  EXPECT_EQ(fstatat(directory.get(), "f7", &info, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(fstatat(directory.get(), "f8", &info, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(Served("LOOKUP"), lookups);
}

TEST_F(Ops, Readdir) {
  // The kernel takes the plain form when nobody looked at the entries of the first part.
  Serves("READDIR");
  MakeFiles(Src(), "a-name-that-fills-the-buffer-quickly-", 2000);
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(Names(ReadEntries(directory.get())).size(), 2002u);
}

TEST_F(Ops, ReaddirWithTheSmallestBuffers) {
  ServesAny({"READDIR", "READDIRPLUS"});
  MakeFiles(Src(), "entry", 300);
  ASSERT_TRUE(WriteFile(Src(std::string(255, 'z')), ""));
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  const std::vector<Entry> entries = ReadEntries(directory.get(), 280);
  EXPECT_EQ(entries.size(), 303u);
  EXPECT_EQ(Names(entries).size(), 303u);
}

TEST_F(Ops, RewinddirSeesNewEntries) {
  ServesAny({"READDIR", "READDIRPLUS"});
  MakeFiles(Src(), "old", 10);
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(ReadEntries(directory.get()).size(), 12u);
  ASSERT_TRUE(WriteFile(Mnt("new"), ""));
  ASSERT_EQ(unlink(Mnt("old3").c_str()), 0);
  ASSERT_EQ(lseek(directory.get(), 0, SEEK_SET), 0);
  const std::set<std::string> names = Names(ReadEntries(directory.get()));
  EXPECT_EQ(names.count("new"), 1u);
  EXPECT_EQ(names.count("old3"), 0u);
}

// From every remembered offset, the entries that stayed follow in their order, none lost and
// none repeated, however much the directory has changed in between.
TEST_F(Ops, SeekdirTelldirOverAChangingDirectory) {
  ServesAny({"READDIR", "READDIRPLUS"});
  constexpr int kFiles = 3000;
  MakeFiles(Src(), "stay", kFiles);
  MakeFiles(Src(), "leave", kFiles / 3);
  const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
  const std::vector<Entry> original = ReadEntries(directory.get(), 4096);
  ASSERT_EQ(original.size(), size_t{kFiles + kFiles / 3 + 2});

  for (int i = 0; i < kFiles / 3; ++i) {
    ASSERT_EQ(unlink(Mnt("leave" + std::to_string(i)).c_str()), 0);
  }
  MakeFiles(Mnt(), "new", kFiles / 3);

  for (size_t at = 1; at < original.size(); at += 331) {
    ASSERT_EQ(lseek(directory.get(), original[at].next, SEEK_SET), original[at].next);
    std::vector<std::string> expected;
    for (size_t i = at + 1; i < original.size(); ++i) {
      if (!original[i].name.starts_with("leave")) {
        expected.push_back(original[i].name);
      }
    }
    std::vector<std::string> found;
    for (const Entry& entry : ReadEntries(directory.get(), 1024)) {
      // What came or went since the directory was opened may show or not (readdir(3p)).
      if (!entry.name.starts_with("new") && !entry.name.starts_with("leave")) {
        found.push_back(entry.name);
      }
    }
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << "from entry " << at;
  }
}

// A walk that removes what it reads, as `rm -r` does, must still meet every entry.
TEST_F(Ops, ListingWhileEntriesAreRemoved) {
  Serves("UNLINK");
  constexpr int kFiles = 5000;
  MakeFiles(Src(), "f", kFiles);
  DIR* directory = opendir(Mnt().c_str());
  ASSERT_NE(directory, nullptr);
  int removed = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == 'f') {
      EXPECT_EQ(unlinkat(dirfd(directory), entry->d_name, 0), 0) << entry->d_name;
      ++removed;
    }
  }
  closedir(directory);
  EXPECT_EQ(removed, kFiles);
  EXPECT_TRUE(ListDirectory(Src()).empty());
}

TEST_F(Ops, DirectoryOf200000Entries) {
  ServesAny({"READDIR", "READDIRPLUS"});
  const int files = Shortened(200000);
  const size_t entries_in_all = static_cast<size_t>(files) + 2;
  if (Config().backing == Backing::kDisk) {
    ASSERT_NO_FATAL_FAILURE(MakeLinks(Src(), "entry", files));
  } else {
    ASSERT_NO_FATAL_FAILURE(MakeFiles(Src(), "entry", files));
  }
  {
    const File directory(Mnt(), O_RDONLY | O_DIRECTORY);
    const std::vector<Entry> entries = ReadEntries(directory.get());
    EXPECT_EQ(entries.size(), entries_in_all);
    EXPECT_EQ(Names(entries).size(), entries_in_all);
  }
  EXPECT_TRUE(Exists(Mnt("entry" + std::to_string(files - 1))));
  EXPECT_FALSE(Exists(Mnt("entry" + std::to_string(files))));
  ASSERT_EQ(unlink(Mnt("entry" + std::to_string(files / 2)).c_str()), 0);
  EXPECT_EQ(ListDirectory(Mnt()).size(), static_cast<size_t>(files - 1));
}

TEST_F(Ops, DirectoryRemovedWhileOpen) {
  Serves("RMDIR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    mkdir((dir + "/d").c_str(), 0755);
    const File directory(dir + "/d", O_RDONLY | O_DIRECTORY);
    t.Call("rmdir", rmdir((dir + "/d").c_str()));
    t.Done("create inside", openat(directory.get(), "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    t.Call("mkdir inside", mkdirat(directory.get(), "e", 0755));
    char buffer[1024];
    const long count = syscall(SYS_getdents64, directory.get(), buffer, sizeof(buffer));
    t.Note("entries", count <= 0 ? "none" : "some");
  });
}

TEST_F(Ops, TwoReadersHaveTheirOwnPositions) {
  ServesAny({"READDIR", "READDIRPLUS"});
  MakeFiles(Src(), "f", 500);
  const File one(Mnt(), O_RDONLY | O_DIRECTORY);
  const File other(Mnt(), O_RDONLY | O_DIRECTORY);
  std::set<std::string> from_one;
  std::set<std::string> from_other;
  char buffer[2048];
  bool more = true;
  while (more) {
    more = false;
    for (const auto& [fd, names] :
         {std::pair(one.get(), &from_one), std::pair(other.get(), &from_other)}) {
      const long count = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));
      ASSERT_GE(count, 0);
      for (long at = 0; at < count;) {
        dirent64 header;
        std::memcpy(&header, buffer + at, offsetof(dirent64, d_name));
        EXPECT_TRUE(names->insert(buffer + at + offsetof(dirent64, d_name)).second);
        at += header.d_reclen;
        more = true;
      }
    }
  }
  EXPECT_EQ(from_one.size(), 502u);
  EXPECT_EQ(from_other.size(), 502u);
}

// readdir(3) of a 32-bit program fails where an offset has more bits, as ext4's own have.
TEST_F(Ops, OffsetsOfAListingFitA32BitProgram) {
  ServesAny({"READDIR", "READDIRPLUS"});
  constexpr int kFiles = 300;
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  MakeFiles(Src("d"), "file", kFiles);
  const File directory(Mnt("d"), O_RDONLY | O_DIRECTORY);
  const std::vector<Entry> all = ReadEntries(directory.get(), 4096);
  ASSERT_EQ(all.size(), size_t{kFiles} + 2);
  if (!plain()) {
    for (const Entry& entry : all) EXPECT_LE(entry.next, 0x7fffffff) << entry.name;
  }
  for (size_t at = 0; at + 1 < all.size(); at += 37) {
    const File again(Mnt("d"), O_RDONLY | O_DIRECTORY);
    ASSERT_EQ(lseek(again.get(), all[at].next, SEEK_SET), all[at].next);
    const std::vector<Entry> rest = ReadEntries(again.get());
    ASSERT_EQ(rest.size(), all.size() - at - 1);
    EXPECT_EQ(rest.front().name, all[at + 1].name);
  }
}

}  // namespace
}  // namespace shuntfs::mount_test
