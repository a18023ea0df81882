#include "daemon/log_setup.h"

#include <syslog.h>

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "daemon/json.h"
#include "daemon/log_target.h"
#include "daemon/log_writer.h"

namespace shuntfs {
namespace {

int PriorityOf(google::LogSeverity severity) {
  switch (severity) {
    case google::GLOG_FATAL:
      return LOG_CRIT;
    case google::GLOG_ERROR:
      return LOG_ERR;
    case google::GLOG_WARNING:
      return LOG_WARNING;
    default:
      return LOG_INFO;
  }
}

class Sink : public google::LogSink {
 public:
  explicit Sink(LogWriter* writer) : writer_(writer) {}
  void send(google::LogSeverity severity, const char* full_filename, const char* /*base_filename*/,
            int line, const google::LogMessageTime& /*time*/, const char* message,
            size_t length) override {
    writer_->Write(PriorityOf(severity), full_filename, line, {message, length},
                   LogWriter::Clock::now());
  }

 private:
  LogWriter* writer_;
};

// Never destroyed: threads may log until the process is gone.
struct Log {
  LogWriter writer{StderrTarget()};
  Sink sink{&writer};
  std::string target = "stderr";
  std::unique_ptr<LogTarget> waiting;  // Until LeaveStderr().
};

Log& TheLog() {
  static auto* log = new Log();
  return *log;
}

}  // namespace

void SetUpLog(int level) {
  // Our sink is the only one: no files in /tmp, and stderr only where it is the target.
  for (int severity = 0; severity < google::NUM_SEVERITIES; ++severity)
    google::SetLogDestination(severity, "");
  FLAGS_logtostderr = false;  // $GLOG_logtostderr may say otherwise.
  FLAGS_alsologtostderr = false;
  FLAGS_stderrthreshold = google::NUM_SEVERITIES;
  SetLogLevel(level);
  google::InitGoogleLogging("shuntfs");
  google::AddLogSink(&TheLog().sink);
}

// glog reads both without a lock wherever a line begins, and means them to be changed at any time.
void SetLogLevel(int level) {
  FLAGS_minloglevel = std::max(0, 2 - level);
  FLAGS_v = std::max(0, level - 2);
}

absl::Status OpenLog(const std::string& wanted, bool foreground, const std::string& mountpoint) {
  const absl::StatusOr<std::string> name = ChooseLogTarget(wanted, LookAround(foreground));
  if (!name.ok()) return name.status();
  absl::StatusOr<std::unique_ptr<LogTarget>> target = OpenLogTarget(*name, mountpoint);
  if (!target.ok()) return target.status();
  TheLog().target = *name;
  TheLog().waiting = *std::move(target);
  if (foreground) LeaveStderr();
  return absl::OkStatus();
}

void LeaveStderr() {
  if (TheLog().waiting) TheLog().writer.SetTarget(std::move(TheLog().waiting));
}

absl::Status ReopenLog() { return TheLog().writer.Reopen(); }

std::string LogStatusMember() {
  const LogWriter::Counts counts = TheLog().writer.counts();
  return absl::StrFormat("\"log\": {\"target\": %s, \"held_back\": %d, \"lost\": %d}",
                         JsonQuote(TheLog().target), counts.held_back, counts.lost);
}

void FinishLog() { TheLog().writer.TellHeldBack(); }

}  // namespace shuntfs
