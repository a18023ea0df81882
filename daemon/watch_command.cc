#include "daemon/watch_command.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/exit_code.h"
#include "daemon/json.h"
#include "daemon/printable.h"
#include "daemon/status_question.h"
#include "daemon/terminal.h"
#include "daemon/watch_frame.h"

namespace shuntfs {
namespace {

using Clock = std::chrono::steady_clock;

bool IsStillMounted(const MountEntry& entry) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return true;
  const MountEntry* there = FindMount(*table, entry.mountpoint);
  return there != nullptr && there->IsShuntfs() && there->major == entry.major &&
         there->minor == entry.minor;
}

// Shows until the user ends it. An error: why there is nothing to show any more.
absl::Status Watch(const MountEntry& entry, std::chrono::milliseconds interval) {
  Terminal terminal;
  JsonValue before;
  JsonValue now;
  for (Clock::time_point next = Clock::now();;) {
    const Clock::time_point time = Clock::now();
    if (time >= next) {
      const absl::StatusOr<std::string> document = AskForStatus(entry);
      if (!document.ok()) return document.status();
      before = std::exchange(now, *ParseJson(*document));
      next = time + interval;
    }
    if (!terminal.Show(WatchFrame(before, now, terminal.size()))) return absl::OkStatus();
    Terminal::Event event = Terminal::Event::kResized;
    do {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
      event = terminal.Wait(static_cast<int>(std::max<int64_t>(left.count(), 0)));
      if (event == Terminal::Event::kQuit) return absl::OkStatus();
    } while (event == Terminal::Event::kTimeout && Clock::now() < next);
  }
}

}  // namespace

int WatchMount(const MountEntry& entry, double interval_s) {
  const absl::Status status =
      Watch(entry, std::chrono::milliseconds(static_cast<int64_t>(interval_s * 1000)));
  if (status.ok()) return kExitOk;
  if (!IsStillMounted(entry)) {
    std::printf("%s is no longer mounted\n", Printable(entry.mountpoint).c_str());
    return kExitOk;
  }
  PrintError(std::string(status.message()));
  return ExitCodeOf(status);
}

}  // namespace shuntfs
