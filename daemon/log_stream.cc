#include "daemon/log_stream.h"

#include <poll.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

std::string Stamp(const LogLine& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  std::array<char, 32> text;
  const size_t size = strftime(text.data(), text.size(), "%Y%m%d %H:%M:%S", &local);
  const char severity = line.priority <= LOG_CRIT ? 'F'
                                                  : (line.priority == LOG_ERR       ? 'E'
                                                     : line.priority == LOG_WARNING ? 'W'
                                                                                    : 'I');
  return absl::StrFormat("%c%s.%06d %d %s] ", severity, std::string(text.data(), size),
                         now.tv_nsec / 1000, gettid(), line.Place());
}

// 0 when all of `text` is out; else an errno, and `done` bytes are.
int WriteWithoutWaiting(int fd, const std::string& text, size_t* done) {
  for (*done = 0; *done < text.size();) {
    pollfd room{fd, POLLOUT, 0};
    if (poll(&room, 1, 0) == 0) return EAGAIN;
    const ssize_t count = write(fd, text.data() + *done, text.size() - *done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    *done += static_cast<size_t>(count);
  }
  return 0;
}

}  // namespace

int LogStream::Write(const LogLine& line) {
  std::string text = torn_ ? "\n" : "";
  text += style_ == Style::kStamp ? Stamp(line) : absl::StrFormat("<%d>", line.priority);
  text += line.text + "\n";
  size_t done = 0;
  const int error = WriteWithoutWaiting(fd_, text, &done);
  if (done > 0) torn_ = done < text.size();
  return error;
}

}  // namespace shuntfs
