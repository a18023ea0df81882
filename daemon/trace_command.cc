#include "daemon/trace_command.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "daemon/control_client.h"
#include "daemon/exit_code.h"
#include "daemon/printable.h"
#include "daemon/status_question.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 5000;

int Fail(const absl::Status& status) {
  PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

absl::StatusOr<ControlClient> StartTrace(const MountEntry& entry, const std::string& operations) {
  absl::StatusOr<ControlClient> client = ControlClient::Connect(entry);
  if (!client.ok()) return client.status();
  const std::string question = operations.empty() ? "trace" : "trace " + operations;
  if (absl::Status status = client->Ask(question); !status.ok()) return status;
  const absl::StatusOr<std::string> answer = client->ReadLine(kAnswerTimeoutMs);
  if (!answer.ok()) return answer.status();
  if (*answer == "ok") return client;
  const bool refused = answer->starts_with("error ");
  return absl::InvalidArgumentError(
      refused ? answer->substr(6) : absl::StrFormat("the daemon answers \"%s\"", *answer));
}

// A line of a trace is shorter; what has no end is printed in pieces.
constexpr size_t kLongestLine = size_t{64} << 10;

// Prints the whole lines at the start of `text` and removes them. The daemon has made names
// printable; what still could move a cursor comes from something that is not our daemon.
bool PrintLines(std::string* text) {
  size_t end = text->rfind('\n') + 1;  // 0 without a newline.
  if (end == 0 && text->size() > kLongestLine) end = text->size();
  const std::string printable = PrintableLines(std::string_view(*text).substr(0, end));
  text->erase(0, end);
  return std::fwrite(printable.data(), 1, printable.size(), stdout) == printable.size() &&
         std::fflush(stdout) == 0;
}

// Until the daemon ends, or nobody reads any more.
absl::Status CopyToStdout(int fd) {
  std::array<char, 65536> buffer;
  std::string text;
  while (true) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR)
      return absl::UnavailableError(absl::StrFormat("poll: %s", std::strerror(errno)));
    const ssize_t count = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return absl::OkStatus();
    if (count < 0) continue;
    text.append(buffer.data(), static_cast<size_t>(count));
    if (!PrintLines(&text))
      return absl::UnavailableError(
          absl::StrFormat("the output cannot be written: %s", std::strerror(errno)));
  }
}

}  // namespace

int RunTraceCommand(const CommandLine& line) {
  const absl::StatusOr<MountEntry> entry = FindOwnMount(line.operands[0]);
  if (!entry.ok()) return Fail(entry.status());
  const absl::StatusOr<ControlClient> client =
      StartTrace(*entry, absl::AsciiStrToUpper(line.operations));
  if (!client.ok()) return Fail(client.status());
  const absl::Status status = CopyToStdout(client->fd());
  if (!status.ok()) return Fail(status);
  std::fprintf(stderr, "shuntfs: the daemon of %s has ended the trace\n",
               Printable(entry->mountpoint).c_str());
  return kExitOk;
}

}  // namespace shuntfs
