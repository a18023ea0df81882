#include "daemon/log_writer.h"

#include <syslog.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/limits.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

// One line, whatever was in it.
std::string FitText(std::string_view text) {
  std::string fit = Printable(text);
  if (fit.size() <= kMaxLogBytes) return fit;
  size_t end = kMaxLogBytes;
  while ((static_cast<unsigned char>(fit[end]) & 0xC0) == 0x80) --end;  // Not within a character.
  return fit.substr(0, end) + "...";
}

}  // namespace

void LogWriter::Write(int priority, const char* file, int line, std::string_view text,
                      Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  TellDue(now);
  const LogThrottle::Verdict verdict =
      priority <= LOG_CRIT ? LogThrottle::Verdict::kPass : throttle_.Judge(file, line, now);
  if (verdict == LogThrottle::Verdict::kHold) return;
  LogLine fit{priority, file, line, FitText(text)};
  if (verdict == LogThrottle::Verdict::kLastToPass) {
    fit.text += absl::StrFormat(" (more of these within %d s are held back)", kLogIntervalSec);
  }
  Send(fit);
}

void LogWriter::TellHeldBack() {
  const std::lock_guard lock(mutex_);
  TellDue(Clock::time_point::max());
}

void LogWriter::SetTarget(std::unique_ptr<LogTarget> target) {
  const std::lock_guard lock(mutex_);
  target_ = std::move(target);
}

absl::Status LogWriter::Reopen() {
  const std::lock_guard lock(mutex_);
  return target_->Reopen();
}

LogWriter::Counts LogWriter::counts() const {
  const std::lock_guard lock(mutex_);
  return {throttle_.held_back(), lost_};
}

void LogWriter::TellDue(Clock::time_point now) {
  for (const LogThrottle::Held& held : throttle_.TakeDue(now)) {
    LogLine line{LOG_WARNING, held.file, held.line, ""};
    line.text = absl::StrFormat("%d more lines of %s were held back", held.lines, line.Place());
    Send(line);
  }
}

void LogWriter::Send(const LogLine& line) {
  if (lost_untold_ > 0) {
    const LogLine before{LOG_WARNING, __FILE__, __LINE__,
                         absl::StrFormat("%d lines before this one were lost", lost_untold_)};
    if (target_->Write(before) == 0) lost_untold_ = 0;
  }
  if (target_->Write(line) == 0) return;
  ++lost_;
  ++lost_untold_;
}

}  // namespace shuntfs
