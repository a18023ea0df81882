#include "daemon/status_document.h"

#include "absl/strings/str_format.h"
#include "daemon/json.h"

namespace shuntfs {

std::string StatusDocument(const StatusFacts& facts, double uptime_s,
                           const std::string& server_members) {
  std::string reasons;
  for (const auto& [mode, reason] : facts.choice.reasons) {
    reasons += absl::StrFormat("%s%s: %s", reasons.empty() ? "" : ", ", JsonQuote(mode),
                               JsonQuote(reason));
  }
  std::string document = absl::StrFormat(
      "{\"source\": %s, \"mountpoint\": %s, \"pid\": %d, \"uptime_s\": %.3f, \"data_path\": %s, "
      "\"data_path_reasons\": {%s}",
      JsonQuote(facts.source), JsonQuote(facts.mountpoint), facts.pid, uptime_s,
      JsonQuote(facts.choice.mode), reasons);
  if (!server_members.empty()) document += ", " + server_members;
  return document + "}";
}

}  // namespace shuntfs
