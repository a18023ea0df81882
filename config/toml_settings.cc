#include "config/toml_settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "config/config_file.h"
#include "config/toml_nesting.h"
#include "config/values.h"

namespace shuntfs {
namespace {

// A file that is not TOML at all need not be listed line by line.
constexpr int kMaxSyntaxMistakes = 20;

int LineOf(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

// Where a line of the text is: [begin, end) without its newline.
struct LineSpan {
  size_t begin;
  size_t end;
};

LineSpan FindLine(const std::string& text, int line) {
  size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    const size_t newline = text.find('\n', begin);
    if (newline == std::string::npos) break;
    begin = newline + 1;
  }
  return {begin, std::min(text.find('\n', begin), text.size())};
}

std::string KeyOfLine(std::string_view line) {
  std::string key(line.substr(0, line.find('=')));
  absl::StripAsciiWhitespace(&key);
  return key;
}

// What toml++ says about a line, and that the key is there twice if that is it.
Mistake SyntaxMistake(const std::string& file, const std::string& text, int line,
                      const std::string& said) {
  Mistake mistake{file, line, "", "is not TOML: " + said};
  const LineSpan span = FindLine(text, line);
  const std::string key =
      KeyOfLine(std::string_view(text).substr(span.begin, span.end - span.begin));
  // One pass: a file may have a million lines.
  std::string_view rest = text;
  for (int earlier = 1; earlier < line && !key.empty() && !rest.empty(); ++earlier) {
    const std::string_view content = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(content.size() + 1, rest.size()));
    if (content.find('=') == std::string_view::npos || KeyOfLine(content) != key) continue;
    mistake.key = key;
    mistake.text = absl::StrFormat(
        "is given twice, the first time in line %d; leave out one of "
        "them",
        earlier);
    break;
  }
  return mistake;
}

// The library stops at the first mistake of syntax. The others are found by reading on without that
// line. It recurses into what is nested, so the nesting is bounded before each reading.
toml::table ParseWhatCanBe(const std::string& file, std::string text,
                           std::vector<Mistake>* mistakes) {
  for (int i = 0; i < kMaxSyntaxMistakes; ++i) {
    if (const int line = LineOfExcessNesting(text); line != 0) {
      mistakes->push_back(
          {file, line, "",
           absl::StrFormat("has more dots and brackets than the %d that a file may have; an option "
                           "is written as NAME = VALUE",
                           kMaxTomlLevels)});
      return {};
    }
    try {
      return toml::parse(std::string_view(text));
    } catch (const toml::parse_error& error) {
      const int line = static_cast<int>(error.source().begin.line);
      mistakes->push_back(SyntaxMistake(file, text, line, std::string(error.description())));
      const LineSpan span = FindLine(text, line);
      // A mistake that is told of a line without content cannot be cut out.
      if (span.begin == span.end) break;
      text.erase(span.begin, span.end - span.begin);
    }
  }
  return {};
}

std::string KindName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a section";
    default:
      return "a date or time";
  }
}

// How an option of that kind is written in the file.
std::string HowWritten(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kSwitch:
      return "true or false";
    case OptionKind::kBytes:
      return WhatOptionTakes(spec) + ", in quotes where it has a letter";
    case OptionKind::kSeconds:
    case OptionKind::kCount:
      return WhatOptionTakes(spec) + ", without quotes";
    default:
      return WhatOptionTakes(spec) + ", in quotes";
  }
}

// The value as -o would have it; nothing when its type is not the option's.
std::optional<std::string> TextOf(const toml::node& node, OptionKind kind) {
  const toml::value<int64_t>* integer = node.as_integer();
  switch (kind) {
    case OptionKind::kSwitch:
      if (const auto* on = node.as_boolean()) return std::string(on->get() ? "on" : "off");
      return std::nullopt;
    case OptionKind::kSeconds:
      if (const auto* number = node.as_floating_point()) return FormatSeconds(number->get());
      [[fallthrough]];
    case OptionKind::kCount:
      if (integer != nullptr) return std::to_string(integer->get());
      return std::nullopt;
    case OptionKind::kBytes:
      if (integer != nullptr) return std::to_string(integer->get());
      [[fallthrough]];
    default:
      if (const auto* text = node.as_string()) return text->get();
      return std::nullopt;
  }
}

// What is wrong with a key or its value; empty when it was added.
std::string AddKey(const std::string& file, const std::string& key, const toml::node& node,
                   std::vector<Setting>* settings) {
  const OptionSpec* spec = FindOption(key);
  if (spec != nullptr && spec->kind == OptionKind::kInverse) {
    return absl::StrFormat("is not a key of the file; write %s = false", std::string(spec->of));
  }
  if (spec != nullptr && spec->kind == OptionKind::kRefused) {
    return "cannot be set: " + std::string(spec->help);
  }
  if (spec != nullptr && !spec->in_file()) {
    return "has no meaning in the file; it is for -o and the command line";
  }
  if (spec == nullptr) {
    return (node.is_table() ? "unknown section " : "unknown key ") +
           NearestOption(key, /*in_file=*/true);
  }
  const std::optional<std::string> text = TextOf(node, spec->kind);
  if (!text) return absl::StrFormat("is %s; it takes %s", KindName(node), HowWritten(*spec));
  // TOML can write one as an escape. To the kernel the text would end there.
  if (text->find('\0') != std::string::npos) return "contains a zero byte; leave it out";
  // A daemon's directory is not the administrator's.
  if (spec->kind == OptionKind::kPath && !text->starts_with('/')) {
    return absl::StrFormat("is \"%s\"; it takes a path that begins with /", *text);
  }
  Origin origin;
  origin.kind = Origin::Kind::kFile;
  origin.file = file;
  origin.line = LineOf(node);
  return std::string(AddSetting(*spec, &*text, origin, settings).message());
}

}  // namespace

std::string Mistake::ToString() const {
  if (file.empty()) return absl::StrFormat("option \"%s\" %s", key, text);
  std::string all = file;
  if (line > 0) all += absl::StrFormat(":%d", line);
  if (!key.empty()) all += ": " + key;
  return all + ": " + text;
}

void ParseToml(const std::string& file, const std::string& text, std::vector<Setting>* settings,
               std::vector<Mistake>* mistakes) {
  int line = 0;
  if (!IsCleanText(text, &line)) {
    mistakes->push_back({file, line, "", "has a byte that is not text; save the file as UTF-8"});
    return;
  }
  std::vector<Mistake> found;
  const toml::table table = ParseWhatCanBe(file, text, &found);
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string wrong = AddKey(file, name, node, settings);
    if (wrong.empty()) continue;
    found.push_back({file, static_cast<int>(key.source().begin.line), name, wrong});
  }
  std::ranges::stable_sort(found, {}, &Mistake::line);
  mistakes->insert(mistakes->end(), found.begin(), found.end());
}

}  // namespace shuntfs
