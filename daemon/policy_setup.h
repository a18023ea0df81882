// The policy of a mount from its options: texts become ids, ranges, bits and names. What
// contradicts itself was refused before (FindConflicts).
//
// Floor 4. Main thread, before the mount: names are looked up once, here, and never again. Errors
// are absl::InvalidArgument (PermissionDenied where root could), a sentence that names the option.
#ifndef SHUNTFS_DAEMON_POLICY_SETUP_H_
#define SHUNTFS_DAEMON_POLICY_SETUP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "config/options.h"
#include "core/policy.h"

namespace shuntfs {

// Numbers of names; no value: there is no such name.
struct Accounts {
  std::function<std::optional<uint32_t>(const std::string& name)> user;
  std::function<std::optional<uint32_t>(const std::string& name)> group;
};

// Those of this system (getpwnam(3), getgrnam(3)).
Accounts SystemAccounts();

// `privileged`: root's mount, which can act as others.
absl::StatusOr<PolicyOptions> ResolvePolicy(const Options& options, bool privileged,
                                            const Accounts& accounts);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_POLICY_SETUP_H_
