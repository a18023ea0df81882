// What is said on the control socket: one line asks, the answer is text until the daemon closes.
//
//   "ping\n"    "pong\n"
//   "status\n"  the status document, JSON, and a newline
//   "stop\n"    "ok SECONDS\n", then the connection stays open until the daemon ends; SECONDS is
//   the time after
//               which even a busy mount is no longer served
//   anything    "error REASON\n"
//
// Floor 4. Pure functions over bytes of an untrusted peer.
#ifndef SHUNTFS_DAEMON_CONTROL_PROTOCOL_H_
#define SHUNTFS_DAEMON_CONTROL_PROTOCOL_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shuntfs {

// A request line with its newline is no longer than this.
inline constexpr size_t kMaxControlLine = 256;

enum class ControlCommand : uint8_t { kIncomplete, kPing, kStatus, kStop, kUnknown, kTooLong };

// What the bytes received so far say. After the first newline nothing counts.
ControlCommand ParseControlCommand(std::string_view received);

// Where the socket of connection MAJOR:MINOR of `owner` may be, likeliest first. `runtime_dir` is
// $XDG_RUNTIME_DIR or empty; it counts for ordinary users only.
std::vector<std::string> ControlSocketPaths(uid_t owner, uint32_t major, uint32_t minor,
                                            const std::string& runtime_dir);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONTROL_PROTOCOL_H_
