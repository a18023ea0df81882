#include "daemon/reload_command.h"

#include <cstdio>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "daemon/control_client.h"
#include "daemon/exit_code.h"
#include "daemon/our_mount.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 10 * 1000;
constexpr std::string_view kError = "error ";

absl::StatusOr<std::string> Ask(const MountEntry& entry) {
  absl::StatusOr<ControlClient> client = ControlClient::Connect(entry);
  if (!client.ok()) return client.status();
  if (absl::Status status = client->Ask("reload"); !status.ok()) return status;
  return client->ReadToEnd(kAnswerTimeoutMs);
}

// What the daemon reports. Its errors are those of the configuration, one line for each mistake.
absl::StatusOr<std::string> Reload(const std::string& path) {
  const absl::StatusOr<MountEntry> entry = FindOurMount(path);
  if (!entry.ok()) return entry.status();
  absl::StatusOr<std::string> answer = Ask(*entry);
  if (!answer.ok()) {
    return absl::Status(answer.status().code(),
                        absl::StrFormat("the daemon of %s cannot be asked: %s", entry->mountpoint,
                                        std::string(answer.status().message())));
  }
  if (!answer->starts_with(kError)) return answer;
  while (answer->ends_with('\n')) answer->pop_back();
  return absl::InvalidArgumentError(answer->substr(kError.size()));
}

}  // namespace

int RunReloadCommand(const CommandLine& line) {
  const absl::StatusOr<std::string> report = Reload(line.operands[0]);
  if (!report.ok()) {
    PrintErrors(std::string(report.status().message()));
    return ExitCodeOf(report.status());
  }
  std::fputs(PrintableLines(*report).c_str(), stdout);
  return kExitOk;
}

}  // namespace shuntfs
