#include "daemon/http_answer.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

std::string Response(std::string_view status, std::string_view type, std::string_view extra,
                     const std::string& body, bool with_body = true) {
  return absl::StrFormat(
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n",
             std::string(status), std::string(type), body.size(), std::string(extra)) +
         (with_body ? body : "");
}

std::string Refusal(std::string_view status, std::string_view extra = "") {
  return Response(status, "text/plain; charset=utf-8", extra, std::string(status) + "\n");
}

}  // namespace

std::optional<std::string> HttpAnswer(std::string_view received,
                                      const std::function<std::string()>& page) {
  const size_t head_end = std::min(received.find("\r\n\r\n"), received.find("\n\n"));
  if (std::min(head_end, received.size()) >= kMaxHttpHead)
    return Refusal("431 Request Header Fields Too Large");
  if (head_end == std::string_view::npos) return std::nullopt;
  std::string_view line = received.substr(0, received.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t target_begin = line.find(' ') + 1;
  const size_t target_end = line.rfind(' ');
  if (target_begin == 0 || target_end < target_begin ||
      !line.substr(target_end).starts_with(" HTTP/1."))
    return Refusal("400 Bad Request");
  const std::string_view method = line.substr(0, target_begin - 1);
  std::string_view target = line.substr(target_begin, target_end - target_begin);
  target = target.substr(0, target.find('?'));
  if (target != "/metrics") return Refusal("404 Not Found: the metrics are at /metrics");
  if (method != "GET" && method != "HEAD")
    return Refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n");
  return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", "", page(),
                  method == "GET");
}

}  // namespace shuntfs
