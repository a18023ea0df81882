// What a serving thread may do, and that a caller's identity never outlives its scope. Each test
// runs in a thread of its own, because a thread that was adopted cannot go back.
#include "core/sys/thread_identity.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

constexpr uint32_t kNoId = 0xffffffff;
constexpr Caller kCaller{HostUid(1234), HostGid(5678), std::nullopt};

// What the kernel says of the calling thread.
struct ThreadState {
  std::map<std::string, std::string> lines;

  static ThreadState Now() {
    ThreadState state;
    std::ifstream file("/proc/thread-self/status");
    for (std::string line; std::getline(file, line);) {
      const size_t colon = line.find(":\t");
      if (colon == std::string::npos) continue;
      const std::string key = line.substr(0, colon);
      for (const char* wanted : {"Uid", "Gid", "Groups", "CapEff", "CapPrm", "Umask"}) {
        if (key == wanted) state.lines[key] = line.substr(colon + 2);
      }
    }
    return state;
  }

  bool Has(int capability) const {
    return (std::stoull(lines.at("CapEff"), nullptr, 16) >> capability & 1) != 0;
  }
  // The number that file permissions go by.
  unsigned long FsId(const char* key) const {
    std::istringstream numbers(lines.at(key));
    unsigned long id = 0;
    for (int i = 0; i < 4; ++i) numbers >> id;
    return id;
  }
  std::string Groups() const {
    std::string groups = lines.at("Groups");
    while (!groups.empty() && groups.back() == ' ') groups.pop_back();
    return groups;
  }
  friend bool operator==(const ThreadState&, const ThreadState&) = default;
};

class ThreadIdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to act as another user";
    bool mapped = true;
    std::thread([&mapped] {
      setfsuid(kCaller.uid.value());
      mapped = static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) == kCaller.uid.value();
    }).join();
    if (!mapped) GTEST_SKIP() << "user 1234 does not exist in this user namespace";
  }

  // Runs `body` as a serving thread.
  static void Serve(const std::function<void(ThreadIdentity&)>& body) {
    std::thread([&body] {
      Result<ThreadIdentity> identity = ThreadIdentity::Adopt(/*privileged=*/true);
      ASSERT_TRUE(identity.ok()) << identity.error().value();
      body(*identity);
    }).join();
  }

  TempTree tree_;
};

TEST_F(ThreadIdentityTest, AdoptDropsWhatAFileServerMustNotHave) {
  const ThreadState before = ThreadState::Now();
  Serve([](ThreadIdentity& identity) {
    const ThreadState state = ThreadState::Now();
    EXPECT_TRUE(identity.privileged());
    EXPECT_EQ(state.Groups(), "");
    EXPECT_FALSE(state.Has(CAP_SYS_RESOURCE));
    EXPECT_TRUE(state.Has(CAP_FSETID));
    EXPECT_EQ(state.lines.at("Umask"), "0000");
  });
  EXPECT_EQ(ThreadState::Now(), before) << "other threads are as they were";
}

// A thread begins with the capabilities and the group of the thread that starts it, which may be
// stripping just then. It did not take them back: every write of root's that it served later took
// setuid bits away, and what root made belonged to the group of another caller.
TEST_F(ThreadIdentityTest, AThreadStartedByOneThatStripsDoesNotStripItself) {
  Serve([](ThreadIdentity& identity) {
    identity.SetStripsSuid(true, kCaller.gid);
    ASSERT_FALSE(ThreadState::Now().Has(CAP_FSETID));
    ASSERT_EQ(ThreadState::Now().FsId("Gid"), kCaller.gid.value());
    Serve([](ThreadIdentity& mine) {
      EXPECT_TRUE(ThreadState::Now().Has(CAP_FSETID));
      EXPECT_EQ(ThreadState::Now().FsId("Gid"), 0U);
      mine.SetStripsSuid(false);
      EXPECT_TRUE(ThreadState::Now().Has(CAP_FSETID));
      const CallerScope scope(mine, Caller{HostUid(0), HostGid(0), std::nullopt});
      EXPECT_EQ(ThreadState::Now().FsId("Gid"), 0U);
    });
    EXPECT_FALSE(ThreadState::Now().Has(CAP_FSETID));
  });
}

TEST_F(ThreadIdentityTest, WhoSourceChecksStaysWhoTheyAreUntilTheEnd) {
  Serve([](ThreadIdentity& identity) {
    {
      const CallerScope scope(identity, kCaller, CallerScope::Checks::kByBacking);
      ASSERT_TRUE(scope.outcome().ok());
      EXPECT_TRUE(identity.checked_by_backing());
      const ThreadState outer = ThreadState::Now();
      EXPECT_EQ(outer.lines.at("CapEff"), "0000000000000000");
      EXPECT_NE(outer.lines.at("CapPrm"), "0000000000000000");
      {
        const CallerScope inner(identity, Caller{HostUid(5), HostGid(6), std::nullopt});
        EXPECT_TRUE(inner.outcome().ok());
        EXPECT_EQ(ThreadState::Now(), outer);
      }
      // A caller whom the file system checks gets no capability from what an operation asks for.
      identity.SetStripsSuid(true);
      identity.SetStripsSuid(false);
      EXPECT_EQ(ThreadState::Now(), outer);
      identity.SetStripsSuid(true);
    }
    EXPECT_FALSE(identity.checked_by_backing());
    EXPECT_TRUE(ThreadState::Now().Has(CAP_FSETID));
    // What was asked for inside is not remembered outside.
    identity.SetStripsSuid(true);
    EXPECT_FALSE(ThreadState::Now().Has(CAP_FSETID));
  });
}

TEST_F(ThreadIdentityTest, NobodysRightsEndWithTheScope) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    {
      const CallerScope scope(identity, Caller{kCaller.uid, kCaller.gid, HostGid(4321)},
                              CallerScope::Checks::kByBacking);
      ASSERT_TRUE(scope.outcome().ok());
      {
        const AdministratorScope administrator;
        EXPECT_TRUE(ThreadState::Now().Has(CAP_SYS_ADMIN));
        EXPECT_FALSE(ThreadState::Now().Has(CAP_DAC_OVERRIDE));
      }
      EXPECT_FALSE(ThreadState::Now().Has(CAP_SYS_ADMIN));
    }
    EXPECT_EQ(ThreadState::Now(), before);
    { const AdministratorScope administrator; }
    EXPECT_EQ(ThreadState::Now(), before) << "what was there already is not taken away";
  });
}

// Root, too, makes its files in its own group after a member of another group has written.
TEST_F(ThreadIdentityTest, TheGroupOfAWriteIsGoneBeforeAnythingIsMade) {
  Serve([this](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    for (const Caller& maker : {Caller{}, kCaller}) {
      identity.SetStripsSuid(true, HostGid(4321));
      EXPECT_EQ(ThreadState::Now().FsId("Gid"), 4321u);
      const CallerScope scope(identity, maker);
      ASSERT_TRUE(scope.outcome().ok());
      EXPECT_EQ(ThreadState::Now().FsId("Gid"), maker.gid.value());
    }
    EXPECT_EQ(ThreadState::Now(), before);
    identity.SetStripsSuid(true, HostGid(4321));
    identity.SetStripsSuid(false, HostGid(4321));
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

// generic/193, generic/683: who decides about setgid is a member of the file's group, or is not.
TEST_F(ThreadIdentityTest, AWriteKeepsSetgidWhereTheWriterIsAMember) {
  Serve([this](ThreadIdentity& identity) {
    struct Row {
      gid_t owner;
      gid_t writer;
      mode_t before;
      mode_t after;
    };
    for (const Row& row : {Row{4321, 4321, 06644, 02644}, Row{4321, 1234, 06644, 0644},
                           Row{0, 4321, 06666, 0666}, Row{4321, 4321, 06654, 0654}}) {
      tree_.File("f", "x", 0644);
      ASSERT_EQ(chown(tree_.At("f").c_str(), 0, row.owner), 0);
      ASSERT_EQ(chmod(tree_.At("f").c_str(), row.before), 0);
      const UniqueFd file = tree_.Open("f", O_WRONLY);
      identity.SetStripsSuid(true, HostGid(row.writer));
      EXPECT_EQ(pwrite(file.get(), "y", 1, 0), 1);
      EXPECT_EQ(tree_.Status("f").stx_mode & 07777, row.after) << row.owner << " " << row.writer;
      identity.SetStripsSuid(false);
    }
  });
}

TEST_F(ThreadIdentityTest, AScopeTakesTheCallersIdentityAndGivesItBack) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    {
      const CallerScope scope(identity, kCaller);
      ASSERT_TRUE(scope.outcome().ok());
      const ThreadState inside = ThreadState::Now();
      EXPECT_EQ(inside.FsId("Uid"), kCaller.uid.value());
      EXPECT_EQ(inside.FsId("Gid"), kCaller.gid.value());
      EXPECT_EQ(inside.Groups(), "");
      EXPECT_TRUE(inside.Has(CAP_DAC_OVERRIDE));
      EXPECT_TRUE(inside.Has(CAP_DAC_READ_SEARCH));
      EXPECT_TRUE(inside.Has(CAP_MKNOD));
      EXPECT_FALSE(inside.Has(CAP_CHOWN));
      EXPECT_FALSE(inside.Has(CAP_FOWNER));
      EXPECT_FALSE(inside.Has(CAP_FSETID));
    }
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

TEST_F(ThreadIdentityTest, AScopeWithASupplementaryGroupGivesItBack) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    {
      const CallerScope scope(identity, Caller{kCaller.uid, kCaller.gid, HostGid(4321)});
      ASSERT_TRUE(scope.outcome().ok());
      EXPECT_EQ(ThreadState::Now().Groups(), "4321");
    }
    EXPECT_EQ(ThreadState::Now(), before);
    {
      const CallerScope scope(identity, kCaller);
      EXPECT_EQ(ThreadState::Now().Groups(), "") << "the group of the request before";
    }
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

TEST_F(ThreadIdentityTest, RootsOwnRequestsSwitchNothing) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    const CallerScope scope(identity, Caller{});
    EXPECT_TRUE(scope.outcome().ok());
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

TEST_F(ThreadIdentityTest, RootInAnotherGroupKeepsItsCapabilities) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    {
      const CallerScope scope(identity, Caller{HostUid(0), kCaller.gid, std::nullopt});
      ASSERT_TRUE(scope.outcome().ok());
      const ThreadState inside = ThreadState::Now();
      EXPECT_EQ(inside.FsId("Gid"), kCaller.gid.value());
      EXPECT_EQ(inside.lines.at("CapEff"), before.lines.at("CapEff"));
    }
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

TEST_F(ThreadIdentityTest, AnIdentityThatCannotBeTakenIsToldAndUndone) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    for (const Caller& nobody : {Caller{HostUid(kNoId), HostGid(5), std::nullopt},
                                 Caller{HostUid(5), HostGid(kNoId), HostGid(7)},
                                 Caller{HostUid(5), HostGid(5), HostGid(kNoId)}}) {
      {
        const CallerScope scope(identity, nobody);
        EXPECT_FALSE(scope.outcome().ok()) << nobody.uid.value() << ":" << nobody.gid.value();
      }
      EXPECT_EQ(ThreadState::Now(), before) << nobody.uid.value() << ":" << nobody.gid.value();
    }
  });
}

TEST_F(ThreadIdentityTest, StrippingTogglesFsetid) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    identity.SetStripsSuid(true);
    EXPECT_FALSE(ThreadState::Now().Has(CAP_FSETID));
    identity.SetStripsSuid(false);
    EXPECT_EQ(ThreadState::Now(), before);
    identity.SetStripsSuid(true);
    {
      const CallerScope scope(identity, kCaller);
      ASSERT_TRUE(scope.outcome().ok());
    }
    EXPECT_EQ(ThreadState::Now(), before) << "a scope ends with the base state";
    identity.SetStripsSuid(true);
    EXPECT_FALSE(ThreadState::Now().Has(CAP_FSETID)) << "the scope was not noticed";
  });
}

TEST_F(ThreadIdentityTest, AWriteStripsSuidOnlyWhenItShall) {
  Serve([this](ThreadIdentity& identity) {
    for (const bool strips : {false, true}) {
      tree_.File("f", "x", 06755);
      identity.SetStripsSuid(strips);
      const UniqueFd file = tree_.Open("f", O_WRONLY);
      EXPECT_EQ(pwrite(file.get(), "y", 1, 0), 1);
      EXPECT_EQ(tree_.Status("f").stx_mode & 07777, strips ? 0755 : 06755);
      identity.SetStripsSuid(false);
    }
  });
}

TEST_F(ThreadIdentityTest, WhatIsMadeInAScopeBelongsToTheCaller) {
  chmod(tree_.path().c_str(), 0700);
  Serve([this](ThreadIdentity& identity) {
    {
      // The kernel has checked already: the daemon's directory is no obstacle.
      const CallerScope scope(identity, kCaller);
      ASSERT_TRUE(scope.outcome().ok());
      EXPECT_EQ(mkdir(tree_.At("d").c_str(), 0755), 0);
      EXPECT_EQ(mknod(tree_.At("n").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
    }
    EXPECT_EQ(mkdir(tree_.At("own").c_str(), 0755), 0);
    {
      const CallerScope scope(identity, kCaller, CallerScope::Checks::kByBacking);
      ASSERT_TRUE(scope.outcome().ok());
      EXPECT_FALSE(ThreadState::Now().Has(CAP_DAC_OVERRIDE));
      EXPECT_EQ(mkdir(tree_.At("refused").c_str(), 0755), -1);
      EXPECT_EQ(errno, EACCES);
    }
  });
  EXPECT_EQ(tree_.Status("d").stx_uid, kCaller.uid.value());
  EXPECT_EQ(tree_.Status("d").stx_gid, kCaller.gid.value());
  EXPECT_EQ(tree_.Status("n").stx_uid, kCaller.uid.value());
  EXPECT_EQ(tree_.Status("own").stx_uid, 0u);
  EXPECT_FALSE(tree_.Exists("refused"));
}

TEST_F(ThreadIdentityTest, ScopesOfTwoThreadsDoNotMeet) {
  Serve([](ThreadIdentity& identity) {
    const ThreadState before = ThreadState::Now();
    std::thread other([] {
      Result<ThreadIdentity> mine = ThreadIdentity::Adopt(/*privileged=*/true);
      ASSERT_TRUE(mine.ok());
      for (uid_t uid = 1; uid < 300; ++uid) {
        const CallerScope scope(*mine, Caller{HostUid(uid), HostGid(uid), std::nullopt});
        EXPECT_EQ(ThreadState::Now().FsId("Uid"), uid);
      }
    });
    for (uid_t uid = 1001; uid < 1300; ++uid) {
      const CallerScope scope(identity, Caller{HostUid(uid), HostGid(uid), std::nullopt});
      EXPECT_EQ(ThreadState::Now().FsId("Uid"), uid);
    }
    other.join();
    EXPECT_EQ(ThreadState::Now(), before);
  });
}

TEST(UnprivilegedIdentity, NeverSwitches) {
  std::thread([] {
    Result<ThreadIdentity> identity = ThreadIdentity::Adopt(/*privileged=*/false);
    ASSERT_TRUE(identity.ok());
    EXPECT_FALSE(identity->privileged());
    const ThreadState before = ThreadState::Now();
    EXPECT_EQ(before.lines.at("Umask"), "0000");
    const CallerScope scope(*identity, Caller{kCaller.uid, kCaller.gid, HostGid(4321)});
    EXPECT_TRUE(scope.outcome().ok());
    identity->SetStripsSuid(true);
    EXPECT_EQ(ThreadState::Now(), before);
  }).join();
}

TEST(UnprivilegedIdentity, HasAUmaskOfItsOwn) {
  const ThreadState outside = ThreadState::Now();
  std::thread([] {
    Result<ThreadIdentity> identity = ThreadIdentity::Adopt(/*privileged=*/false);
    ASSERT_TRUE(identity.ok());
    identity->SetUmask(027);
    EXPECT_EQ(ThreadState::Now().lines.at("Umask"), "0027");
    identity->SetUmask(0170022);  // only permission bits count
    EXPECT_EQ(ThreadState::Now().lines.at("Umask"), "0022");
    identity->SetUmask(0);
    EXPECT_EQ(ThreadState::Now().lines.at("Umask"), "0000");
  }).join();
  EXPECT_EQ(ThreadState::Now(), outside);
}

}  // namespace
}  // namespace shuntfs
