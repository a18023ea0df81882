#include "daemon/status_question.h"

#include "absl/strings/str_format.h"
#include "daemon/control_client.h"
#include "daemon/json.h"
#include "daemon/path_probe.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 5000;

}  // namespace

absl::StatusOr<MountEntry> FindOwnMount(const std::string& path) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const absl::StatusOr<std::string> mountpoint = ResolveMountpoint(path, *table);
  if (!mountpoint.ok()) return mountpoint.status();
  const MountEntry* entry = FindMount(*table, *mountpoint);
  if (entry == nullptr || !entry->IsShuntfs()) {
    return absl::NotFoundError(
        absl::StrFormat("%s is not a mount of shuntfs; `shuntfs status` lists them", *mountpoint));
  }
  return *entry;
}

absl::StatusOr<std::string> AskForStatus(const MountEntry& entry) {
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
  return EscapeControls(*document);
}

}  // namespace shuntfs
