#include <set>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/values.h"
#include "core/base/limits.h"
#include "daemon/policy_setup.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

constexpr uint32_t kLastId = 0xfffffffe;

AccountNames Names() {
  return {[](const std::string& name) -> std::optional<uint32_t> {
            if (name == "alice") return 1000;
            return name == "root" ? std::optional<uint32_t>(0) : std::nullopt;
          },
          [] {
            return std::vector<std::string>{"alice", "root"};
          }};
}

// The numbers in the text and what is beside them, where ranges begin and end.
std::set<uint32_t> NumbersIn(std::string_view text) {
  std::set<uint32_t> numbers = {0, 1000, kOverflowId - 1, kOverflowId, kOverflowId + 1, kLastId};
  std::string digits;
  for (const char c : std::string(text) + "/") {
    if (c >= '0' && c <= '9') {
      digits += c;
      continue;
    }
    const std::optional<uint64_t> number = ParseCount(digits);
    digits.clear();
    if (!number || *number == 0 || *number >= kLastId || numbers.size() > 2000) continue;
    const auto id = static_cast<uint32_t>(*number);
    numbers.insert({id - 1, id, id + 1});
  }
  return numbers;
}

template <typename Host, typename Caller>
void CheckMap(const IdMap<Host, Caller>& map, const std::set<uint32_t>& ids) {
  for (const uint32_t id : ids) {
    const std::optional<Caller> caller = map.ToCaller(Host(id));
    if (caller) {
      Require(map.ToHost(*caller) == Host(id), "an id that is mapped comes back");
      Require(map.identity() || caller->value() != kOverflowId, "nobody's number is nobody's");
      Require(map.identity() || caller->value() <= kLastId, "an id is one");
    }
    const std::optional<Host> host = map.ToHost(Caller(id));
    if (host) Require(map.ToCaller(*host) == Caller(id), "an id of a caller comes back");
  }
}

void CheckRule(const ModeRule& rule) {
  Require((rule.keep | rule.add) <= 0777, "a rule is about permissions");
  Require((rule.Apply(07777) & ~uint32_t{0777}) == 07000, "a rule leaves set-id bits alone");
}

}  // namespace

void CheckIdMaps(std::string_view input) {
  std::vector<Setting> settings;
  if (!ParseOptionList(input, &settings).ok()) return;
  Configuration configuration;
  configuration.Add(settings);
  const Accounts accounts{Names(), Names()};
  const ResolvedPolicy resolved = ResolvePolicy(configuration, /*privileged=*/true, accounts);
  Require(resolved.mistakes.size() <= 2 * kMaxIdRanges + 20, "mistakes are told in bounded length");
  for (const Mistake& mistake : resolved.mistakes)
    Require(FindOption(mistake.key) != nullptr && !mistake.text.empty(),
            "a mistake is in an option's value");
  if (!resolved.mistakes.empty()) return;
  const PolicyOptions& policy = resolved.policy;
  const std::set<uint32_t> numbers = NumbersIn(input);
  CheckMap(policy.users, numbers);
  CheckMap(policy.groups, numbers);
  for (const ModeRule* rule :
       {&policy.file_mode, &policy.dir_mode, &policy.create_file_mode, &policy.create_dir_mode})
    CheckRule(*rule);
  Require(policy.squash_user != HostUid(0), "nobody is squashed to root");
  Require(!policy.hidden.Match(".") && !policy.hidden.Match(".."), "a directory has its own names");
}

}  // namespace shuntfs::parsers
