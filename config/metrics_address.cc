#include "config/metrics_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <optional>

#include "absl/strings/str_format.h"
#include "config/values.h"

namespace shuntfs {
namespace {

constexpr uint32_t kLoopbackNet = 127;

absl::Status Refused(std::string_view text, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrFormat("is \"%s\": %s; it takes 127.0.0.1:PORT, [::1]:PORT or the absolute path of "
                      "a socket",
                      std::string(text), why));
}

bool IsLoopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1)
    return ntohl(address.s_addr) >> 24 == kLoopbackNet;
  return host == "::1";
}

bool IsAddress(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

absl::StatusOr<MetricsAddress> ParseMetricsAddress(std::string_view text) {
  MetricsAddress address;
  if (text.starts_with('/')) {
    constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    if (text.size() > kLongest)
      return Refused(text, absl::StrFormat("a socket's path has at most %d bytes", kLongest));
    if (text.ends_with('/')) return Refused(text, "this is a directory");
    address.path = std::string(text);
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Refused(text, "there is no port");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Refused(text, "an IPv6 address stands in brackets");
  }
  address.host = std::string(host);
  if (!IsAddress(address.host)) return Refused(text, "the host is no address");
  if (!IsLoopback(address.host))
    return Refused(text, "the metrics would be told to other machines (a proxy can do that)");
  const std::optional<uint64_t> port = ParseCount(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return Refused(text, "a port is from 1 to 65535");
  address.port = static_cast<uint16_t>(*port);
  return address;
}

}  // namespace shuntfs
