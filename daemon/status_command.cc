#include "daemon/status_command.h"

#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "daemon/dead_sockets.h"
#include "daemon/exit_code.h"
#include "daemon/json.h"
#include "daemon/mount_table.h"
#include "daemon/printable.h"
#include "daemon/status_question.h"
#include "daemon/watch_command.h"

namespace shuntfs {
namespace {

int Fail(const absl::Status& status) {
  PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

// Without the counts behind the percentiles.
std::string ForPeople(const std::string& document) {
  JsonValue value = *ParseJson(document);
  std::erase_if(value.members,
                [](const auto& member) { return member.first == "latency_buckets"; });
  return JsonToLines(value);
}

int ShowOne(const std::string& path, bool json) {
  const absl::StatusOr<MountEntry> entry = FindOwnMount(path);
  if (!entry.ok()) return Fail(entry.status());
  const absl::StatusOr<std::string> document = AskForStatus(*entry);
  if (!document.ok()) return Fail(document.status());
  const std::string text = json ? *document + "\n" : ForPeople(*document);
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
    const absl::StatusOr<std::string> document = AskForStatus(entry);
    documents += (documents.empty() ? "" : ",\n ") +
                 (document.ok() ? *document : ErrorDocument(entry, document.status()));
    if (!document.ok()) {
      lines += absl::StrFormat("%-8s %-12s %-10s %-28s %s\n", "-", "no answer", "-",
                               Printable(entry.mountpoint), Printable(entry.source));
      continue;
    }
    const JsonValue value = *ParseJson(*document);
    lines += absl::StrFormat("%-8s %-12s %-10s %-28s %s\n", Printable(value.TextOf("pid")),
                             Printable(value.TextOf("data_path")),
                             Printable(value.TextOf("uptime_s")) + "s", Printable(entry.mountpoint),
                             Printable(value.TextOf("source")));
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

// Without a mount point, the only mount there is.
absl::StatusOr<MountEntry> WhatToWatch(const CommandLine& line) {
  if (!line.operands.empty()) return FindOwnMount(line.operands[0]);
  absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  std::erase_if(*table, [](const MountEntry& entry) { return !entry.IsShuntfs(); });
  if (table->size() == 1) return table->front();
  return absl::InvalidArgumentError(
      absl::StrFormat("%d file systems are mounted with shuntfs; name the mount point to watch "
                      "(`shuntfs status` lists them)",
                      table->size()));
}

}  // namespace

int RunStatusCommand(const CommandLine& line) {
  if (line.watch) {
    const absl::StatusOr<MountEntry> entry = WhatToWatch(line);
    return entry.ok() ? WatchMount(*entry, line.interval_s) : Fail(entry.status());
  }
  if (!line.operands.empty()) return ShowOne(line.operands[0], line.json);
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return Fail(table.status());
  RemoveDeadSockets();
  return ShowAll(*table, line.json);
}

}  // namespace shuntfs
