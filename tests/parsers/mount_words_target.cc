#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "config/configuration.h"
#include "daemon/helper_call.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool Same(const std::vector<Setting>& a, const std::vector<Setting>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].spec != b[i].spec || a[i].value.text != b[i].value.text) return false;
  }
  return true;
}

// The settings, written as a list again.
std::string Written(const std::vector<Setting>& settings) {
  std::vector<std::string> words;
  for (const Setting& setting : settings)
    words.push_back(std::string(setting.spec->name) + "=" + Escaped(setting.value.text));
  return absl::StrJoin(words, ",");
}

void CheckList(std::string_view list) {
  std::vector<Setting> settings;
  if (!ParseOptionList(list, &settings).ok()) return;
  for (const Setting& setting : settings) {
    Require(setting.spec != nullptr && !setting.spec->name.empty(), "a setting is of the table");
    Require(setting.value.text.find('\0') == std::string::npos, "a value is a C string");
  }
  std::vector<Setting> again;
  Require(ParseOptionList(Written(settings), &again).ok() && Same(settings, again),
          "a list that is written is read as the same");
  Configuration configuration;
  configuration.Add(settings);
  static_cast<void>(FindConflicts(configuration.ToOptions()));
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return words;
}

}  // namespace

void CheckMountWords(std::string_view input) {
  CheckList(input);
  const std::vector<std::string> options = SplitMountOptions(input);
  for (const std::string& option : options) Require(!option.empty(), "an option is not empty");
  Require(SplitMountOptions(absl::StrJoin(options, ",")) == options,
          "options that were split are split in the same way again");
  CheckList(absl::StrJoin(options, ","));

  const absl::StatusOr<HelperCall> call = ParseHelperCall(Words(input));
  if (!call.ok()) return;
  size_t bytes = call->source.size() + call->mountpoint.size() + call->mount_namespace.size();
  for (const std::string& option : call->options) bytes += option.size();
  Require(bytes <= 2 * input.size(), "a call is no longer than its words, all escaped");
}

}  // namespace shuntfs::parsers
