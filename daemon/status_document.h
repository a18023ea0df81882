// The document that `shuntfs status --json` prints for one mount.
//
// Floor 4. Pure.
#ifndef SHUNTFS_DAEMON_STATUS_DOCUMENT_H_
#define SHUNTFS_DAEMON_STATUS_DOCUMENT_H_

#include <sys/types.h>

#include <string>

#include "daemon/serve.h"

namespace shuntfs {

// What does not change while the mount lives.
struct StatusFacts {
  std::string source;
  std::string mountpoint;
  pid_t pid = 0;
  DataPathChoice choice;
};

// `server_members` are members of a JSON object without its braces, as FormatServerStatus() gives
// them.
std::string StatusDocument(const StatusFacts& facts, double uptime_s,
                           const std::string& server_members);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_STATUS_DOCUMENT_H_
