#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "daemon/mount_session.h"

namespace shuntfs {
namespace {

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

MountRequest Request() {
  MountRequest request;
  request.paths = {"/src", "/mnt"};
  request.data_path = "auto";
  return request;
}

TEST(MountWords, RootsMountIsForEverybodyAsTheOriginalIs) {
  const std::vector<std::string> words = MountWords(Request(), /*privileged=*/true);
  for (const char* word : {"fsname=/src", "subtype=shuntfs", "rw", "suid", "dev", "allow_other",
                           "default_permissions"}) {
    EXPECT_TRUE(Has(words, word)) << word;
  }
}

TEST(MountWords, AUsersMountIsHisAlone) {
  const std::vector<std::string> words = MountWords(Request(), /*privileged=*/false);
  for (const char* word : {"suid", "dev", "allow_other", "default_permissions"}) {
    EXPECT_FALSE(Has(words, word)) << word;
  }
}

TEST(MountWords, OptionsArePassedOn) {
  MountRequest request = Request();
  std::vector<Setting> settings;
  ASSERT_TRUE(ParseOptionList("ro,nosuid,nodev,noexec,noatime,fsname=a\\,b", &settings).ok());
  Configuration configuration;
  configuration.Add(settings);
  request.options = configuration.ToOptions();
  const std::vector<std::string> words = MountWords(request, /*privileged=*/true);
  for (const char* word : {"fsname=a,b", "ro", "nosuid", "nodev", "noexec", "noatime"}) {
    EXPECT_TRUE(Has(words, word)) << word;
  }
  EXPECT_FALSE(Has(words, "suid"));
}

TEST(MountWords, AMountOfWhatIsReadOnlyIsReadOnly) {
  EXPECT_TRUE(Has(MountWords(Request(), /*privileged=*/true), "rw"));
  EXPECT_TRUE(Has(MountWords(Request(), true, /*source_read_only=*/true), "ro"));
  EXPECT_FALSE(Has(MountWords(Request(), true, /*source_read_only=*/true), "rw"));
}

TEST(MountWords, OwnersThatAreNotTheSourcesSetNoUserId) {
  MountRequest request = Request();
  request.policy.create_user = HostUid(0);
  EXPECT_TRUE(Has(MountWords(request, /*privileged=*/true), "nosuid"));
  request.policy.create_user.reset();
  request.policy.force_group = CallerGid(0);
  EXPECT_TRUE(Has(MountWords(request, /*privileged=*/true), "nosuid"));
  request.policy.force_group.reset();
  request.policy.users = UserMap(std::vector<IdRange>{{1000, 0, 1}});
  const std::vector<std::string> words = MountWords(request, /*privileged=*/true);
  EXPECT_TRUE(Has(words, "nosuid"));
  EXPECT_FALSE(Has(words, "suid"));
}

TEST(MountWords, AllowRootKeepsOthersOutOfRootsMount) {
  MountRequest request = Request();
  request.options.allow_root = true;
  EXPECT_FALSE(Has(MountWords(request, /*privileged=*/true), "allow_other"));
  request.options.allow_root = false;
  request.options.allow_other = false;
  EXPECT_FALSE(Has(MountWords(request, /*privileged=*/true), "allow_other"));
  request.options.allow_other = true;
  EXPECT_TRUE(Has(MountWords(request, /*privileged=*/false), "allow_other"));
}

TEST(MountWords, TheKernelDoesNotCheckWhereEverybodyIsSquashed) {
  MountRequest request = Request();
  request.policy.squash = Squash::kAll;
  EXPECT_FALSE(Has(MountWords(request, /*privileged=*/true), "default_permissions"));
  request.policy.squash = Squash::kRoot;
  EXPECT_TRUE(Has(MountWords(request, /*privileged=*/true), "default_permissions"));
}

}  // namespace
}  // namespace shuntfs
