// Log lines in systemd's journal, by its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of NAME=VALUE lines.
//
// Not through sd_journal_send(3), which waits while the journal has no room. The journal may have
// to write to this very mount to get some.
//
// Floor 4. Thread-compatible.
#ifndef SHUNTFS_DAEMON_JOURNAL_TARGET_H_
#define SHUNTFS_DAEMON_JOURNAL_TARGET_H_

#include <memory>
#include <string>
#include <string_view>

#include "core/base/unique_fd.h"
#include "daemon/log_target.h"

namespace shuntfs {

inline constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

bool JournalListens();

// Beside MESSAGE, PRIORITY, CODE_FILE and CODE_LINE each line has SHUNTFS_MOUNTPOINT, by which
// `journalctl SHUNTFS_MOUNTPOINT=/mnt/data` finds it.
class JournalTarget : public LogTarget {
 public:
  static absl::StatusOr<std::unique_ptr<JournalTarget>> Open(std::string_view mountpoint);
  int Write(const LogLine& line) override;

 private:
  JournalTarget(std::string_view mountpoint, UniqueFd socket);

  std::string mountpoint_;
  UniqueFd socket_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_JOURNAL_TARGET_H_
