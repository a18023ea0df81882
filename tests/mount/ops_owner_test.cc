// Whose files these are: owners of what is created, groups, umask, the bits that a change of
// content or owner takes away, and credentials that never stay for the next request.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr gid_t kTeam = 777;

void MakeOpenDirectory(const std::string& path, mode_t mode = 0777) {
  mkdir(path.c_str(), mode);
  chmod(path.c_str(), mode);
}

TEST_F(Ops, CreatedFilesBelongToTheCaller) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/d";
    MakeOpenDirectory(d);
    t.Note("create", RunAs(kAlice, [&] {
             File(d + "/file", O_CREAT | O_RDWR, 0644);
             mkdir((d + "/dir").c_str(), 0755);
             symlink("file", (d + "/link").c_str());
             mkfifo((d + "/fifo").c_str(), 0600);
             mknod((d + "/socket").c_str(), S_IFSOCK | 0600, 0);
             mknod((d + "/node").c_str(), S_IFREG | 0600, 0);
             const File nameless(d, O_TMPFILE | O_RDWR, 0600);
             const std::string by_fd = "/proc/self/fd/" + std::to_string(nameless.get());
             return ErrorOf(linkat(AT_FDCWD, by_fd.c_str(), AT_FDCWD, (d + "/tmpfile").c_str(),
                                   AT_SYMLINK_FOLLOW));
           }));
    for (const char* name : {"file", "dir", "link", "fifo", "socket", "node", "tmpfile"}) {
      EXPECT_EQ(OwnerOf(d + "/" + name), "12345:12345") << name;
    }
  });
}

TEST_F(Ops, CreatedFilesBelongToTheFilesystemIds) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    MakeOpenDirectory(dir + "/d");
    t.Note("create", RunAs(kRoot, [&] {
             // setfsuid of the thread only, as a file server does it.
             syscall(SYS_setfsgid, 5555);
             syscall(SYS_setfsuid, 4444);
             return ErrorOf(File(dir + "/d/f", O_CREAT | O_RDWR, 0644).get());
           }));
    t.Note("owner", OwnerOf(dir + "/d/f"));
  });
}

TEST_F(Ops, SetgidDirectories) {
  Serves("MKDIR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/d";
    MakeOpenDirectory(d);
    chown(d.c_str(), 0, kTeam);
    chmod(d.c_str(), 02777);
    for (const Identity& who : {kAlice, Identity{34567, 34567, {kTeam}}}) {
      const std::string suffix = std::to_string(who.uid);
      t.Note("create", RunAs(who, [&] {
               File(d + "/file" + suffix, O_CREAT | O_RDWR, 0644);
               File(d + "/program" + suffix, O_CREAT | O_RDWR, 02755);
               mkfifo((d + "/fifo" + suffix).c_str(), 0644);
               symlink("x", (d + "/link" + suffix).c_str());
               return ErrorOf(mkdir((d + "/dir" + suffix).c_str(), 0755));
             }));
    }
    t.Note("group", OwnerOf(d + "/file12345"));
    t.Note("setgid handed down", static_cast<long>(ModeOf(d + "/dir12345")));
    t.Note("setgid of an outsider", static_cast<long>(ModeOf(d + "/program12345")));
    t.Note("setgid of a member", static_cast<long>(ModeOf(d + "/program34567")));
  });
}

TEST_F(Ops, Umask) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    for (const mode_t mask : {0u, 022u, 027u, 0777u}) {
      const mode_t old = umask(mask);
      const std::string suffix = std::to_string(mask);
      t.Done("file", File(dir + "/f" + suffix, O_CREAT | O_RDWR, 0666).get());
      t.Call("directory", mkdir((dir + "/d" + suffix).c_str(), 0777));
      t.Call("fifo", mkfifo((dir + "/p" + suffix).c_str(), 0666));
      umask(old);
      t.Note("file", static_cast<long>(ModeOf(dir + "/f" + suffix)));
      t.Note("directory", static_cast<long>(ModeOf(dir + "/d" + suffix)));
      t.Note("fifo", static_cast<long>(ModeOf(dir + "/p" + suffix)));
    }
  });
}

TEST_F(Ops, SupplementaryGroups) {
  Serves("CREATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/team";
    mkdir(d.c_str(), 0770);
    chown(d.c_str(), 0, kTeam);
    chmod(d.c_str(), 0770);
    const Identity member{34567, 34567, {111, 222, kTeam}};
    const auto attempt = [&](const char* what, const Identity& who, auto call) {
      t.Note(what, RunAs(who, [&] { return ErrorOf(call()); }));
    };
    attempt("member creates", member, [&] { return File(d + "/f", O_CREAT | O_RDWR, 0660).get(); });
    attempt("outsider creates", kAlice,
            [&] { return File(d + "/g", O_CREAT | O_RDWR, 0660).get(); });
    attempt("member gives the file to a group of theirs", member,
            [&] { return chown((d + "/f").c_str(), static_cast<uid_t>(-1), kTeam); });
    attempt("member gives the file to a group not theirs", member,
            [&] { return chown((d + "/f").c_str(), static_cast<uid_t>(-1), 999); });
    attempt("member gives the file away", member,
            [&] { return chown((d + "/f").c_str(), 1, static_cast<gid_t>(-1)); });
    attempt("another member writes it", {45678, 45678, {kTeam}},
            [&] { return File(d + "/f", O_RDWR).get(); });
    attempt("member removes it", member, [&] { return unlink((d + "/f").c_str()); });
  });
}

TEST_F(Ops, StickyDirectories) {
  Serves("LOOKUP");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string d = dir + "/tmp";
    MakeOpenDirectory(d, 01777);
    t.Note("Alice creates",
           RunAs(kAlice, [&] { return ErrorOf(File(d + "/f", O_CREAT | O_RDWR, 0666).get()); }));
    t.Note("Bob removes", RunAs(kBob, [&] { return ErrorOf(unlink((d + "/f").c_str())); }));
    t.Note("Bob renames",
           RunAs(kBob, [&] { return ErrorOf(rename((d + "/f").c_str(), (d + "/g").c_str())); }));
    t.Note("Alice removes", RunAs(kAlice, [&] { return ErrorOf(unlink((d + "/f").c_str())); }));
  });
}

TEST_F(Ops, OnlyTheOwnerChangesAttributes) {
  Serves("SETATTR");
  SameAsNative([](const std::string& dir, Transcript& t) {
    const std::string f = dir + "/f";
    WriteFile(f, "x", 0666);
    chmod(f.c_str(), 0666);
    chown(f.c_str(), kAlice.uid, kAlice.gid);
    const timespec times[2] = {{1, 1}, {2, 2}};
    const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    for (const Identity& who : {kAlice, kBob}) {
      const auto attempt = [&](const char* what, auto call) {
        t.Note(what, RunAs(who, [&] { return ErrorOf(call()); }));
      };
      attempt("chmod", [&] { return chmod(f.c_str(), 0666); });
      attempt("set times", [&] { return utimensat(AT_FDCWD, f.c_str(), times, 0); });
      attempt("touch", [&] { return utimensat(AT_FDCWD, f.c_str(), now, 0); });
      attempt("truncate", [&] { return truncate(f.c_str(), 0); });
      attempt("chown", [&] { return chown(f.c_str(), who.uid, static_cast<gid_t>(-1)); });
    }
    t.Note("setgid by an owner outside the group",
           RunAs(kRoot, [&] { return ErrorOf(chown(f.c_str(), kAlice.uid, kTeam)); }));
    t.Note("chmod", RunAs(kAlice, [&] { return ErrorOf(chmod(f.c_str(), 02755)); }));
    t.Note("mode", static_cast<long>(ModeOf(f)));
  });
}

// The bits that lend identity: set them, let `who` make a change, compare what is left.
class SetuidBits : public Ops {
 protected:
  void After(const Identity& who, const std::function<long(const std::string&)>& change,
             mode_t kept) {
    SameAsNative([&](const std::string& dir, Transcript& t) {
      for (const mode_t mode : {06777u, 04777u, 02777u, 02767u}) {
        const std::string f = dir + "/f" + std::to_string(mode);
        WriteFile(f, "content");
        chown(f.c_str(), kBob.uid, kBob.gid);
        chmod(f.c_str(), mode);
        t.Note("change", RunAs(who, [&] { return ErrorOf(change(f)); }));
        t.Note("left of " + std::to_string(mode), static_cast<long>(ModeOf(f)));
      }
      EXPECT_EQ(ModeOf(dir + "/f" + std::to_string(06777)), kept);
    });
  }
  static long Write(const std::string& f) {
    const File file(f, O_WRONLY);
    return file.ok() && WriteAt(file.get(), "x", 0) ? 0 : -1;
  }
};

TEST_F(SetuidBits, DroppedOnWriteByAUser) {
  Serves("WRITE");
  After(kAlice, &SetuidBits::Write, 0777);
}

TEST_F(SetuidBits, KeptOnWriteByRoot) {
  Serves("WRITE");
  After(kRoot, &SetuidBits::Write, 06777);
}

TEST_F(SetuidBits, DroppedOnDirectWriteByAUser) {
  Serves("WRITE");
  After(
      kAlice,
      [](const std::string& f) {
        alignas(4096) static char page[4096];
        const File file(f, O_WRONLY | O_DIRECT);
        return pwrite(file.get(), page, sizeof(page), 0) == sizeof(page) ? 0L : -1L;
      },
      0777);
}

TEST_F(SetuidBits, DroppedOnTruncateByAUser) {
  After(
      kAlice, [](const std::string& f) { return truncate(f.c_str(), 3); }, 0777);
}

TEST_F(SetuidBits, KeptOnTruncateByRoot) {
  Serves("SETATTR");
  After(
      kRoot, [](const std::string& f) { return truncate(f.c_str(), 3); }, 06777);
}

TEST_F(SetuidBits, DroppedOnOpenWithTruncationByAUser) {
  After(
      kAlice, [](const std::string& f) { return long{File(f, O_WRONLY | O_TRUNC).get()}; }, 0777);
}

TEST_F(SetuidBits, DroppedOnChownEvenByRoot) {
  Serves("SETATTR");
  After(
      kRoot, [](const std::string& f) { return chown(f.c_str(), 1, 2); }, 0777);
}

TEST_F(SetuidBits, DroppedOnFallocateByAUser) {
  Serves("FALLOCATE");
  After(
      kAlice, [](const std::string& f) { return fallocate(File(f, O_WRONLY).get(), 0, 0, 10000); },
      0777);
}

TEST_F(SetuidBits, DroppedOnCopyFileRangeByAUser) {
  ServesAny({"COPY_FILE_RANGE", "COPY_FILE_RANGE_64"});
  After(
      kAlice,
      [](const std::string& f) {
        const File from(f, O_RDONLY);
        const File to(f, O_WRONLY);
        off_t in = 0;
        off_t out = 4;
        return copy_file_range(from.get(), &in, to.get(), &out, 2, 0) == 2 ? 0L : -1L;
      },
      0777);
}

// Many callers at once, each with ids and groups of its own: everything each creates is its own,
// and what is forbidden to it stays forbidden whoever was served just before on the same thread.
TEST_F(Ops, CredentialsNeverLeak) {
  Serves("CREATE");
  constexpr uid_t kCallers = 8;
  constexpr int kRounds = 150;
  MakeOpenDirectory(Mnt("open"));
  ASSERT_EQ(mkdir(Mnt("forbidden").c_str(), 0700), 0);
  for (uid_t i = 0; i < kCallers; ++i) {
    const std::string own = Mnt("own" + std::to_string(i));
    ASSERT_EQ(mkdir(own.c_str(), 0700), 0);
    ASSERT_EQ(chown(own.c_str(), 20000 + i, 30000 + i), 0);
    const std::string team = Mnt("team" + std::to_string(i));
    ASSERT_EQ(mkdir(team.c_str(), 0770), 0);
    ASSERT_EQ(chown(team.c_str(), 0, 40000 + i), 0);
    ASSERT_EQ(chmod(team.c_str(), 0770), 0);
  }
  std::vector<pid_t> children;
  for (uid_t i = 0; i < kCallers; ++i) {
    children.push_back(Spawn({20000 + i, 30000 + i, {40000 + i}}, [&, i] {
      const std::string me = std::to_string(i);
      const std::string neighbour = std::to_string((i + 1) % kCallers);
      for (int round = 0; round < kRounds; ++round) {
        const std::string name = "/" + me + "-" + std::to_string(round);
        if (!File(Mnt("open") + name + "f", O_CREAT | O_RDWR, 0600).ok()) return 1;
        if (mkdir((Mnt("open") + name + "d").c_str(), 0700) != 0) return 2;
        if (symlink("x", (Mnt("open") + name + "s").c_str()) != 0) return 3;
        if (mkfifo((Mnt("open") + name + "p").c_str(), 0600) != 0) return 4;
        if (!File(Mnt("own" + me) + name, O_CREAT | O_RDWR, 0600).ok()) return 5;
        if (!File(Mnt("team" + me) + name, O_CREAT | O_RDWR, 0600).ok()) return 6;
        if (File(Mnt("own" + neighbour) + name, O_CREAT | O_RDWR, 0600).ok()) return 7;
        if (File(Mnt("team" + neighbour) + name, O_CREAT | O_RDWR, 0600).ok()) return 8;
        if (mkdir((Mnt("forbidden") + name).c_str(), 0700) == 0) return 9;
        if (chown((Mnt("open") + name + "f").c_str(), 0, 0) == 0) return 10;
      }
      return 0;
    }));
  }
  // Root works between them, as the one whose rights would do the most harm.
  children.push_back(Spawn(kRoot, [&] {
    for (int round = 0; round < kRounds; ++round) {
      if (!File(Mnt("forbidden/r" + std::to_string(round)), O_CREAT | O_RDWR, 0600).ok()) return 1;
    }
    return 0;
  }));
  for (const pid_t child : children) {
    EXPECT_EQ(Wait(child), 0);
  }
  int checked = 0;
  for (const std::string& name : ListDirectory(Src("open"))) {
    const std::string i = name.substr(0, name.find('-'));
    const struct stat info = StatOf(Src("open/" + name));
    ASSERT_EQ(std::to_string(info.st_uid), std::to_string(20000 + std::stoul(i))) << name;
    ASSERT_EQ(std::to_string(info.st_gid), std::to_string(30000 + std::stoul(i))) << name;
    ++checked;
  }
  EXPECT_EQ(checked, static_cast<int>(kCallers) * kRounds * 4);
  for (const std::string& name : ListDirectory(Src("forbidden"))) {
    EXPECT_EQ(OwnerOf(Src("forbidden/" + name)), "0:0") << name;
  }
}

// Who is in the file's group keeps a setgid bit that is not for execution, and nobody else does
// (generic/193, 683).
TEST_F(Ops, SetGidStaysWithAMemberOfTheGroup) {
  Serves("FALLOCATE");
  SameAsNative([](const std::string& dir, Transcript& t) {
    struct Row {
      gid_t group;
      mode_t mode;
    };
    const std::function<int(const std::string&)> actions[] = {
        [](const std::string& path) { return ErrorOf(truncate(path.c_str(), 1)); },
        [](const std::string& path) { return ErrorOf(ftruncate(File(path, O_WRONLY).get(), 1)); },
        [](const std::string& path) { return ErrorOf(File(path, O_WRONLY | O_TRUNC).get()); },
        [](const std::string& path) {
          return ErrorOf(fallocate(File(path, O_WRONLY).get(), 0, 0, 8192));
        },
        [](const std::string& path) {
          return WriteAt(File(path, O_WRONLY).get(), "x", 0) ? 0 : 200;
        },
    };
    // In mode kernel, what is written does not come to the daemon.
    const size_t count = std::size(actions) - (Config().mode == Mode::kKernel ? 1 : 0);
    int number = 0;
    for (const Row& row : {Row{kAlice.gid, 06646}, Row{kAlice.gid, 06656}, Row{0, 06666}}) {
      for (size_t i = 0; i < count; ++i) {
        const std::string path = dir + "/f" + std::to_string(number++);
        WriteFile(path, "content");
        chown(path.c_str(), 0, row.group);
        chmod(path.c_str(), row.mode | 0020);
        t.Note("done", RunAs(kAlice, [&] { return actions[i](path); }));
        t.Note("mode", ModeOf(path));
      }
    }
  });
}

}  // namespace
}  // namespace shuntfs::mount_test
