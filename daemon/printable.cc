#include "daemon/printable.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

// U+0080 to U+009F, the second set of control characters.
bool IsControl(std::string_view sequence) {
  const auto byte = [sequence](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  return sequence.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0;
}

// Appends what may be printed of `sequence`, one character or one byte that is none.
void AppendPrintable(std::string_view sequence, std::string* out) {
  if (Utf8Length(sequence) == 0 || IsControl(sequence)) {
    for (const char c : sequence)
      absl::StrAppendFormat(out, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
  } else {
    *out += sequence;
  }
}

// The character at the start of `text`, or its first byte when there is none.
std::string_view FirstSequence(std::string_view text) {
  return text.substr(0, std::max<size_t>(Utf8Length(text), 1));
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;   // Longer than needed.
    if (first == 0xED && byte(1) >= 0xA0) return 0;  // A surrogate.
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) >= 0x90) return 0;  // Above U+10FFFF.
    return 4;
  }
  return 0;
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view sequence = FirstSequence(text);
    if (sequence == "\\") {
      out += "\\\\";
    } else {
      AppendPrintable(sequence, &out);
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

std::string PrintableLines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view sequence = FirstSequence(text);
    if (sequence == "\n") {
      out += sequence;
    } else {
      AppendPrintable(sequence, &out);
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

void PrintError(std::string_view message) {
  std::fprintf(stderr, "shuntfs: %s\n", Printable(message).c_str());
}

void PrintErrors(std::string_view message) {
  std::fprintf(stderr, "shuntfs: %s\n", PrintableLines(message).c_str());
}

std::string_view FirstColumns(std::string_view text, size_t columns) {
  size_t end = 0;
  while (end < text.size() && columns > 0) {
    const size_t length = Utf8Length(text.substr(end));
    end += length == 0 ? 1 : length;
    --columns;
  }
  return text.substr(0, end);
}

}  // namespace shuntfs
