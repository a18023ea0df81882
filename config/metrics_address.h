// Where the metrics are served: the value of the option "metrics".
//
// Floor 3. Plain values and pure functions, any thread.
#ifndef SHUNTFS_CONFIG_METRICS_ADDRESS_H_
#define SHUNTFS_CONFIG_METRICS_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace shuntfs {

struct MetricsAddress {
  std::string host;  // of 127.0.0.0/8, or "::1"; empty: a unix socket at `path`
  uint16_t port = 0;
  std::string path;
};

// "127.0.0.1:PORT", "[::1]:PORT" or an absolute path. An error says what is wrong and what is
// allowed, for a sentence that begins with the option's name: metrics are told to whoever can
// connect, so nothing but this machine's own addresses is.
absl::StatusOr<MetricsAddress> ParseMetricsAddress(std::string_view text);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_METRICS_ADDRESS_H_
