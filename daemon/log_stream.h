// Log lines on a descriptor: a terminal, a pipe, a file.
//
// Floor 4. Thread-compatible; does not own the descriptor. A line that finds no room is lost, and
// no request waits for a stopped terminal, a pipe that nobody reads, or a full disk.
#ifndef SHUNTFS_DAEMON_LOG_STREAM_H_
#define SHUNTFS_DAEMON_LOG_STREAM_H_

#include "daemon/log_target.h"

namespace shuntfs {

class LogStream : public LogTarget {
 public:
  enum class Style : uint8_t {
    kStamp,     // "W20261128 20:03:33.123456 1234 file.cc:36] text", as glog has it.
    kPriority,  // "<4>text", as sd-daemon(3) reads it.
  };

  LogStream(int fd, Style style) : fd_(fd), style_(style) {}
  int Write(const LogLine& line) override;
  // Goes on with another descriptor.
  void Use(int fd) {
    fd_ = fd;
    torn_ = false;
  }

 private:
  int fd_;
  Style style_;
  bool torn_ = false;  // The last line got through in part.
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_STREAM_H_
