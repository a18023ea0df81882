#include "daemon/journal_target.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/printable.h"

namespace shuntfs {

bool JournalListens() {
  struct stat st {};
  return stat(kJournalSocket, &st) == 0 && S_ISSOCK(st.st_mode);
}

JournalTarget::JournalTarget(std::string_view mountpoint, UniqueFd socket)
    : mountpoint_(Printable(mountpoint)), socket_(std::move(socket)) {}

absl::StatusOr<std::unique_ptr<JournalTarget>> JournalTarget::Open(std::string_view mountpoint) {
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("no socket to the journal is to be had: %s", std::strerror(errno)));
  }
  return std::unique_ptr<JournalTarget>(new JournalTarget(mountpoint, std::move(fd)));
}

int JournalTarget::Write(const LogLine& line) {
  // No value has a newline in it, so none needs the protocol's other form.
  const std::string message = absl::StrFormat(
      "MESSAGE=%s\nPRIORITY=%d\nCODE_FILE=%s\nCODE_LINE=%d\nSYSLOG_IDENTIFIER=shuntfs\n"
      "SHUNTFS_MOUNTPOINT=%s\n",
      line.text, line.priority, line.file, line.line, mountpoint_);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, kJournalSocket, sizeof(address.sun_path) - 1);
  // By name each time: a journal that is started anew may be another socket.
  const ssize_t sent = sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return sent < 0 ? errno : 0;
}

}  // namespace shuntfs
