// No path outside SRC can be reached, whatever happens to SRC at the same time. A process
// exchanges parts of SRC for symlinks that lead outside while clients work through the mount.
//
// The client's own kernel follows an absolute symlink that it is shown, and may: it then goes
// where the client could go anyway. So the clients here live in a mount namespace where an empty
// directory covers the outside; whatever of the outside they meet came through the daemon.
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

constexpr char kSecret[] = "the secret that lies outside";
constexpr int kRounds = 6000;
constexpr int kEscaped = 99;

struct Shared {
  std::atomic<bool> stop;
  std::atomic<uint64_t> exchanges;
};

class Escape : public Ops {
 protected:
  std::string MountOptions() const override { return "entry_timeout=0,attr_timeout=0"; }

  void SetUp() override {
    if (plain()) {
      GTEST_SKIP() << "the kernel's own path walk is not what is tested";
    }
    Ops::SetUp();
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared{};
    ASSERT_TRUE(WriteFile(Outside("file"), kSecret));
    ASSERT_TRUE(WriteFile(Outside("victim"), kSecret));
    ASSERT_EQ(mkdir(Outside("sub").c_str(), 0755), 0);
  }

  void TearDown() override {
    if (!plain()) {
      Ops::TearDown();
    }
  }

  static std::string Outside(const std::string& name) { return Tree().outside() + "/" + name; }

  // Runs `attack` in a client while `exchange` changes SRC, then looks at the outside.
  void Race(const std::function<void()>& exchange, const std::function<int(int)>& attack) {
    const std::string before = DescribeTree(Tree().outside());
    const pid_t exchanger = Spawn(kRoot, [&] {
      while (!shared_->stop.load()) {
        exchange();
        shared_->exchanges.fetch_add(1);
      }
      return 0;
    });
    const int rounds = Shortened(kRounds);
    const pid_t client = Spawn(kRoot, [&] {
      if (unshare(CLONE_NEWNS) != 0 ||
          mount("cover", Tree().outside().c_str(), "tmpfs", 0, nullptr) != 0) {
        return 1;
      }
      for (int round = 0; round < rounds; ++round) {
        if (const int code = attack(round); code != 0) {
          return code;
        }
      }
      return 0;
    });
    EXPECT_EQ(Wait(client), 0) << kEscaped << " means that the client saw the outside";
    shared_->stop = true;
    EXPECT_EQ(Wait(exchanger), 0);
    EXPECT_GT(shared_->exchanges.load(), static_cast<uint64_t>(rounds) / 10) << "hardly a race";
    EXPECT_EQ(DescribeTree(Tree().outside()), before);
    shared_->stop = false;
    shared_->exchanges = 0;
  }

  Shared* shared_ = nullptr;
};

void Exchange(const std::string& one, const std::string& other) {
  renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
}

TEST_F(Escape, DirectoryExchangedForASymlinkWhileReading) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Src("d/file"), "inside"));
  ASSERT_EQ(symlink(Tree().outside().c_str(), Src("l").c_str()), 0);
  Race([&] { Exchange(Src("d"), Src("l")); },
       [&](int) {
         const std::string content = ReadFile(Mnt("d/file"));
         const struct stat info = StatOf(Mnt("d/file"));
         for (const std::string& name : ListDirectory(Mnt("d"))) {
           if (name == "victim") return kEscaped;
         }
         return content == kSecret || info.st_size == sizeof(kSecret) - 1 ? kEscaped : 0;
       });
}

TEST_F(Escape, DirectoryExchangedForASymlinkWhileWriting) {
  Serves("LOOKUP");
  ASSERT_EQ(mkdir(Src("d").c_str(), 0755), 0);
  ASSERT_EQ(symlink(Tree().outside().c_str(), Src("l").c_str()), 0);
  ASSERT_TRUE(WriteFile(Src("d/file"), "inside"));
  Race([&] { Exchange(Src("d"), Src("l")); },
       [&](int round) {
         const std::string name = Mnt("d/new" + std::to_string(round));
         switch (round % 9) {
           case 0:
             WriteFile(name, "x");
             break;
           case 1:
             mkdir(name.c_str(), 0755);
             break;
           case 2:
             symlink("x", name.c_str());
             break;
           case 3:
             mkfifo(name.c_str(), 0600);
             break;
           case 4:
             unlink(Mnt("d/victim").c_str());
             rmdir(Mnt("d/sub").c_str());
             break;
           case 5:
             rename(Mnt("d/victim").c_str(), name.c_str());
             break;
           case 6:
             link(Mnt("d/file").c_str(), name.c_str());
             break;
           case 7:
             chmod(Mnt("d/victim").c_str(), 0777);
             truncate(Mnt("d/victim").c_str(), 0);
             break;
           default:
             setxattr(Mnt("d/victim").c_str(), "trusted.t", "v", 1, 0);
             WriteFile(Mnt("d/victim"), "overwritten");
             break;
         }
         return 0;
       });
}

TEST_F(Escape, FileExchangedForASymlink) {
  Serves("LOOKUP");
  ASSERT_TRUE(WriteFile(Src("f"), "inside"));
  ASSERT_EQ(symlink(Outside("file").c_str(), Src("l").c_str()), 0);
  Race([&] { Exchange(Src("f"), Src("l")); },
       [&](int round) {
         switch (round % 5) {
           case 0:
             return ReadFile(Mnt("f")) == kSecret ? kEscaped : 0;
           case 1:
             WriteFile(Mnt("f"), "inside");
             return 0;
           case 2:
             chmod(Mnt("f").c_str(), 0700);
             chown(Mnt("f").c_str(), 5, 5);
             return 0;
           case 3:
             setxattr(Mnt("f").c_str(), "trusted.t", "v", 1, 0);
             return Xattr(Mnt("f"), "trusted.secret") == "s" ? kEscaped : 0;
           default:
             truncate(Mnt("f").c_str(), 2);
             return 0;
         }
       });
}

// The name does not exist when the kernel looks it up and is a dangling symlink when the daemon
// creates it.
TEST_F(Escape, SymlinkAppearsWhereAFileIsCreated) {
  Serves("CREATE");
  Race(
      [&] {
        symlink(Outside("created").c_str(), Src("f").c_str());
        unlink(Src("f").c_str());
      },
      [&](int round) {
        File(Mnt("f"), O_CREAT | O_RDWR | (round % 2 == 0 ? O_TRUNC : 0), 0666);
        if (round % 3 == 0) {
          mknod(Mnt("f").c_str(), S_IFREG | 0600, 0);
        }
        unlink(Mnt("f").c_str());
        return 0;
      });
}

// A directory in the middle of a path moves away and a symlink takes its place.
TEST_F(Escape, DeepDirectoryExchanged) {
  Serves("LOOKUP");
  for (const char* name : {"a", "a/b", "a/b/sub", "hold"}) {
    ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0);
  }
  ASSERT_EQ(symlink((Tree().outside()).c_str(), Src("hold/b").c_str()), 0);
  Race([&] { Exchange(Src("a/b"), Src("hold/b")); },
       [&](int round) {
         const std::string name = Mnt("a/b/sub/new" + std::to_string(round));
         WriteFile(name, "x");
         rename(name.c_str(), Mnt("a/b/moved").c_str());
         rename(Mnt("a/b/victim").c_str(), Mnt("a/b/sub/stolen").c_str());
         for (const std::string& entry : ListDirectory(Mnt("a/b/sub"))) {
           if (entry == "stolen") return kEscaped;
         }
         return ReadFile(Mnt("a/b/file")) == kSecret ? kEscaped : 0;
       });
}

// What a symlink in SRC says is the client's to follow, never the daemon's.
TEST_F(Escape, SymlinksAreShownNotFollowed) {
  Serves("READLINK");
  ASSERT_EQ(symlink(Outside("file").c_str(), Src("absolute").c_str()), 0);
  ASSERT_EQ(symlink("../outside/file", Src("relative").c_str()), 0);
  EXPECT_EQ(Target(Mnt("absolute")), Outside("file"));
  EXPECT_EQ(Target(Mnt("relative")), "../outside/file");
  // Seen from MNT there is no "outside" beside it.
  EXPECT_EQ(ReadFile(Mnt("relative")), "<ENOENT>");
  EXPECT_EQ(chmod(Mnt("relative").c_str(), 0777), -1);
  EXPECT_EQ(ModeOf(Outside("file")), 0644u);
  EXPECT_EQ(lchown(Mnt("absolute").c_str(), 9, 9), 0);
  EXPECT_EQ(OwnerOf(Outside("file")), "0:0");
  EXPECT_EQ(OwnerOf(Src("absolute")), "9:9");
}

TEST_F(Escape, DotDotStaysAtTheRoot) {
  Serves("LOOKUP");
  const File root(Mnt(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(WriteFile(Src("f"), "x"));
  struct stat info = {};
  EXPECT_EQ(fstatat(root.get(), "../outside/file", &info, 0), -1);
  EXPECT_EQ(fstatat(root.get(), "../mnt/f", &info, 0), 0);
}

}  // namespace
}  // namespace shuntfs::mount_test
