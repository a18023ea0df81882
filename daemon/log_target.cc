#include "daemon/log_target.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_format.h"
#include "core/base/unique_fd.h"
#include "daemon/journal_target.h"
#include "daemon/log_file.h"
#include "daemon/log_stream.h"

namespace shuntfs {
namespace {

constexpr const char* kSyslogSocket = "/dev/log";

// syslog(3) itself never says that nobody listens.
bool SyslogListens() {
  struct stat st {};
  return stat(kSyslogSocket, &st) == 0 && S_ISSOCK(st.st_mode);
}

class SyslogTarget : public LogTarget {
 public:
  SyslogTarget() { openlog("shuntfs", LOG_PID | LOG_NDELAY, LOG_DAEMON); }
  ~SyslogTarget() override { closelog(); }
  int Write(const LogLine& line) override {
    syslog(line.priority, "%s (%s)", line.text.c_str(), line.Place().c_str());
    return 0;
  }
};

bool StderrIsJournal() {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat st {};
  if (named == nullptr || fstat(STDERR_FILENO, &st) != 0) return false;
  return absl::StrFormat("%d:%d", st.st_dev, st.st_ino) == named;
}

}  // namespace

std::string LogLine::Place() const {
  const char* slash = std::strrchr(file, '/');
  return absl::StrFormat("%s:%d", slash == nullptr ? file : slash + 1, line);
}

LogSurroundings LookAround(bool foreground) {
  return {foreground, StderrIsJournal(), JournalListens(), SyslogListens()};
}

absl::StatusOr<std::string> ChooseLogTarget(const std::string& wanted,
                                            const LogSurroundings& surroundings) {
  if (wanted == "auto") {
    if (surroundings.foreground) {
      const bool journal = surroundings.stderr_is_journal && surroundings.journal_listens;
      return std::string(journal ? "journal" : "stderr");
    }
    return std::string(surroundings.journal_listens ? "journal" : "syslog");
  }
  if (wanted == "journal" && !surroundings.journal_listens) {
    return absl::UnavailableError(absl::StrFormat(
        "option \"log_target\" is \"journal\", but nobody listens at %s; leave it out, or log to "
        "syslog, stderr or a file",
        kJournalSocket));
  }
  if (wanted == "syslog" && !surroundings.syslog_listens) {
    return absl::UnavailableError(absl::StrFormat(
        "option \"log_target\" is \"syslog\", but nobody listens at %s; start a syslog daemon, or "
        "log to stderr or a file",
        kSyslogSocket));
  }
  if (wanted == "stderr" && !surroundings.foreground) {
    return absl::InvalidArgumentError(
        "option \"log_target\" is \"stderr\", which a daemon in the background gives up; mount "
        "with -f, or log to the journal, to syslog or to a file");
  }
  return wanted;
}

absl::StatusOr<std::unique_ptr<LogTarget>> OpenLogTarget(const std::string& name,
                                                         const std::string& mountpoint) {
  if (name == "journal") {
    absl::StatusOr<std::unique_ptr<JournalTarget>> journal = JournalTarget::Open(mountpoint);
    if (!journal.ok()) return journal.status();
    return *std::move(journal);
  }
  if (name == "stderr") return StderrTarget();
  if (name == "syslog") return std::make_unique<SyslogTarget>();
  absl::StatusOr<std::unique_ptr<LogFile>> file = LogFile::Open(name, mountpoint);
  if (!file.ok()) return file.status();
  return *std::move(file);
}

std::unique_ptr<LogTarget> StderrTarget() {
  return std::make_unique<LogStream>(
      STDERR_FILENO, StderrIsJournal() ? LogStream::Style::kPriority : LogStream::Style::kStamp);
}

}  // namespace shuntfs
