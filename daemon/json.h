// The little JSON that the status document needs: quoting, and a bounded reader for our own output.
//
// Floor 4. Plain values and pure functions, any thread.
#ifndef SHUNTFS_DAEMON_JSON_H_
#define SHUNTFS_DAEMON_JSON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shuntfs {

// `text` as a JSON string with its quotes. Bytes that are not UTF-8 (file names may hold any)
// become U+FFFD; control characters, also those that JSON allows (U+007F to U+009F), are escaped.
std::string JsonQuote(std::string_view text);

// `document`, which ParseJson() accepts, with the control characters escaped that JSON allows in
// strings: terminals obey them.
std::string EscapeControls(std::string_view document);

struct JsonValue {
  enum class Kind : uint8_t { kScalar, kString, kArray, kObject };
  Kind kind = Kind::kScalar;
  std::string text;  // Of a scalar as it was written, of a string without quotes and escapes.
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;

  // In json.cc, where the type is complete: clang 14 needs that for the vector of pairs.
  JsonValue();
  ~JsonValue();
  JsonValue(const JsonValue&);
  JsonValue& operator=(const JsonValue&);
  JsonValue(JsonValue&&) noexcept;
  JsonValue& operator=(JsonValue&&) noexcept;

  // The member of that name, or null.
  const JsonValue* Find(std::string_view name) const;
  // The member's text, or "" when there is none.
  std::string TextOf(std::string_view name) const;
};

// Nothing when `text` is not one JSON value, or nests deeper than 16, or has
// control characters below U+0020 or no UTF-8 in its strings.
std::optional<JsonValue> ParseJson(std::string_view text);

// Indented "name: value" lines, for people; fit for a terminal (printable.h).
std::string JsonToLines(const JsonValue& value, int indent_columns = 0);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_JSON_H_
