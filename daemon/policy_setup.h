// The policy of a mount from its options: texts become ids, ranges, bits and names. What
// contradicts itself was refused before (FindConflicts).
//
// Floor 4. Main thread, before the mount: names are looked up once, here, and never again.
#ifndef SHUNTFS_DAEMON_POLICY_SETUP_H_
#define SHUNTFS_DAEMON_POLICY_SETUP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "core/policy.h"

namespace shuntfs {

struct AccountNames {
  // The number; no value: there is no such name.
  std::function<std::optional<uint32_t>(const std::string& name)> find;
  // Those that somebody may have meant.
  std::function<std::vector<std::string>()> list;
};

struct Accounts {
  AccountNames users;
  AccountNames groups;
};

// Those of this system (getpwnam(3), getgrnam(3)).
Accounts SystemAccounts();

struct ResolvedPolicy {
  PolicyOptions policy;           // Counts only without mistakes.
  std::vector<Mistake> mistakes;  // Where they are, if in a file.
};

// `privileged`: root's mount, which can act as others.
ResolvedPolicy ResolvePolicy(const Configuration& configuration, bool privileged,
                             const Accounts& accounts);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_POLICY_SETUP_H_
