#include <algorithm>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/toml_settings.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

void CheckMistake(const Mistake& mistake, int lines) {
  Require(mistake.file == "a.toml" && mistake.line >= 0 && mistake.line <= lines,
          "a mistake is in the file");
  Require(!mistake.text.empty(), "a mistake is told");
}

void CheckSetting(const Setting& setting, int lines) {
  Require(setting.spec != nullptr && setting.spec->in_file(), "a setting is a key of the file");
  Require(setting.origin.line >= 1 && setting.origin.line <= lines, "a setting is in the file");
  Require(setting.value.text.find('\0') == std::string::npos, "a value is a C string");
  const absl::StatusOr<OptionValue> again = ReadOptionValue(*setting.spec, setting.value.text);
  Require(again.ok(), "a value that is printed can be read");
  Require(again->on == setting.value.on && again->number == setting.value.number &&
              again->integer == setting.value.integer && again->text == setting.value.text,
          "a value that is printed is read as the same");
}

}  // namespace

void CheckConfigFile(std::string_view input) {
  std::vector<Setting> settings;
  std::vector<Mistake> mistakes;
  ParseToml("a.toml", std::string(input), &settings, &mistakes);
  const int lines = 1 + static_cast<int>(std::ranges::count(input, '\n'));
  for (const Mistake& mistake : mistakes) CheckMistake(mistake, lines);
  Require(std::ranges::is_sorted(mistakes, {}, &Mistake::line), "mistakes come in order");
  for (const Setting& setting : settings) CheckSetting(setting, lines);
  Configuration configuration;
  configuration.Add(settings);
  for (const Conflict& conflict : FindConflicts(configuration.ToOptions()))
    Require(FindOption(conflict.other) != nullptr, "a conflict is between options");
}

}  // namespace shuntfs::parsers
