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

XattrRule XattrRuleOf(const std::string& word) {
  if (word == "readonly") return XattrRule::kReadOnly;
  if (word == "unprivileged") return XattrRule::kUnprivileged;
  if (word == "user") return XattrRule::kUser;
  return word == "none" ? XattrRule::kNone : XattrRule::kAll;
}

// Reads one value and notes what is wrong with it. A reading that failed is of no use, and the
// policy counts only without mistakes.
class ValueReader {
 public:
  ValueReader(std::string_view option, std::vector<Mistake>* mistakes)
      : option_(option), mistakes_(mistakes) {}

  // A number, or a name that this system knows.
  std::optional<uint32_t> ReadId(const std::string& word, const AccountNames& names);
  // SRC:HERE[:COUNT], separated by slashes; at last "same".
  std::optional<std::vector<IdRange>> ReadMap(const std::string& text, const AccountNames& names);
  // KEEP[:ADD]
  std::optional<ModeRule> ReadModeRule(const std::string& text);
  std::optional<NamePatterns> ReadHidden(const std::string& text);
  // What else is wrong with the value, a sentence that begins with the option's name.
  std::nullopt_t Add(const std::string& text) {
    mistakes_->push_back({"", 0, option_, text});
    return std::nullopt;
  }

 private:
  std::nullopt_t Wrong(const std::string& word, const std::string& why) {
    return Add(absl::StrFormat("is \"%s\": %s", word, why));
  }
  std::optional<IdRange> ReadRange(const std::string& word, const AccountNames& names);
  std::optional<uint32_t> ReadPermissions(const std::string& word);

  std::string option_;
  std::vector<Mistake>* mistakes_;
};

std::optional<uint32_t> ValueReader::ReadId(const std::string& word, const AccountNames& names) {
  if (const std::optional<uint64_t> number = ParseCount(word)) {
    if (*number <= kLastId) return static_cast<uint32_t>(*number);
    return Wrong(word, absl::StrFormat("ids go from 0 to %d", kLastId));
  }
  if (const std::optional<uint32_t> id = word.empty() ? std::nullopt : names.find(word)) return id;
  const std::vector<std::string> known = names.list();
  const std::optional<std::string> meant = ClosestWord(word, {known.begin(), known.end()});
  return Wrong(word, "it is no number, and this system has no such name" +
                         (meant ? absl::StrFormat("; did you mean \"%s\"?", *meant) : ""));
}

std::optional<IdRange> ValueReader::ReadRange(const std::string& word, const AccountNames& names) {
  const std::vector<std::string> parts = Split(word, ':');
  if (parts.size() != 2 && parts.size() != 3) {
    return Wrong(word,
                 "a range is SRC:HERE or SRC:HERE:COUNT, such as 1000:2000:1, and ranges are "
                 "separated by \"/\"");
  }
  const std::optional<uint32_t> host = ReadId(parts[0], names);
  const std::optional<uint32_t> caller = ReadId(parts[1], names);
  if (!host || !caller) return std::nullopt;
  IdRange range;
  range.host = *host;
  range.caller = *caller;
  if (parts.size() == 3) {
    const std::optional<uint64_t> count = ParseCount(parts[2]);
    if (!count || *count > kLastId) return Wrong(word, "its count is no number of ids");
    range.count = static_cast<uint32_t>(*count);
  }
  return range;
}

std::optional<std::vector<IdRange>> ValueReader::ReadMap(const std::string& text,
                                                         const AccountNames& names) {
  std::vector<std::string> words = Split(text, '/');
  const bool same = words.back() == "same";
  if (same) words.pop_back();
  // Before the words are read: each that is no name is compared with the names that there are.
  if (words.size() > kMaxIdRanges)
    return Wrong(words[kMaxIdRanges], WhyNot(IdRangeFault::Kind::kTooMany));
  std::vector<IdRange> ranges;
  for (const std::string& word : words) {
    if (const std::optional<IdRange> range = ReadRange(word, names)) ranges.push_back(*range);
  }
  if (ranges.size() < words.size()) return std::nullopt;
  if (const std::optional<IdRangeFault> fault = IdRanges::Check(ranges))
    return Wrong(words[fault->range], WhyNot(fault->kind));
  if (same) {
    for (const IdRange& rest : IdRanges::Rest(ranges)) ranges.push_back(rest);
  }
  return ranges;
}

std::optional<uint32_t> ValueReader::ReadPermissions(const std::string& word) {
  uint32_t bits = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, bits, 8);
  if (word.empty() || error != std::errc() || stop != end || bits > 0777)
    return Wrong(word, "permissions are octal, from 0 to 777");
  return bits;
}

std::optional<ModeRule> ValueReader::ReadModeRule(const std::string& text) {
  const std::vector<std::string> parts = Split(text, ':');
  if (parts.size() > 2) return Wrong(text, "it takes KEEP or KEEP:ADD, such as 770:040");
  ModeRule rule;
  for (const auto& [part, bits] :
       {std::pair(parts.begin(), &rule.keep), std::pair(parts.begin() + 1, &rule.add)}) {
    if (part == parts.end()) break;
    const std::optional<uint32_t> read = ReadPermissions(*part);
    if (!read) return std::nullopt;
    *bits = *read;
  }
  return rule;
}

std::optional<NamePatterns> ValueReader::ReadHidden(const std::string& text) {
  const std::vector<std::string> names = Split(text, '/');
  for (const std::string& name : names) {
    if (name.empty() || name == "." || name == ".." || name.size() > kNameMax) {
      return Wrong(text,
                   "it takes names or patterns of 1 to 255 bytes, separated by \"/\", none of them "
                   "\".\" or \"..\"");
    }
  }
  return NamePatterns(names);
}

// All options of a policy, one after the other.
class PolicyReader {
 public:
  PolicyReader(const Options& from, const Accounts& accounts) : from_(from), accounts_(accounts) {}

  ResolvedPolicy Read() {
    PolicyOptions& policy = resolved_.policy;
    policy.read_only = from_.read_only;
    policy.xattr = XattrRuleOf(from_.xattrs);
    ReadMap("map_users", from_.map_users, accounts_.users, &policy.users);
    ReadMap("map_groups", from_.map_groups, accounts_.groups, &policy.groups);
    ReadSquash();
    ReadId("force_user", from_.force_user, accounts_.users, &policy.force_user);
    ReadId("force_group", from_.force_group, accounts_.groups, &policy.force_group);
    ReadId("create_user", from_.create_user, accounts_.users, &policy.create_user);
    ReadId("create_group", from_.create_group, accounts_.groups, &policy.create_group);
    ReadMode("file_mode", from_.file_mode, &policy.file_mode);
    ReadMode("dir_mode", from_.dir_mode, &policy.dir_mode);
    ReadMode("create_file_mode", from_.create_file_mode, &policy.create_file_mode);
    ReadMode("create_dir_mode", from_.create_dir_mode, &policy.create_dir_mode);
    if (!from_.hide.empty()) {
      if (std::optional<NamePatterns> hidden = Reader("hide").ReadHidden(from_.hide))
        policy.hidden = *std::move(hidden);
    }
    return std::move(resolved_);
  }

  // What an ordinary user cannot have.
  void RefuseActing() {
    const std::pair<const char*, bool> acting[] = {
        {"map_users", !from_.map_users.empty()},     {"map_groups", !from_.map_groups.empty()},
        {"create_user", !from_.create_user.empty()}, {"create_group", !from_.create_group.empty()},
        {"squash", from_.squash != "none"},
    };
    for (const auto& [option, given] : acting) {
      if (!given) continue;
      Reader(option).Add(
          "is for root's mounts: without root the daemon acts as its own user and nobody else; "
          "mount as root or leave it out");
    }
  }

 private:
  ValueReader Reader(std::string_view option) { return {option, &resolved_.mistakes}; }

  template <typename Map>
  void ReadMap(std::string_view option, const std::string& text, const AccountNames& names,
               Map* map) {
    if (text.empty()) return;
    if (const auto ranges = Reader(option).ReadMap(text, names)) *map = Map(*ranges);
  }

  template <typename Id>
  void ReadId(std::string_view option, const std::string& text, const AccountNames& names,
              std::optional<Id>* id) {
    if (text.empty()) return;
    if (const auto number = Reader(option).ReadId(text, names)) *id = Id(*number);
  }

  void ReadMode(std::string_view option, const std::string& text, ModeRule* rule) {
    if (text.empty()) return;
    if (const auto read = Reader(option).ReadModeRule(text)) *rule = *read;
  }

  void ReadSquash() {
    PolicyOptions& policy = resolved_.policy;
    if (from_.squash == "root") policy.squash = Squash::kRoot;
    if (from_.squash == "all") policy.squash = Squash::kAll;
    std::optional<HostUid> user;
    std::optional<HostGid> group;
    ReadId("squash_user", from_.squash_user, accounts_.users, &user);
    ReadId("squash_group", from_.squash_group, accounts_.groups, &group);
    if (user == HostUid(0)) {
      Reader("squash_user")
          .Add("is root, so that whoever is squashed could do everything; name an ordinary user");
    }
    policy.squash_user = user.value_or(policy.squash_user);
    policy.squash_group = group.value_or(policy.squash_group);
  }

  const Options& from_;
  const Accounts& accounts_;
  ResolvedPolicy resolved_;
};

// Names to choose from when one is not known. Where accounts come from a directory service, it
// lists few or none.
constexpr size_t kMaxNames = 10000;

std::vector<std::string> UserNames() {
  std::vector<std::string> names;
  setpwent();
  for (const passwd* entry = getpwent(); entry != nullptr && names.size() < kMaxNames;
       entry = getpwent())
    names.emplace_back(entry->pw_name);
  endpwent();
  return names;
}

std::vector<std::string> GroupNames() {
  std::vector<std::string> names;
  setgrent();
  for (const group* entry = getgrent(); entry != nullptr && names.size() < kMaxNames;
       entry = getgrent())
    names.emplace_back(entry->gr_name);
  endgrent();
  return names;
}

}  // namespace

Accounts SystemAccounts() {
  return {{[](const std::string& name) -> std::optional<uint32_t> {
             const passwd* entry = getpwnam(name.c_str());
             return entry == nullptr ? std::nullopt : std::optional<uint32_t>(entry->pw_uid);
           },
           &UserNames},
          {[](const std::string& name) -> std::optional<uint32_t> {
             const group* entry = getgrnam(name.c_str());
             return entry == nullptr ? std::nullopt : std::optional<uint32_t>(entry->gr_gid);
           },
           &GroupNames}};
}

ResolvedPolicy ResolvePolicy(const Configuration& configuration, bool privileged,
                             const Accounts& accounts) {
  const Options options = configuration.ToOptions();
  PolicyReader reader(options, accounts);
  if (!privileged) reader.RefuseActing();
  ResolvedPolicy resolved = reader.Read();
  for (Mistake& mistake : resolved.mistakes) LocateMistake(configuration, &mistake);
  return resolved;
}

}  // namespace shuntfs
