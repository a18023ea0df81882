#include "daemon/policy_setup.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "config/values.h"
#include "core/base/limits.h"

namespace shuntfs {
namespace {

using Lookup = std::function<std::optional<uint32_t>(const std::string&)>;
constexpr uint64_t kLastId = 0xfffffffe;

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (true) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

absl::Status Wrong(const std::string& option, const std::string& text, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrFormat("option \"%s\" is \"%s\": %s", option, text, why));
}

// A number, or a name that this system knows.
absl::StatusOr<uint32_t> ParseId(const std::string& option, const std::string& word,
                                 const Lookup& lookup) {
  if (const std::optional<uint64_t> number = ParseCount(word)) {
    if (*number <= kLastId) return static_cast<uint32_t>(*number);
    return Wrong(option, word, absl::StrFormat("ids go from 0 to %d", kLastId));
  }
  if (const std::optional<uint32_t> id = word.empty() ? std::nullopt : lookup(word)) return *id;
  return Wrong(option, word, "it is no number, and this system has no such name");
}

std::string WhyNot(IdRangeFault::Kind kind) {
  switch (kind) {
    case IdRangeFault::Kind::kEmpty:
      return "its count is 0; leave it out";
    case IdRangeFault::Kind::kTooFar:
      return absl::StrFormat("it goes beyond the last id, %d", kLastId);
    case IdRangeFault::Kind::kTooMany:
      return absl::StrFormat("it is one range too many; %d are possible", kMaxIdRanges);
    case IdRangeFault::Kind::kTakesOverflow:
      return absl::StrFormat(
          "nothing can be mapped to %d, which stands for every owner that has no number here",
          kOverflowId);
    case IdRangeFault::Kind::kHostTwice:
      return "an id of SRC is in an earlier range already; each can be in one";
    case IdRangeFault::Kind::kCallerTwice:
      return "a number that it gives is given by an earlier range already; each can be given once";
  }
  return "";
}

// SRC:HERE[:COUNT], separated by slashes; at last "same".
absl::StatusOr<std::vector<IdRange>> ParseMap(const std::string& option, const std::string& text,
                                              const Lookup& lookup) {
  std::vector<std::string> words = Split(text, '/');
  const bool same = words.back() == "same";
  if (same) words.pop_back();
  std::vector<IdRange> ranges;
  for (const std::string& word : words) {
    const std::vector<std::string> parts = Split(word, ':');
    if (parts.size() != 2 && parts.size() != 3) {
      return Wrong(option, word,
                   "a range is SRC:HERE or SRC:HERE:COUNT, such as 1000:2000:1, and ranges are "
                   "separated by \"/\"");
    }
    IdRange range;
    const std::pair<const std::string&, uint32_t*> ends[] = {{parts[0], &range.host},
                                                             {parts[1], &range.caller}};
    for (const auto& [id_word, id] : ends) {
      const absl::StatusOr<uint32_t> parsed = ParseId(option, id_word, lookup);
      if (!parsed.ok()) return parsed.status();
      *id = *parsed;
    }
    if (parts.size() == 3) {
      const std::optional<uint64_t> count = ParseCount(parts[2]);
      if (!count || *count > kLastId) return Wrong(option, word, "its count is no number of ids");
      range.count = static_cast<uint32_t>(*count);
    }
    ranges.push_back(range);
  }
  if (const std::optional<IdRangeFault> fault = IdRanges::Check(ranges))
    return Wrong(option, words[fault->range], WhyNot(fault->kind));
  if (same) {
    for (const IdRange& rest : IdRanges::Rest(ranges)) ranges.push_back(rest);
  }
  return ranges;
}

absl::StatusOr<uint32_t> ParsePermissions(const std::string& option, const std::string& word) {
  uint32_t bits = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, bits, 8);
  if (word.empty() || error != std::errc() || stop != end || bits > 0777)
    return Wrong(option, word, "permissions are octal, from 0 to 777");
  return bits;
}

// KEEP[:ADD]
absl::Status ParseModeRule(const std::string& option, const std::string& text, ModeRule* rule) {
  if (text.empty()) return absl::OkStatus();
  const std::vector<std::string> parts = Split(text, ':');
  if (parts.size() > 2) return Wrong(option, text, "it takes KEEP or KEEP:ADD, such as 770:040");
  const absl::StatusOr<uint32_t> keep = ParsePermissions(option, parts[0]);
  if (!keep.ok()) return keep.status();
  rule->keep = *keep;
  if (parts.size() == 1) return absl::OkStatus();
  const absl::StatusOr<uint32_t> add = ParsePermissions(option, parts[1]);
  if (!add.ok()) return add.status();
  rule->add = *add;
  return absl::OkStatus();
}

absl::Status ParseHidden(const std::string& text, NamePatterns* hidden) {
  if (text.empty()) return absl::OkStatus();
  const std::vector<std::string> names = Split(text, '/');
  for (const std::string& name : names) {
    if (name.empty() || name == "." || name == ".." || name.size() > kNameMax) {
      return Wrong("hide", text,
                   "it takes names or patterns of 1 to 255 bytes, separated by \"/\", none of them "
                   "\".\" or \"..\"");
    }
  }
  *hidden = NamePatterns(names);
  return absl::OkStatus();
}

XattrRule XattrRuleOf(const std::string& word) {
  if (word == "readonly") return XattrRule::kReadOnly;
  if (word == "unprivileged") return XattrRule::kUnprivileged;
  if (word == "user") return XattrRule::kUser;
  return word == "none" ? XattrRule::kNone : XattrRule::kAll;
}

// One option that holds an id.
template <typename Id>
absl::Status ParseOptionalId(const std::string& option, const std::string& text,
                             const Lookup& lookup, std::optional<Id>* id) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<uint32_t> parsed = ParseId(option, text, lookup);
  if (!parsed.ok()) return parsed.status();
  *id = Id(*parsed);
  return absl::OkStatus();
}

absl::Status ParseSquash(const Options& from, const Accounts& accounts, PolicyOptions* to) {
  if (from.squash == "root") to->squash = Squash::kRoot;
  if (from.squash == "all") to->squash = Squash::kAll;
  std::optional<HostUid> user;
  std::optional<HostGid> group;
  for (const absl::Status& status :
       {ParseOptionalId("squash_user", from.squash_user, accounts.user, &user),
        ParseOptionalId("squash_group", from.squash_group, accounts.group, &group)}) {
    if (!status.ok()) return status;
  }
  if (user == HostUid(0)) {
    return absl::InvalidArgumentError(
        "option \"squash_user\" is root, so that whoever is squashed could do everything; name an "
        "ordinary user");
  }
  to->squash_user = user.value_or(to->squash_user);
  to->squash_group = group.value_or(to->squash_group);
  return absl::OkStatus();
}

absl::Status ParseMaps(const Options& from, const Accounts& accounts, PolicyOptions* to) {
  if (!from.map_users.empty()) {
    const auto ranges = ParseMap("map_users", from.map_users, accounts.user);
    if (!ranges.ok()) return ranges.status();
    to->users = UserMap(*ranges);
  }
  if (!from.map_groups.empty()) {
    const auto ranges = ParseMap("map_groups", from.map_groups, accounts.group);
    if (!ranges.ok()) return ranges.status();
    to->groups = GroupMap(*ranges);
  }
  return absl::OkStatus();
}

absl::Status CheckPrivileges(const Options& options) {
  const std::pair<const char*, bool> acting[] = {
      {"map_users", !options.map_users.empty()},
      {"map_groups", !options.map_groups.empty()},
      {"create_user", !options.create_user.empty()},
      {"create_group", !options.create_group.empty()},
      {"squash", options.squash != "none"},
  };
  for (const auto& [option, given] : acting) {
    if (!given) continue;
    return absl::PermissionDeniedError(absl::StrFormat(
        "option \"%s\" is for root's mounts: without root the daemon acts as its own user and "
        "nobody else; mount as root or leave it out",
        option));
  }
  return absl::OkStatus();
}

}  // namespace

Accounts SystemAccounts() {
  return {[](const std::string& name) -> std::optional<uint32_t> {
            const passwd* entry = getpwnam(name.c_str());
            return entry == nullptr ? std::nullopt : std::optional<uint32_t>(entry->pw_uid);
          },
          [](const std::string& name) -> std::optional<uint32_t> {
            const group* entry = getgrnam(name.c_str());
            return entry == nullptr ? std::nullopt : std::optional<uint32_t>(entry->gr_gid);
          }};
}

absl::StatusOr<PolicyOptions> ResolvePolicy(const Options& options, bool privileged,
                                            const Accounts& accounts) {
  if (!privileged) {
    if (const absl::Status status = CheckPrivileges(options); !status.ok()) return status;
  }
  PolicyOptions policy;
  policy.read_only = options.read_only;
  policy.xattr = XattrRuleOf(options.xattrs);
  for (const absl::Status& status :
       {ParseMaps(options, accounts, &policy), ParseSquash(options, accounts, &policy),
        ParseOptionalId("force_user", options.force_user, accounts.user, &policy.force_user),
        ParseOptionalId("force_group", options.force_group, accounts.group, &policy.force_group),
        ParseOptionalId("create_user", options.create_user, accounts.user, &policy.create_user),
        ParseOptionalId("create_group", options.create_group, accounts.group, &policy.create_group),
        ParseModeRule("file_mode", options.file_mode, &policy.file_mode),
        ParseModeRule("dir_mode", options.dir_mode, &policy.dir_mode),
        ParseModeRule("create_file_mode", options.create_file_mode, &policy.create_file_mode),
        ParseModeRule("create_dir_mode", options.create_dir_mode, &policy.create_dir_mode),
        ParseHidden(options.hide, &policy.hidden)}) {
    if (!status.ok()) return status;
  }
  return policy;
}

}  // namespace shuntfs
