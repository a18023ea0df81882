#include "daemon/mount_helper.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <string>
#include <vector>

#include "daemon/helper_call.h"
#include "daemon/remount.h"

namespace shuntfs {
namespace {

using Words = std::vector<std::string>;

TEST(MountHelper, ActsByItsNamesOnly) {
  EXPECT_TRUE(IsMountHelper("/sbin/mount.shuntfs"));
  EXPECT_TRUE(IsMountHelper("mount.fuse.shuntfs"));
  EXPECT_FALSE(IsMountHelper("/usr/bin/shuntfs"));
  EXPECT_FALSE(IsMountHelper("/mount.shuntfs/shuntfs"));
  EXPECT_FALSE(IsMountHelper(""));
}

TEST(MountHelper, ReadsWhatMountPassesOn) {
  const auto call = ParseHelperCall({"/src", "/mnt", "-s", "-fv", "-n", "-t", "fuse.shuntfs", "-o",
                                     "rw,a=1", "-N", "/proc/7/ns/mnt", "-ob"});
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->source, "/src");
  EXPECT_EQ(call->mountpoint, "/mnt");
  EXPECT_EQ(call->options, (Words{"rw", "a=1", "b"}));
  EXPECT_EQ(call->mount_namespace, "/proc/7/ns/mnt");
  EXPECT_TRUE(call->sloppy && call->fake && call->verbose);
}

TEST(MountHelper, NamesMayLookLikeFlagsAfterTwoDashes) {
  const auto call = ParseHelperCall({"--", "-s", "-f"});
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->source, "-s");
  EXPECT_FALSE(call->sloppy || call->fake);
}

TEST(MountHelper, RefusesWhatMountWouldNotPassOn) {
  for (const Words& words :
       {Words{}, Words{"/src"}, Words{"/src", "/mnt", "/more"}, Words{"/src", "/mnt", "-o"},
        Words{"/src", "/mnt", "-x"}, Words{"/src", "/mnt", "--help"}}) {
    EXPECT_EQ(ParseHelperCall(words).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(SplitMountOptions, CommasInQuotesAndAfterBackslashesStay) {
  EXPECT_EQ(SplitMountOptions("a,b=1,,c"), (Words{"a", "b=1", "c"}));
  EXPECT_EQ(SplitMountOptions("fsname=\"x,y\",ro"), (Words{"fsname=x\\,y", "ro"}));
  EXPECT_EQ(SplitMountOptions("fsname=x\\,y,ro"), (Words{"fsname=x\\,y", "ro"}));
  EXPECT_EQ(SplitMountOptions("fsname=\"x\\y\""), (Words{"fsname=x\\\\y"}));
  EXPECT_EQ(SplitMountOptions("a=x\\"), (Words{"a=x\\"}));
  EXPECT_EQ(SplitMountOptions("a=\"x,y"), (Words{"a=x\\,y"}));
  EXPECT_TRUE(SplitMountOptions("").empty());
}

TEST(PlanRemount, TheLastOfTwoCounts) {
  EXPECT_EQ(PlanRemount({"rw", "remount", "ro"}).flags, MS_REMOUNT | MS_RDONLY);
  EXPECT_EQ(PlanRemount({"ro", "nosuid", "remount", "rw"}).flags, MS_REMOUNT | MS_NOSUID);
  EXPECT_EQ(PlanRemount({"noatime", "relatime"}).flags, MS_REMOUNT | MS_RELATIME);
  EXPECT_EQ(PlanRemount({"relatime", "noatime"}).flags, MS_REMOUNT | MS_NOATIME);
}

TEST(PlanRemount, NamesWhatSomebodyAskedForInVain) {
  const RemountPlan plan =
      PlanRemount({"remount", "user_id=0", "allow_other", "x-systemd.automount", "X-mount.mkdir",
                   "nofail", "memory_budget=1G", "color"});
  EXPECT_EQ(plan.unchanged, (Words{"memory_budget=1G", "color"}));
}

}  // namespace
}  // namespace shuntfs
