// Asks the daemon of a mount for its status document.
//
// Floor 4. One thread.
#ifndef SHUNTFS_DAEMON_STATUS_QUESTION_H_
#define SHUNTFS_DAEMON_STATUS_QUESTION_H_

#include <string>

#include "absl/status/statusor.h"
#include "daemon/mount_table.h"

namespace shuntfs {

// The entry of the mount that `path` leads to.
absl::StatusOr<MountEntry> FindOwnMount(const std::string& path);

// The document, which is sound JSON, without its newline.
absl::StatusOr<std::string> AskForStatus(const MountEntry& entry);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_STATUS_QUESTION_H_
