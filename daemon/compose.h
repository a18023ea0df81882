// What this kernel and these privileges allow, mode by mode.
//
// Floor 4. Looks at the system as it is now; nothing is kept.
#ifndef SHUNTFS_DAEMON_COMPOSE_H_
#define SHUNTFS_DAEMON_COMPOSE_H_

#include <string>
#include <vector>

namespace shuntfs {

struct ModeProbe {
  std::string mode;
  bool available = false;
  std::string reason;  // why, or why not
  std::string
      remedy;  // what would make it available; empty when nothing would, or nothing is needed
};

// All modes, the best first: zero-copy, buffer-pool, per-entry, device; and kernel, which is never
// chosen by itself.
std::vector<ModeProbe> ProbeModes();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_COMPOSE_H_
