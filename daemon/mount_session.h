// One mount from inside the process that serves it: limits, data path, mount, server, control
// socket, and then the lifecycle until the end.
//
// Floor 4. Main thread; forks (fusermount3) before the server's threads exist.
#ifndef SHUNTFS_DAEMON_MOUNT_SESSION_H_
#define SHUNTFS_DAEMON_MOUNT_SESSION_H_

#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/load.h"
#include "config/options.h"
#include "core/policy.h"
#include "daemon/daemonize.h"
#include "daemon/mount_checks.h"

namespace shuntfs {

struct MountRequest {
  MountPaths paths;
  std::string data_path;
  Options options;
  bool foreground = false;  // A service manager that is there started this very process.
  PolicyOptions policy;     // what the options say of it
  // What the options come from, for a reload.
  ConfigSources sources;
  Configuration configuration;
};

// Serves until the mount ends, and returns the exit code. `report` hears when it is ready, or why
// not.
int RunMountSession(const MountRequest& request, ReadyReport report);

// The words that mount(8) or fusermount3 get for these options. `source_read_only`: SRC takes no
// changes, so its mount is one that says so. Pure.
std::vector<std::string> MountWords(const MountRequest& request, bool privileged,
                                    bool source_read_only = false);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_SESSION_H_
