#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/limits.h"
#include "core/policy.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

using Value = std::vector<std::byte>;

struct Entry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id;
};
constexpr size_t kHeaderBytes = 4;
constexpr uint16_t kUser = 2;
constexpr uint16_t kGroup = 8;

std::vector<Entry> EntriesOf(const Value& value) {
  std::vector<Entry> entries((value.size() - kHeaderBytes) / sizeof(Entry));
  if (!entries.empty())
    std::memcpy(entries.data(), value.data() + kHeaderBytes, entries.size() * sizeof(Entry));
  return entries;
}

bool IsAclValue(const Value& value) {
  uint32_t version = 0;
  if (value.size() < kHeaderBytes || (value.size() - kHeaderBytes) % sizeof(Entry) != 0)
    return false;
  std::memcpy(&version, value.data(), sizeof(version));
  return version == 2;
}

PolicyOptions OptionsOf(unsigned choice) {
  PolicyOptions options;
  std::vector<IdRange> ranges = {{0, 0, 1}, {1000, 5000, 100}};
  if ((choice & 2) != 0) {
    for (const IdRange& rest : IdRanges::Rest(ranges)) ranges.push_back(rest);
  }
  if ((choice & 1) != 0) options.users = UserMap(ranges);
  if ((choice & 4) != 0) options.groups = GroupMap(ranges);
  if ((choice & 8) != 0) options.file_mode = {0750, 0040};
  if ((choice & 16) != 0) options.dir_mode = {0700, 0005};
  if ((choice & 32) != 0) options.force_user = CallerUid(33);
  return options;
}

FileStatus StatusOf(unsigned choice) {
  FileStatus status{};
  status.stx_mode = static_cast<uint16_t>((choice & 1) != 0 ? S_IFDIR | 0755 : S_IFREG | 0644);
  status.stx_uid = (choice & 2) != 0 ? 1001 : 7;
  status.stx_gid = (choice & 4) != 0 ? 1002 : 8;
  return status;
}

bool Named(const Entry& entry) { return entry.tag == kUser || entry.tag == kGroup; }

std::optional<uint32_t> ToCaller(const PolicyOptions& options, const Entry& entry) {
  if (entry.tag == kUser) {
    const auto id = options.users.ToCaller(HostUid(entry.id));
    return id ? std::optional(id->value()) : std::nullopt;
  }
  const auto id = options.groups.ToCaller(HostGid(entry.id));
  return id ? std::optional(id->value()) : std::nullopt;
}

// Bits that the rule of a mode adds, in any class.
unsigned AddedBits(const ModeRule& rule) { return (rule.add | rule.add >> 3 | rule.add >> 6) & 07; }

void CheckShown(const PolicyOptions& options, const ModeRule& rule, const Entry& host,
                const Entry& shown) {
  Require(shown.tag == host.tag, "an entry stays what it is");
  const unsigned allowed = host.permissions | AddedBits(rule);
  Require((shown.permissions & ~allowed) == 0, "no entry gives more than SRC and the rule do");
  if (!Named(host)) {
    Require(shown.id == host.id, "an entry without a name keeps its number");
  } else {
    Require(shown.id == ToCaller(options, host).value_or(kOverflowId), "a name is mapped");
  }
}

// What is shown, written back.
void CheckBack(const Policy& policy, std::string_view name, const FileStatus& status,
               const Value& host, Value shown, bool all_known) {
  const Outcome back = policy.AclToHost(name, status, shown);
  if (!all_known) {
    Require(!back.ok(), "a number that SRC does not have is not written to it");
    return;
  }
  if (!back.ok()) {
    Require(name == kAccessAcl, "a default ACL with known numbers is written");
    return;
  }
  const std::vector<Entry> before = EntriesOf(host);
  const std::vector<Entry> after = EntriesOf(shown);
  Require(std::ranges::equal(before, after,
                             [](const Entry& a, const Entry& b) {
                               return a.tag == b.tag && a.id == b.id &&
                                      (a.permissions & 07) == (b.permissions & 07);
                             }),
          "what is shown and written back is what was there");
}

}  // namespace

void CheckAcl(std::string_view input) {
  if (input.size() < 3) return;
  const PolicyOptions options = OptionsOf(static_cast<unsigned char>(input[0]));
  const FileStatus status = StatusOf(static_cast<unsigned char>(input[1]));
  const std::string_view name = (input[2] & 1) != 0 ? kAccessAcl : kDefaultAcl;
  const Policy policy(options);
  Value host(input.size() - 3);
  if (!host.empty()) std::memcpy(host.data(), input.data() + 3, host.size());

  Value shown = host;
  const Outcome outcome = policy.AclToCaller(name, status, shown);
  Require(outcome.ok() == IsAclValue(host), "an ACL is shown, and nothing else");
  if (!outcome.ok()) {
    Require(shown == host, "what is no ACL stays as it is");
    Value untouched = host;
    Require(!policy.AclToHost(name, status, untouched).ok(), "what is no ACL is not written");
    return;
  }
  ModeRule rule = S_ISDIR(status.stx_mode) ? options.dir_mode : options.file_mode;
  if (name != kAccessAcl) rule = ModeRule();
  const std::vector<Entry> before = EntriesOf(host);
  const std::vector<Entry> after = EntriesOf(shown);
  bool all_known = true;
  for (size_t i = 0; i < before.size(); ++i) {
    CheckShown(options, rule, before[i], after[i]);
    all_known = all_known && (!Named(before[i]) || ToCaller(options, before[i]).has_value());
  }
  CheckBack(policy, name, status, host, shown, all_known);
}

}  // namespace shuntfs::parsers
