// The little HTTP that a scrape needs: GET and HEAD of /metrics, one request per connection.
//
// Floor 4. Pure but for the page that it is given. Peers are not trusted.
#ifndef SHUNTFS_DAEMON_HTTP_ANSWER_H_
#define SHUNTFS_DAEMON_HTTP_ANSWER_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace shuntfs {

// A request's head is no longer than this.
inline constexpr size_t kMaxHttpHead = 8192;

// The answer to what was received so far; nothing: more has to come. `page` makes the body.
std::optional<std::string> HttpAnswer(std::string_view received,
                                      const std::function<std::string()>& page);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_HTTP_ANSWER_H_
