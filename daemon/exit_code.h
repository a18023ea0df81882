// The exit codes of mount(8), and which of them an error becomes.
//
// Floor 4. Plain values.
#ifndef SHUNTFS_DAEMON_EXIT_CODE_H_
#define SHUNTFS_DAEMON_EXIT_CODE_H_

#include "absl/status/status.h"

namespace shuntfs {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage =
    1;  // Wrong usage, no permission, or a daemon that did not end in order.
inline constexpr int kExitSystem =
    2;  // The system lacks something: /dev/fuse, memory, descriptors.
inline constexpr int kExitMount = 32;  // This mount cannot be made or ended.

inline int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
      return kExitSystem;
    default:
      return kExitMount;
  }
}

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_EXIT_CODE_H_
