// Log lines in a file that is appended to.
//
// Floor 4. Thread-compatible. A full disk loses lines and nothing else.
#ifndef SHUNTFS_DAEMON_LOG_FILE_H_
#define SHUNTFS_DAEMON_LOG_FILE_H_

#include <memory>
#include <string>

#include "core/base/unique_fd.h"
#include "daemon/log_stream.h"
#include "daemon/log_target.h"

namespace shuntfs {

class LogFile : public LogTarget {
 public:
  // Makes the file if it is not there. An error names the file, the reason and the remedy; a file
  // below `mountpoint` is one.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path,
                                                       const std::string& mountpoint);

  int Write(const LogLine& line) override { return stream_.Write(line); }
  absl::Status Reopen() override;

 private:
  LogFile(std::string path, std::string mountpoint, UniqueFd fd);

  std::string path_;
  std::string mountpoint_;
  UniqueFd fd_;
  LogStream stream_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_FILE_H_
