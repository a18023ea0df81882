// What `shuntfs status --watch` shows of a mount: one screen from two status documents.
//
// Floor 4. Pure.
#ifndef SHUNTFS_DAEMON_WATCH_FRAME_H_
#define SHUNTFS_DAEMON_WATCH_FRAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/json.h"

namespace shuntfs {

struct FrameSize {
  size_t rows = 24;
  size_t columns = 80;
};

// At most `size.rows` lines of at most `size.columns` characters, plain text. Rates and percentiles
// are those of the time between the two documents; without an earlier one (an empty value), those
// of the mount's whole life. Maxima are always of its whole life.
std::vector<std::string> WatchFrame(const JsonValue& before, const JsonValue& now,
                                    const FrameSize& size);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_WATCH_FRAME_H_
