#include "daemon/unmount.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "daemon/mount_identity.h"
#include "tests/daemon/mount_namespace.h"

namespace shuntfs {
namespace {

class UnmountTest : public MountNamespaceTest {
 protected:
  // A new mount, whose identity it returns.
  MountIdentity Mount(const std::string& name) const {
    EXPECT_EQ(mount("test", At(name).c_str(), "tmpfs", 0, nullptr), 0) << std::strerror(errno);
    const absl::StatusOr<OpenMount> there = OpenMountAt(At(name));
    EXPECT_TRUE(there.ok()) << there.status();
    return there.ok() ? there->identity : MountIdentity();
  }
};

TEST_F(UnmountTest, TakesTheMountAwayAndNoOther) {
  const MountIdentity one = Mount("a/mnt");
  const MountIdentity other = Mount("b/mnt");
  EXPECT_EQ(Unmount(At("b/mnt"), one, /*lazy=*/false).kind, UnmountOutcome::Kind::kFailed);
  EXPECT_TRUE(IsMounted(other));
  for (const bool lazy : {false, true}) {
    const MountIdentity identity = lazy ? other : one;
    EXPECT_EQ(Unmount(At(lazy ? "b/mnt" : "a/mnt"), identity, lazy).kind,
              UnmountOutcome::Kind::kDone);
    EXPECT_FALSE(IsMounted(identity));
  }
}

TEST_F(UnmountTest, ABusyMountStays) {
  const MountIdentity identity = Mount("a/mnt");
  const UniqueFd held(open(At("a/mnt").c_str(), O_PATH | O_CLOEXEC));
  EXPECT_EQ(Unmount(At("a/mnt"), identity, /*lazy=*/false).kind, UnmountOutcome::Kind::kBusy);
  EXPECT_TRUE(IsMounted(identity));
}

// Who owns a directory on the way to the mountpoint exchanges it at any time.
TEST_F(UnmountTest, AnExchangedParentLeadsToNoOtherMount) {
  for (int round = 0; round < 300; ++round) {
    const MountIdentity one = Mount("a/mnt");
    const MountIdentity other = Mount("b/mnt");
    std::atomic<bool> over = false;
    std::thread neighbour([this, &over] {
      while (!over) EXPECT_EQ(Exchange("a", "b"), 0) << std::strerror(errno);
    });
    for (int i = 0; i < 100 && IsMounted(one); ++i)
      static_cast<void>(Unmount(At("a/mnt"), one, /*lazy=*/false));
    over = true;
    neighbour.join();
    ASSERT_TRUE(IsMounted(other)) << "round " << round;
    for (const char* name : {"a/mnt", "b/mnt"}) umount2(At(name).c_str(), MNT_DETACH);
  }
}

}  // namespace
}  // namespace shuntfs
