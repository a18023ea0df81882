#include <algorithm>
#include <optional>
#include <string>

#include "daemon/json.h"
#include "daemon/printable.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Whether a terminal may be shown it: no control characters, of either set, but newlines.
bool IsPrintable(std::string_view text) { return IsUtf8(text) && PrintableLines(text) == text; }

bool Same(const JsonValue& a, const JsonValue& b) {
  return a.kind == b.kind && a.text == b.text && std::ranges::equal(a.items, b.items, &Same) &&
         std::ranges::equal(a.members, b.members, [](const auto& one, const auto& other) {
           return one.first == other.first && Same(one.second, other.second);
         });
}

// The value as JSON again.
std::string Written(const JsonValue& value) {
  std::string text;
  switch (value.kind) {
    case JsonValue::Kind::kScalar:
      return value.text;
    case JsonValue::Kind::kString:
      return JsonQuote(value.text);
    case JsonValue::Kind::kArray:
      for (const JsonValue& item : value.items) text += (text.empty() ? "" : ",") + Written(item);
      return "[" + text + "]";
    case JsonValue::Kind::kObject:
      for (const auto& [name, member] : value.members)
        text += (text.empty() ? "" : ",") + JsonQuote(name) + ":" + Written(member);
      return "{" + text + "}";
  }
  return text;
}

}  // namespace

void CheckJson(std::string_view input) {
  const std::optional<JsonValue> quoted = ParseJson(JsonQuote(input));
  Require(quoted && quoted->kind == JsonValue::Kind::kString, "quoted text is a string");
  Require(IsUtf8(quoted->text) && (!IsUtf8(input) || quoted->text == input),
          "quoted text is read as it was");
  Require(IsPrintable(Printable(input)), "printable text moves no cursor");
  Require(Printable(input).find('\n') == std::string::npos, "printable text is one line");

  const std::optional<JsonValue> value = ParseJson(input);
  if (!value) return;
  const std::optional<JsonValue> escaped = ParseJson(EscapeControls(input));
  Require(escaped && Same(*value, *escaped), "escapes change no value");
  const std::optional<JsonValue> again = ParseJson(Written(*value));
  Require(again && Same(*value, *again), "what is written is read as the same value");
  Require(IsPrintable(JsonToLines(*value)), "lines for people move no cursor");
}

}  // namespace shuntfs::parsers
