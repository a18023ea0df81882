// Where log lines go: the journal, syslog(3), stderr or a file.
//
// Floor 4. Opened by the main thread before others exist; then used by LogWriter alone, under its
// lock. A target never waits for room: what it cannot take now is the caller's to count.
#ifndef SHUNTFS_DAEMON_LOG_TARGET_H_
#define SHUNTFS_DAEMON_LOG_TARGET_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace shuntfs {

struct LogLine {
  int priority = 0;       // As syslog(3) has it: LOG_ERR, LOG_WARNING, ...
  const char* file = "";  // The place in the code; lives as long as the program.
  int line = 0;
  std::string text;  // Without control characters, so it stays one line.

  // "ring_worker.cc:36"
  std::string Place() const;
};

class LogTarget {
 public:
  LogTarget() = default;
  LogTarget(const LogTarget&) = delete;
  LogTarget& operator=(const LogTarget&) = delete;
  virtual ~LogTarget() = default;

  // 0, or the errno with which the line was lost.
  virtual int Write(const LogLine& line) = 0;
  // Opens a file anew, which may have been renamed meanwhile. On an error the old one stays.
  virtual absl::Status Reopen() { return absl::OkStatus(); }
};

// What is known of this process when the option "log_target" says "auto".
struct LogSurroundings {
  bool foreground = false;
  bool stderr_is_journal = false;  // $JOURNAL_STREAM names it (systemd.exec(5)).
  bool journal_listens = false;
  bool syslog_listens = false;
};

LogSurroundings LookAround(bool foreground);

// "journal", "syslog", "stderr" or a path, of what the option says. Pure. The error says why the
// wanted one cannot be used.
absl::StatusOr<std::string> ChooseLogTarget(const std::string& wanted,
                                            const LogSurroundings& surroundings);

// Opens what ChooseLogTarget() returned. No log file may be below `mountpoint`: the daemon would
// wait for itself.
absl::StatusOr<std::unique_ptr<LogTarget>> OpenLogTarget(const std::string& name,
                                                         const std::string& mountpoint);

// stderr as it is: with priorities for the journal, or for people.
std::unique_ptr<LogTarget> StderrTarget();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_TARGET_H_
