// How the value of an option is read, by its kind.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "config/option_table.h"
#include "config/values.h"

namespace shuntfs {
namespace {

std::string Range(const OptionSpec& spec) {
  if (spec.kind == OptionKind::kBytes) {
    return absl::StrFormat("from %s to %s", FormatBytes(static_cast<uint64_t>(spec.min)),
                           FormatBytes(static_cast<uint64_t>(spec.max)));
  }
  return absl::StrFormat("from %.0f to %.0f%s", spec.min, spec.max,
                         spec.kind == OptionKind::kSeconds ? " seconds" : "");
}

// "a, b or c"
std::string ListOfWords(std::string_view words) {
  std::string list;
  const std::vector<std::string_view> split = SplitWords(words);
  for (size_t i = 0; i < split.size(); ++i) {
    if (i > 0) list += i + 1 == split.size() ? " or " : ", ";
    list += split[i];
  }
  return list;
}

absl::Status Wrong(const OptionSpec& spec, const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrFormat("is \"%s\"; it takes %s", text, WhatOptionTakes(spec)));
}

absl::StatusOr<OptionValue> ReadSwitch(const OptionSpec& spec, const std::string& text) {
  OptionValue value;
  value.on = text == "on" || text == "true";
  if (!value.on && text != "off" && text != "false") return Wrong(spec, text);
  value.text = value.on ? "on" : "off";
  return value;
}

absl::StatusOr<OptionValue> ReadNumber(const OptionSpec& spec, const std::string& text) {
  OptionValue value;
  value.text = text;
  if (spec.kind == OptionKind::kSeconds) {
    const std::optional<double> seconds = ParseSeconds(text);
    if (!seconds) return Wrong(spec, text);
    value.number = *seconds;
  } else {
    const std::optional<uint64_t> number =
        spec.kind == OptionKind::kBytes ? ParseBytes(text) : ParseCount(text);
    if (!number) return Wrong(spec, text);
    value.integer = *number;
    value.number = static_cast<double>(*number);
    if (spec.kind == OptionKind::kBytes) value.text = FormatBytes(*number);
  }
  if (value.number < spec.min || value.number > spec.max) {
    return absl::InvalidArgumentError(absl::StrFormat("is %s; allowed is %s", text, Range(spec)));
  }
  return value;
}

absl::StatusOr<OptionValue> ReadText(const OptionSpec& spec, const std::string& text) {
  OptionValue value;
  value.text = text;
  const bool is_choice = spec.kind == OptionKind::kChoice || spec.kind == OptionKind::kShorthand;
  const std::vector<std::string_view> words = SplitWords(spec.choices);
  if (is_choice && std::ranges::find(words, text) == words.end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("is \"%s\"; it is one of %s", text, ListOfWords(spec.choices)));
  }
  if (text.empty()) return Wrong(spec, text);
  return value;
}

}  // namespace

absl::StatusOr<OptionValue> ReadOptionValue(const OptionSpec& spec, const std::string& text) {
  absl::StatusOr<OptionValue> value;
  switch (spec.kind) {
    case OptionKind::kSwitch:
    case OptionKind::kInverse:
      value = ReadSwitch(spec, text);
      break;
    case OptionKind::kSeconds:
    case OptionKind::kBytes:
    case OptionKind::kCount:
      value = ReadNumber(spec, text);
      break;
    default:
      value = ReadText(spec, text);
  }
  if (!value.ok() || spec.check == nullptr) return value;
  const std::string wrong = spec.check(text);
  return wrong.empty() ? value : absl::InvalidArgumentError(wrong);
}

std::string WhatOptionTakes(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kSwitch:
    case OptionKind::kInverse:
      return "on or off";
    case OptionKind::kSeconds:
      return "seconds, as a decimal number, " + Range(spec);
    case OptionKind::kBytes:
      return "a number of bytes, with an optional K, M or G, " + Range(spec);
    case OptionKind::kCount:
      return "a whole number, " + Range(spec);
    case OptionKind::kChoice:
    case OptionKind::kShorthand:
      return ListOfWords(spec.choices);
    case OptionKind::kPath:
      return "a path";
    default:
      return "a text that is not empty";
  }
}

std::string OptionPlaceholder(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kSeconds:
      return "SECONDS";
    case OptionKind::kBytes:
      return "BYTES";
    case OptionKind::kCount:
      return "N";
    case OptionKind::kText:
      return "TEXT";
    case OptionKind::kPath:
      return "PATH";
    case OptionKind::kChoice:
    case OptionKind::kShorthand:
      return std::string(spec.choices);
    default:
      return "";
  }
}

std::vector<std::string_view> SplitWords(std::string_view words) {
  std::vector<std::string_view> split;
  while (!words.empty()) {
    const size_t bar = words.find('|');
    split.push_back(words.substr(0, bar));
    words.remove_prefix(bar == std::string_view::npos ? words.size() : bar + 1);
  }
  return split;
}

}  // namespace shuntfs
