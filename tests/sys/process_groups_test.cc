#include "core/sys/process_groups.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace shuntfs {
namespace {

using Groups = std::vector<gid_t>;

TEST(ParseGroups, TakesTheWholeLineOnly) {
  EXPECT_EQ(ParseGroups("Name:\tx\nGroups:\t4 24 4294967294 \nPid:\t1\n"),
            Groups({4, 24, 4294967294}));
  EXPECT_EQ(ParseGroups("Name:\tx\nGroups:\t\n"), Groups());
  EXPECT_EQ(ParseGroups("Name:\tx\nGroups:\t4 2"), std::nullopt) << "the rest is not read yet";
  EXPECT_EQ(ParseGroups("Name:\tGroups:\t4\nPid:\t1\n"), std::nullopt) << "a program's name";
  EXPECT_EQ(ParseGroups("Name:\tx\nGroups:\t99999999999 \n"), std::nullopt);
  EXPECT_EQ(ParseGroups(""), std::nullopt);
}

TEST(GroupsOfProcess, AreThoseOfTheThread) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to change groups";
  Groups many;
  for (gid_t group = 1000000; group < 1003000; ++group) many.push_back(group);
  std::thread([&many] {
    const auto own = static_cast<pid_t>(syscall(SYS_gettid));
    // Raw, so that it counts for this thread alone.
    ASSERT_EQ(syscall(SYS_setgroups, many.size(), many.data()), 0);
    EXPECT_EQ(*GroupsOfProcess(own), many);
    ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
    EXPECT_EQ(*GroupsOfProcess(own), Groups());
  }).join();
}

TEST(GroupsOfProcess, OfNobodyAreNone) {
  EXPECT_EQ(GroupsOfProcess(0).error(), Errno(ESRCH));
  EXPECT_EQ(GroupsOfProcess(-1).error(), Errno(ESRCH));
  EXPECT_EQ(GroupsOfProcess(1 << 30).error(), Errno(ESRCH));
}

}  // namespace
}  // namespace shuntfs
