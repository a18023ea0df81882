// Extended attributes under a policy: which there are, and what becomes of the ids and bits in
// ACLs.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/policy.h"

namespace shuntfs {
namespace {

struct Entry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id = 0xffffffff;
  friend bool operator==(const Entry&, const Entry&) = default;
};
constexpr uint16_t kUserObject = 1, kUser = 2, kGroupObject = 4, kGroup = 8, kMask = 16,
                   kOther = 32;

std::vector<std::byte> Encode(const std::vector<Entry>& entries) {
  std::vector<std::byte> value(4 + entries.size() * 8);
  const uint32_t version = 2;
  std::memcpy(value.data(), &version, 4);
  std::memcpy(value.data() + 4, entries.data(), entries.size() * 8);
  return value;
}

std::vector<Entry> Decode(const std::vector<std::byte>& value) {
  std::vector<Entry> entries((value.size() - 4) / 8);
  std::memcpy(entries.data(), value.data() + 4, entries.size() * 8);
  return entries;
}

void PrintTo(const Entry& entry, std::ostream* out) {
  *out << "{" << entry.tag << ", " << entry.permissions << ", " << entry.id << "}";
}

FileStatus FileOf(uint32_t uid, uint32_t gid) {
  FileStatus status{};
  status.stx_uid = uid;
  status.stx_gid = gid;
  status.stx_mode = S_IFREG | 0664;
  return status;
}

PolicyOptions Mapped() {
  PolicyOptions options;
  options.users = UserMap(std::vector<IdRange>{{1000, 2000, 10}});
  options.groups = GroupMap(std::vector<IdRange>{{1000, 3000, 10}});
  return options;
}

TEST(AclOfAPolicy, IdsAreMappedBothWays) {
  const Policy policy(Mapped());
  const std::vector<Entry> host = {{kUserObject, 6},  {kUser, 4, 1001}, {kGroupObject, 4},
                                   {kGroup, 6, 1002}, {kMask, 6},       {kOther, 0}};
  std::vector<std::byte> value = Encode(host);
  ASSERT_TRUE(policy.AclToCaller(kAccessAcl, FileOf(1000, 1000), value).ok());
  const std::vector<Entry> caller = {{kUserObject, 6},  {kUser, 4, 2001}, {kGroupObject, 4},
                                     {kGroup, 6, 3002}, {kMask, 6},       {kOther, 0}};
  EXPECT_EQ(Decode(value), caller);
  ASSERT_TRUE(policy.AclToHost(kAccessAcl, FileOf(1000, 1000), value).ok());
  EXPECT_EQ(Decode(value), host);
}

TEST(AclOfAPolicy, UnknownIdsAreNobodyWithTheRightsOfEverybody) {
  const Policy policy(Mapped());
  std::vector<std::byte> value = Encode({{kUserObject, 6},
                                         {kUser, 7, 5},
                                         {kGroupObject, 6},
                                         {kGroup, 7, 5},
                                         {kMask, 7},
                                         {kOther, 4}});
  const std::vector<std::byte> before = value;
  ASSERT_TRUE(policy.AclToCaller(kAccessAcl, FileOf(5, 5), value).ok());
  EXPECT_EQ(Decode(value), (std::vector<Entry>{{kUserObject, 4},
                                               {kUser, 4, kOverflowId},
                                               {kGroupObject, 4},
                                               {kGroup, 4, kOverflowId},
                                               {kMask, 7},
                                               {kOther, 4}}));
  // It cannot be written back: the owners it stood for would be lost.
  const Outcome back = policy.AclToHost(kAccessAcl, FileOf(1000, 1000), value);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error(), Errno(EOVERFLOW));
  value = before;
  ASSERT_TRUE(policy.AclToCaller(kDefaultAcl, FileOf(5, 5), value).ok());
  EXPECT_EQ(Decode(value)[1], (Entry{kUser, 7, kOverflowId})) << "no rights come from it";
}

TEST(AclOfAPolicy, AnAclOfAnUnknownOwnersFileIsNotSet) {
  const Policy policy(Mapped());
  std::vector<std::byte> value = Encode({{kUserObject, 6}, {kGroupObject, 4}, {kOther, 0}});
  const Outcome set = policy.AclToHost(kAccessAcl, FileOf(5, 1000), value);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error(), Errno(EOVERFLOW));
  EXPECT_TRUE(policy.AclToHost(kDefaultAcl, FileOf(5, 1000), value).ok());
}

TEST(AclOfAPolicy, GivesWhatTheForcedModePromises) {
  PolicyOptions options;
  options.file_mode = {0750, 0020};
  const Policy policy(options);
  // Named entries keep what the mask 4 left them, though the mask is 6 from now on.
  std::vector<std::byte> value =
      Encode({{kUserObject, 6}, {kUser, 7, 5}, {kGroupObject, 5}, {kMask, 4}, {kOther, 4}});
  ASSERT_TRUE(policy.AclToCaller(kAccessAcl, FileOf(0, 0), value).ok());
  EXPECT_EQ(Decode(value),
            (std::vector<Entry>{
                {kUserObject, 6}, {kUser, 4, 5}, {kGroupObject, 7}, {kMask, 6}, {kOther, 0}}));
  const Outcome set = policy.AclToHost(kAccessAcl, FileOf(0, 0), value);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error(), Errno(EPERM));
}

// The kernel lets nobody store such an ACL; a file system below SRC may show it all the same.
TEST(AclOfAPolicy, OfEntriesThatAreThereTwiceBothLimitUnknownIds) {
  const Policy policy(Mapped());
  std::vector<std::byte> value = Encode({{kOther, 0}, {kUser, 7, 5}, {kMask, 7}, {kOther, 4}});
  ASSERT_TRUE(policy.AclToCaller(kAccessAcl, FileOf(1000, 1000), value).ok());
  EXPECT_EQ(Decode(value),
            (std::vector<Entry>{{kOther, 0}, {kUser, 0, kOverflowId}, {kMask, 7}, {kOther, 4}}));
}

TEST(AclOfAPolicy, WhatIsNoAclIsRefused) {
  const Policy policy(Mapped());
  std::vector<std::byte> good = Encode({{kUserObject, 6}});
  for (const size_t bytes : std::vector<size_t>{0, 3, 5, 11}) {
    std::vector<std::byte> bad(good.begin(), good.begin() + static_cast<ptrdiff_t>(bytes));
    EXPECT_FALSE(policy.AclToCaller(kAccessAcl, FileOf(0, 0), bad).ok()) << bytes;
    EXPECT_FALSE(policy.AclToHost(kDefaultAcl, FileOf(0, 0), bad).ok()) << bytes;
  }
  good[0] = std::byte{1};
  EXPECT_FALSE(policy.AclToCaller(kAccessAcl, FileOf(0, 0), good).ok());
}

TEST(AclOfAPolicy, RandomAclsOfKnownIdsComeBackAsTheyWere) {
  constexpr uint32_t kSeed = 4711;
  std::mt19937 random(kSeed);
  const auto pick_bits = [&random] { return static_cast<uint16_t>(random() % 8); };
  const auto pick_id = [&random] { return static_cast<uint32_t>(1000 + random() % 10); };
  const Policy policy(Mapped());
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    std::vector<Entry> entries = {{kUserObject, pick_bits()}};
    for (auto i = random() % 5; i > 0; --i) entries.push_back({kUser, pick_bits(), pick_id()});
    entries.push_back({kGroupObject, pick_bits()});
    for (auto i = random() % 5; i > 0; --i) entries.push_back({kGroup, pick_bits(), pick_id()});
    entries.push_back({kMask, pick_bits()});
    entries.push_back({kOther, pick_bits()});
    std::vector<std::byte> value = Encode(entries);
    ASSERT_TRUE(policy.AclToCaller(kAccessAcl, FileOf(1003, 1004), value).ok());
    ASSERT_TRUE(policy.AclToHost(kAccessAcl, FileOf(1003, 1004), value).ok());
    ASSERT_EQ(Decode(value), entries);
  }
}

TEST(XattrsOfAPolicy, ByRule) {
  struct Row {
    XattrRule rule;
    bool user, trusted, security;
  };
  for (const Row& row : {Row{XattrRule::kAll, true, true, true},
                         {XattrRule::kReadOnly, true, true, true},
                         {XattrRule::kUnprivileged, true, false, false},
                         {XattrRule::kUser, true, false, false},
                         {XattrRule::kNone, false, false, false}}) {
    PolicyOptions options;
    options.xattr = row.rule;
    const Policy policy(options);
    EXPECT_EQ(policy.ShowsXattr("user.a"), row.user);
    EXPECT_EQ(policy.ShowsXattr("trusted.a"), row.trusted);
    EXPECT_EQ(policy.ShowsXattr("security.capability"), row.security);
    EXPECT_TRUE(policy.ShowsXattr(kAccessAcl)) << "the kernel checks by it";
  }
}

}  // namespace
}  // namespace shuntfs
