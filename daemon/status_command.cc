#include "daemon/status_command.h"

#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "daemon/control_client.h"
#include "daemon/exit_code.h"
#include "daemon/json.h"
#include "daemon/mount_table.h"
#include "daemon/path_probe.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 5000;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "shuntfs: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

// The document without its newline.
absl::StatusOr<std::string> Ask(const MountEntry& entry) {
  absl::StatusOr<std::string> document = AskDaemon(entry, "status", kAnswerTimeoutMs);
  if (!document.ok()) {
    if (document.status().code() == absl::StatusCode::kNotFound) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "no daemon answers for %s; if it was killed, `shuntfs umount %s` removes the dead mount",
          entry.mountpoint, entry.mountpoint));
    }
    return document.status();
  }
  while (!document->empty() && document->back() == '\n') document->pop_back();
  if (!ParseJson(*document)) {
    return absl::DataLossError(
        absl::StrFormat("the daemon of %s answered no JSON", entry.mountpoint));
  }
  return document;
}

int ShowOne(const MountTable& table, const std::string& path, bool json) {
  const absl::StatusOr<std::string> mountpoint = ResolveMountpoint(path, table);
  if (!mountpoint.ok()) return Fail(mountpoint.status());
  const MountEntry* entry = FindMount(table, *mountpoint);
  if (entry == nullptr || !entry->IsShuntfs()) {
    return Fail(absl::NotFoundError(
        absl::StrFormat("%s is not a mount of shuntfs; `shuntfs status` lists them", *mountpoint)));
  }
  const absl::StatusOr<std::string> document = Ask(*entry);
  if (!document.ok()) return Fail(document.status());
  const std::string text = json ? *document + "\n" : JsonToLines(*ParseJson(*document));
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

std::string ErrorDocument(const MountEntry& entry, const absl::Status& status) {
  return absl::StrFormat("{\"source\": %s, \"mountpoint\": %s, \"error\": %s}",
                         JsonQuote(entry.source), JsonQuote(entry.mountpoint),
                         JsonQuote(std::string(status.message())));
}

int ShowAll(const MountTable& table, bool json) {
  std::string documents;
  std::string lines = absl::StrFormat("%-8s %-12s %-10s %-28s %s\n", "PID", "DATA PATH", "UPTIME",
                                      "MOUNTPOINT", "SOURCE");
  for (const MountEntry& entry : table) {
    if (!entry.IsShuntfs()) continue;
    const absl::StatusOr<std::string> document = Ask(entry);
    documents += (documents.empty() ? "" : ",\n ") +
                 (document.ok() ? *document : ErrorDocument(entry, document.status()));
    if (!document.ok()) {
      lines += absl::StrFormat("%-8s %-12s %-10s %-28s %s\n", "-", "no answer", "-",
                               entry.mountpoint, entry.source);
      continue;
    }
    const JsonValue value = *ParseJson(*document);
    lines += absl::StrFormat("%-8s %-12s %-10s %-28s %s\n", value.TextOf("pid"),
                             value.TextOf("data_path"), value.TextOf("uptime_s") + "s",
                             entry.mountpoint, value.TextOf("source"));
  }
  if (json) {
    std::printf("[%s]\n", documents.c_str());
  } else if (documents.empty()) {
    std::puts("nothing is mounted with shuntfs");
  } else {
    std::fputs(lines.c_str(), stdout);
  }
  return kExitOk;
}

}  // namespace

int RunStatusCommand(const CommandLine& line) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return Fail(table.status());
  return line.operands.empty() ? ShowAll(*table, line.json)
                               : ShowOne(*table, line.operands[0], line.json);
}

}  // namespace shuntfs
