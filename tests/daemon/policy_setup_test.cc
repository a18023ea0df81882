#include "daemon/policy_setup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/configuration.h"
#include "config/load.h"
#include "config/toml_settings.h"
#include "core/base/limits.h"

namespace shuntfs {
namespace {

std::optional<uint32_t> Known(const std::string& name) {
  const std::map<std::string, uint32_t> names = {{"alice", 1000}, {"www", 33}, {"root", 0}};
  const auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional<uint32_t>(found->second);
}

const AccountNames kNames{Known, [] { return std::vector<std::string>{"alice", "root", "www"}; }};

absl::StatusOr<PolicyOptions> Resolve(const std::string& words, bool privileged = true) {
  std::vector<Setting> settings;
  EXPECT_TRUE(ParseOptionList(words, &settings).ok()) << words;
  Configuration configuration;
  configuration.Add(settings);
  ResolvedPolicy resolved = ResolvePolicy(configuration, privileged, Accounts{kNames, kNames});
  if (absl::Status status = ToStatus(resolved.mistakes); !status.ok()) return status;
  return std::move(resolved.policy);
}

TEST(ResolvePolicy, WithoutOptionsThereIsNothing) {
  const auto policy = Resolve("");
  ASSERT_TRUE(policy.ok());
  EXPECT_FALSE(policy->any());
}

TEST(ResolvePolicy, ReadsMaps) {
  const auto policy = Resolve("map_users=root:root/1000:2000:10,map_groups=alice:7/same");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->users.ToCaller(HostUid(0)), CallerUid(0));
  EXPECT_EQ(policy->users.ToCaller(HostUid(1009)), CallerUid(2009));
  EXPECT_FALSE(policy->users.ToCaller(HostUid(5)));
  EXPECT_EQ(policy->groups.ToCaller(HostGid(1000)), CallerGid(7));
  EXPECT_EQ(policy->groups.ToCaller(HostGid(5)), CallerGid(5));
  EXPECT_FALSE(policy->groups.ToCaller(HostGid(7)));
}

TEST(ResolvePolicy, ReadsTheRest) {
  const auto policy = Resolve(
      "ro,force_user=www,force_group=34,create_user=alice,create_group=5,squash=root,"
      "squash_user=1001,squash_group=1002,file_mode=750:002,dir_mode=770,create_file_mode=660:020,"
      "create_dir_mode=770:070,hide=.git/*.key,xattrs=user");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_TRUE(policy->read_only);
  EXPECT_EQ(policy->force_user, CallerUid(33));
  EXPECT_EQ(policy->force_group, CallerGid(34));
  EXPECT_EQ(policy->create_user, HostUid(1000));
  EXPECT_EQ(policy->create_group, HostGid(5));
  EXPECT_EQ(policy->squash, Squash::kRoot);
  EXPECT_EQ(policy->squash_user, HostUid(1001));
  EXPECT_EQ(policy->squash_group, HostGid(1002));
  EXPECT_EQ(policy->file_mode.keep, 0750u);
  EXPECT_EQ(policy->file_mode.add, 0002u);
  EXPECT_EQ(policy->dir_mode.keep, 0770u);
  EXPECT_EQ(policy->dir_mode.add, 0u);
  EXPECT_EQ(policy->create_file_mode.add, 0020u);
  EXPECT_EQ(policy->create_dir_mode.add, 0070u);
  EXPECT_TRUE(policy->hidden.Match("x.key"));
  EXPECT_EQ(policy->xattr, XattrRule::kUser);
}

TEST(ResolvePolicy, SaysWhatIsWrong) {
  struct Row {
    const char* words;
    const char* says;
  };
  const Row rows[] = {
      {"map_users=1000", "a range is SRC:HERE"},
      {"map_users=1000:2000:0", "its count is 0"},
      {"map_users=1000:2000:x", "its count is no number"},
      {"map_users=1000:2000//5:5", "a range is SRC:HERE"},
      {"map_users=bob:2000", "option \"map_users\" is \"bob\": it is no number, and this system"},
      {"map_users=alise:2000", "no such name; did you mean \"alice\"?"},
      {"create_group=wwww", "no such name; did you mean \"www\"?"},
      {"map_users=4294967295:0", "ids go from 0 to 4294967294"},
      {"map_users=4294967294:0:2", "beyond the last id"},
      {"map_users=5:65534", "nothing can be mapped to 65534"},
      {"map_users=1:2/1:3", "\"1:3\": an id of SRC"},
      {"map_groups=1:2/3:2", "\"3:2\": a number that it gives"},
      {"force_user=-1", "no such name"},
      {"squash=all,squash_user=root", "name an ordinary user"},
      {"file_mode=888", "permissions are octal"},
      {"dir_mode=4755", "permissions are octal"},
      {"create_file_mode=7:7:7", "KEEP:ADD"},
      {"hide=a//b", "names or patterns"},
      {"hide=..", "names or patterns"},
  };
  for (const Row& row : rows) {
    const auto policy = Resolve(row.words);
    ASSERT_FALSE(policy.ok()) << row.words;
    EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(policy.status().message().find(row.says), std::string::npos)
        << row.words << ": " << policy.status();
  }
}

// Each was compared with every name of the system, and told in a line of its own.
TEST(ResolvePolicy, TooManyRangesAreRefusedUnread) {
  std::string words = "x:y";
  for (int i = 0; i < 100'000; ++i) words += "/x:y";
  const absl::StatusOr<PolicyOptions> policy = Resolve("map_users=" + words);
  EXPECT_EQ(policy.status().message(),
            "option \"map_users\" is \"x:y\": it is one range too many; 340 are possible");
}

TEST(ResolvePolicy, WithoutRootNobodyActsAsOthers) {
  for (const char* words : {"map_users=1:1", "map_groups=1:1", "create_user=1", "create_group=1",
                            "squash=root", "squash=all"}) {
    const auto policy = Resolve(words, /*privileged=*/false);
    ASSERT_FALSE(policy.ok()) << words;
    EXPECT_NE(policy.status().message().find("is for root's mounts"), std::string::npos)
        << policy.status();
  }
  EXPECT_TRUE(
      Resolve("ro,force_user=1,force_group=1,file_mode=770,hide=a,xattrs=none", false).ok());
}

TEST(ResolvePolicy, SaysAllThatIsWrongAndWhere) {
  std::vector<Setting> settings;
  std::vector<Mistake> mistakes;
  ParseToml("a.toml",
            "map_users = \"bob:1/2:3/carol:4\"\n\ndir_mode = \"9\"\nforce_group = \"www\"\n",
            &settings, &mistakes);
  ASSERT_TRUE(mistakes.empty()) << mistakes[0].ToString();
  Configuration configuration;
  configuration.Add(settings);
  const ResolvedPolicy resolved = ResolvePolicy(configuration, true, Accounts{kNames, kNames});
  std::vector<std::string> said;
  for (const Mistake& mistake : resolved.mistakes) said.push_back(mistake.ToString());
  EXPECT_EQ(said, (std::vector<std::string>{
                      "a.toml:1: map_users: is \"bob\": it is no number, and this system has no "
                      "such name",
                      "a.toml:1: map_users: is \"carol\": it is no number, and this system has no "
                      "such name",
                      "a.toml:3: dir_mode: is \"9\": permissions are octal, from 0 to 777"}));
}

TEST(SystemAccounts, KnowRootAndNoStranger) {
  const Accounts accounts = SystemAccounts();
  EXPECT_EQ(accounts.users.find("root"), 0u);
  EXPECT_EQ(accounts.groups.find("root"), 0u);
  EXPECT_EQ(accounts.users.find("no such user"), std::nullopt);
  for (const AccountNames* names : {&accounts.users, &accounts.groups}) {
    const std::vector<std::string> all = names->list();
    EXPECT_NE(std::ranges::find(all, "root"), all.end());
  }
}

}  // namespace
}  // namespace shuntfs
