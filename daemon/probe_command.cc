#include "daemon/probe_command.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "daemon/exit_code.h"
#include "daemon/json.h"
#include "daemon/log_setup.h"
#include "daemon/printable.h"

namespace shuntfs {

std::string ProbeJson(const std::vector<ModeProbe>& probes) {
  std::string members;
  for (const ModeProbe& probe : probes) {
    members += absl::StrFormat("%s%s: {\"available\": %s, \"reason\": %s, \"remedy\": %s}",
                               members.empty() ? "" : ",\n ", JsonQuote(probe.mode),
                               probe.available ? "true" : "false", JsonQuote(probe.reason),
                               JsonQuote(probe.remedy));
  }
  return "{" + members + "}\n";
}

std::string ProbeLines(const std::vector<ModeProbe>& probes) {
  std::string text;
  for (const ModeProbe& probe : probes) {
    text += absl::StrFormat("%-12s %-4s %s\n", probe.mode, probe.available ? "yes" : "no",
                            probe.reason);
    if (!probe.remedy.empty()) text += absl::StrFormat("%-17s remedy: %s\n", "", probe.remedy);
  }
  return PrintableLines(text);
}

int RunProbeCommand(const CommandLine& line) {
  SetUpLog(/*level=*/1);
  const std::vector<ModeProbe> probes = ProbeModes();
  std::fputs((line.json ? ProbeJson(probes) : ProbeLines(probes)).c_str(), stdout);
  return kExitOk;
}

}  // namespace shuntfs
