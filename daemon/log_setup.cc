#include "daemon/log_setup.h"

#include <syslog.h>

#include <algorithm>
#include <cstddef>
#include <ctime>

#include "core/base/log.h"

namespace shuntfs {
namespace {

class SyslogSink : public google::LogSink {
 public:
  void send(google::LogSeverity severity, const char* /*full_filename*/, const char* base_filename,
            int line, const google::LogMessageTime& /*time*/, const char* message,
            size_t length) override {
    int priority = LOG_INFO;
    if (severity == google::GLOG_WARNING) priority = LOG_WARNING;
    if (severity == google::GLOG_ERROR) priority = LOG_ERR;
    if (severity == google::GLOG_FATAL) priority = LOG_CRIT;
    syslog(priority, "%.*s (%s:%d)", static_cast<int>(std::min<size_t>(length, 4096)), message,
           base_filename, line);
  }
};

}  // namespace

void SetUpLog(int level) {
  FLAGS_logtostderr = true;  // Never files in /tmp.
  SetLogLevel(level);
  google::InitGoogleLogging("shuntfs");
}

// glog reads both without a lock wherever a line begins, and means them to be changed at any time.
void SetLogLevel(int level) {
  FLAGS_minloglevel = std::max(0, 2 - level);
  FLAGS_v = std::max(0, level - 2);
}

void SendLogToSyslog() {
  static SyslogSink sink;
  openlog("shuntfs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
  google::AddLogSink(&sink);
}

}  // namespace shuntfs
