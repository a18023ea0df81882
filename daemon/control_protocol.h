// What is said on the control socket: one line asks, the answer is text until the daemon closes.
//
//   "ping\n"    "pong\n"
//   "status\n"  the status document, JSON, and a newline
//   "reload\n"  what changed and what needs a remount, a line each; or "error ", the mistakes in
//               the file, a line each, and nothing did
//   "trace\n"   "ok\n", then a line for each request that is answered, until the client closes;
//   "trace A,B\n" of these operations alone
//   "stop\n"    "ok SECONDS\n", then the connection stays open until the daemon ends; SECONDS is
//               the time after which even a busy mount is no longer served
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

enum class ControlCommand : uint8_t {
  kIncomplete,
  kPing,
  kStatus,
  kReload,
  kTrace,
  kStop,
  kUnknown,
  kTooLong
};

// What the bytes received so far say. After the first newline nothing counts.
ControlCommand ParseControlCommand(std::string_view received);

// What a whole request says behind its first word.
std::string_view ControlArgument(std::string_view received);

// The directories that the sockets of `owner` may be in, likeliest first. `runtime_dir` is
// $XDG_RUNTIME_DIR or empty; it counts for ordinary users only.
std::vector<std::string> ControlSocketDirectories(uid_t owner, const std::string& runtime_dir);

// The socket's name: connection and process. The kernel gives a connection's number away again
// while the daemon that had it is still ending, so the number alone would name two.
std::string ControlSocketName(uint32_t major, uint32_t minor, pid_t pid);

// Whether a daemon's socket may have this name.
bool IsControlSocketName(std::string_view name);

// Whether a daemon of that connection has, or had, this name.
bool IsControlSocketName(std::string_view name, uint32_t major, uint32_t minor);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CONTROL_PROTOCOL_H_
