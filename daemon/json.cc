#include "daemon/json.h"

#include <cstddef>

#include "absl/strings/str_format.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

constexpr int kMaxDepth = 16;
constexpr unsigned kReplacement = 0xFFFD;

void AppendUtf8(unsigned code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xC0 | (code >> 6));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xE0 | (code >> 12));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | (code >> 18));
    *out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// The code of a control character from U+0080 to U+009F at the start of `text`, or 0. Terminals
// obey these too, and JSON does not ask for an escape.
unsigned SecondSetControl(std::string_view text) {
  if (text.size() < 2 || text[0] != '\xC2') return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  return second >= 0x80 && second < 0xA0 ? second : 0;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<JsonValue> ParseAll() {
    JsonValue value;
    if (!ParseValue(0, &value)) return std::nullopt;
    SkipSpace();
    if (at_ != text_.size()) return std::nullopt;
    return value;
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }

  bool Take(char c) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool ParseValue(int depth, JsonValue* value) {
    if (depth > kMaxDepth) return false;
    if (Take('{')) return ParseObject(depth, value);
    if (Take('[')) return ParseArray(depth, value);
    if (Take('"')) {
      value->kind = JsonValue::Kind::kString;
      return ParseString(&value->text);
    }
    const size_t start = at_;
    while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) == text_.npos)
      ++at_;
    value->kind = JsonValue::Kind::kScalar;
    value->text = std::string(text_.substr(start, at_ - start));
    return IsScalar(value->text);
  }

  static bool IsScalar(const std::string& text) {
    if (text == "true" || text == "false" || text == "null") return true;
    return !text.empty() && text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  }

  bool ParseObject(int depth, JsonValue* value) {
    value->kind = JsonValue::Kind::kObject;
    if (Take('}')) return true;
    do {
      std::string name;
      JsonValue member;
      if (!Take('"') || !ParseString(&name) || !Take(':') || !ParseValue(depth + 1, &member)) {
        return false;
      }
      value->members.emplace_back(std::move(name), std::move(member));
    } while (Take(','));
    return Take('}');
  }

  bool ParseArray(int depth, JsonValue* value) {
    value->kind = JsonValue::Kind::kArray;
    if (Take(']')) return true;
    do {
      if (!ParseValue(depth + 1, &value->items.emplace_back())) return false;
    } while (Take(','));
    return Take(']');
  }

  // After the opening quote.
  bool ParseString(std::string* out) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\') {
        const size_t length = Utf8Length(text_.substr(at_ - 1));
        if (length == 0 || static_cast<unsigned char>(c) < 0x20) return false;
        *out += text_.substr(at_ - 1, length);
        at_ += length - 1;
        continue;
      }
      if (at_ == text_.size()) return false;
      const char escape = text_[at_++];
      constexpr std::string_view kFrom = "\"\\/bfnrt";
      constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      const size_t index = kFrom.find(escape);
      if (index != kFrom.npos) {
        *out += kTo[index];
      } else if (escape != 'u' || !ParseCode(out)) {
        return false;
      }
    }
    return false;
  }

  // The four digits after "\\u".
  std::optional<unsigned> ParseHex() {
    if (text_.size() - at_ < 4) return std::nullopt;
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const size_t digit = std::string_view("0123456789abcdefABCDEF").find(text_[at_++]);
      if (digit == std::string_view::npos) return std::nullopt;
      code = code * 16 + static_cast<unsigned>(digit < 16 ? digit : digit - 6);
    }
    return code;
  }

  // The character behind "\\u", which may be a pair of surrogates; half a pair is U+FFFD.
  bool ParseCode(std::string* out) {
    std::optional<unsigned> code = ParseHex();
    if (!code) return false;
    if (*code >= 0xD800 && *code < 0xE000) {
      const size_t after = at_;
      unsigned character = kReplacement;
      if (*code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
        at_ += 2;
        const std::optional<unsigned> low = ParseHex();
        if (low && *low >= 0xDC00 && *low < 0xE000)
          character = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
      }
      if (character == kReplacement) at_ = after;
      code = character;
    }
    AppendUtf8(*code, out);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte < 0x20 || byte == 0x7F) {
      out += absl::StrFormat("\\u%04x", byte);
    } else if (const unsigned control = SecondSetControl(text); control != 0) {
      out += absl::StrFormat("\\u%04x", control);
      text.remove_prefix(2);
      continue;
    } else if (const size_t length = Utf8Length(text); length > 0) {
      out += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(1);
  }
  return out + '"';
}

std::string EscapeControls(std::string_view document) {
  std::string out;
  while (!document.empty()) {
    const unsigned control = document[0] == '\x7F' ? 0x7FU : SecondSetControl(document);
    out += control != 0 ? absl::StrFormat("\\u%04x", control) : std::string(1, document[0]);
    document.remove_prefix(control > 0x7F ? 2 : 1);
  }
  return out;
}

JsonValue::JsonValue() = default;
JsonValue::~JsonValue() = default;
JsonValue::JsonValue(const JsonValue&) = default;
JsonValue& JsonValue::operator=(const JsonValue&) = default;
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;

const JsonValue* JsonValue::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string JsonValue::TextOf(std::string_view name) const {
  const JsonValue* value = Find(name);
  return value == nullptr ? "" : value->text;
}

std::optional<JsonValue> ParseJson(std::string_view text) { return Parser(text).ParseAll(); }

std::string JsonToLines(const JsonValue& value, int indent_columns) {
  const std::string indent(static_cast<size_t>(indent_columns), ' ');
  std::string out;
  for (const auto& [name, member] : value.members) {
    if (member.kind == JsonValue::Kind::kObject || member.kind == JsonValue::Kind::kArray) {
      // A flat object of scalars (an operation's counters) reads best on one line.
      bool flat = member.kind == JsonValue::Kind::kObject && !member.members.empty();
      std::string line;
      for (const auto& [inner_name, inner] : member.members) {
        flat = flat && inner.kind == JsonValue::Kind::kScalar && member.members.size() <= 4;
        line += absl::StrFormat(" %s %s", Printable(inner_name), Printable(inner.text));
      }
      if (flat) {
        out += absl::StrFormat("%s%s:%s\n", indent, Printable(name), line);
      } else {
        out += absl::StrFormat("%s%s:\n%s", indent, Printable(name),
                               JsonToLines(member, indent_columns + 2));
      }
    } else {
      out += absl::StrFormat("%s%s: %s\n", indent, Printable(name), Printable(member.text));
    }
  }
  for (const JsonValue& item : value.items) {
    out += item.members.empty() ? absl::StrFormat("%s- %s\n", indent, Printable(item.text))
                                : JsonToLines(item, indent_columns) + "\n";
  }
  return out;
}

}  // namespace shuntfs
