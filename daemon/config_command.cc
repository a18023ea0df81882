#include "daemon/config_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "config/generate.h"
#include "config/load.h"
#include "config/option_table.h"
#include "daemon/derived_values.h"
#include "daemon/exit_code.h"
#include "daemon/json.h"
#include "daemon/policy_setup.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

struct Effective {
  const OptionSpec* spec;
  std::string value;
  std::string origin;
};

std::vector<Effective> EffectiveOptions(const Configuration& configuration) {
  std::vector<Effective> all;
  for (const OptionSpec& spec : OptionTable()) {
    if (!spec.acts() && spec.kind != OptionKind::kShorthand) continue;
    const Setting* setting = configuration.Find(spec.name);
    all.push_back({&spec, setting ? setting->value.text : std::string(spec.default_text),
                   setting ? setting->origin.ToString() : Origin().ToString()});
  }
  return all;
}

std::string ShowLines(const std::vector<Effective>& options,
                      const std::vector<DerivedValue>& derived) {
  std::string text = absl::StrFormat("%-22s %-20s %s\n", "OPTION", "VALUE", "FROM");
  for (const Effective& each : options) {
    text += absl::StrFormat("%-22s %-20s %s\n", std::string(each.spec->name), OneLine(each.value),
                            OneLine(each.origin));
  }
  text += absl::StrFormat("\n%-22s %-20s %s\n", "DERIVED", "VALUE", "FROM");
  for (const DerivedValue& each : derived) {
    text += absl::StrFormat("%-22s %-20s %s\n", each.name, each.value, each.inputs);
  }
  return PrintableLines(text);
}

std::string ShowJson(const std::vector<Effective>& options,
                     const std::vector<DerivedValue>& derived) {
  std::string text = "{\"options\": {";
  const char* separator = "";
  for (const Effective& each : options) {
    text += absl::StrFormat("%s%s: {\"value\": %s, \"from\": %s, \"reloadable\": %s}", separator,
                            JsonQuote(each.spec->name), JsonQuote(each.value),
                            JsonQuote(each.origin), each.spec->reloadable ? "true" : "false");
    separator = ", ";
  }
  text += "}, \"derived\": {";
  separator = "";
  for (const DerivedValue& each : derived) {
    text += absl::StrFormat("%s%s: {\"value\": %s, \"from\": %s}", separator, JsonQuote(each.name),
                            JsonQuote(each.value), JsonQuote(each.inputs));
    separator = ", ";
  }
  return text + "}}\n";
}

int Show(const CommandLine& line) {
  const std::vector<Effective> options = EffectiveOptions(line.configuration);
  const std::vector<DerivedValue> derived = DeriveValues(line.options);
  std::fputs((line.json ? ShowJson(options, derived) : ShowLines(options, derived)).c_str(),
             stdout);
  return kExitOk;
}

// Whose mount the file will make: root's, unless an ordinary user looks at a file of an ordinary
// user.
bool MountsAsRoot(const std::string& file) {
  struct stat st {};
  return geteuid() == 0 || (stat(file.c_str(), &st) == 0 && st.st_uid == 0);
}

int Check(const std::string& file) {
  ConfigSources sources;
  sources.file = std::filesystem::absolute(file).string();
  sources.for_root = geteuid() == 0;
  LoadedConfig loaded = LoadConfig(sources);
  const ResolvedPolicy resolved =
      ResolvePolicy(loaded.configuration, MountsAsRoot(sources.file), SystemAccounts());
  loaded.mistakes.insert(loaded.mistakes.end(), resolved.mistakes.begin(), resolved.mistakes.end());
  std::ranges::stable_sort(loaded.mistakes, {}, [](const Mistake& mistake) {
    return std::pair(mistake.file, mistake.line);
  });
  const absl::Status status = ToStatus(loaded.mistakes);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", PrintableLines(std::string(status.message())).c_str());
    return kExitUsage;
  }
  std::printf("%s: no mistakes\n", Printable(sources.file).c_str());
  return kExitOk;
}

int Generate(const std::string& what) {
  const std::optional<std::string> text = shuntfs::Generate(what);
  if (!text) {
    std::fprintf(stderr, "shuntfs: \"%s\" is nothing to generate; it is one of %s\n",
                 Printable(what).c_str(), std::string(kGenerated).c_str());
    return kExitUsage;
  }
  std::fputs(text->c_str(), stdout);
  return kExitOk;
}

}  // namespace

int RunConfigCommand(const CommandLine& line) {
  const std::string& what = line.operands[0];
  if (what == "show") return Show(line);
  return what == "check" ? Check(line.operands[1]) : Generate(line.operands[1]);
}

}  // namespace shuntfs
