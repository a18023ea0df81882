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
// become U+FFFD.
std::string JsonQuote(std::string_view text);

struct JsonValue {
  enum class Kind : uint8_t { kScalar, kString, kArray, kObject };
  Kind kind = Kind::kScalar;
  std::string text;  // Of a scalar as it was written, of a string without quotes and escapes.
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;

  // The member of that name, or null.
  const JsonValue* Find(std::string_view name) const;
  // The member's text, or "" when there is none.
  std::string TextOf(std::string_view name) const;
};

// Nothing when `text` is not one JSON value, or nests deeper than 16.
std::optional<JsonValue> ParseJson(std::string_view text);

// Indented "name: value" lines, for people.
std::string JsonToLines(const JsonValue& value, int indent_columns = 0);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_JSON_H_
