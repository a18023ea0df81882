// Connects LOG() to a target. See log_writer.h for what happens to a line on its way.
//
// Floor 4. Main thread, before others exist, unless said otherwise. Lines may then come from any
// thread.
#ifndef SHUNTFS_DAEMON_LOG_SETUP_H_
#define SHUNTFS_DAEMON_LOG_SETUP_H_

#include <string>

#include "absl/status/status.h"

namespace shuntfs {

// To stderr, for now. `level`: 0 errors, 1 warnings, 2 notices, 3 and more VLOG(level - 2).
void SetUpLog(int level);

// Changes the level of a process that has threads: each sees it with one of its next lines.
void SetLogLevel(int level);

// Opens what the option "log_target" names. In the foreground lines go there at once; in the
// background they stay on the caller's stderr until LeaveStderr().
absl::Status OpenLog(const std::string& wanted, bool foreground, const std::string& mountpoint);
void LeaveStderr();

// For a file that was renamed. Any thread.
absl::Status ReopenLog();

// "log": {...}, for the status document. Any thread.
std::string LogStatusMember();

// Tells what is still to be told, at the end.
void FinishLog();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_SETUP_H_
