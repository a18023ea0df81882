#include "config/toml_nesting.h"

#include <algorithm>
#include <cstddef>

namespace shuntfs {
namespace {

// The offset behind the comment at the start of `text`: of the newline, or the end.
size_t CommentEnd(std::string_view text) { return std::min(text.find('\n'), text.size()); }

// The offset behind the string at the start of `text`. A string of one line ends with its line at
// the latest.
size_t StringEnd(std::string_view text) {
  const char quote = text[0];
  const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
  const bool many_lines = text.starts_with(three);
  size_t at = many_lines ? three.size() : 1;
  while (at < text.size()) {
    if (quote == '"' && text[at] == '\\') {
      at += 2;
    } else if (!many_lines && text[at] == '\n') {
      return at;
    } else if (!many_lines && text[at] == quote) {
      return at + 1;
    } else if (many_lines && text.substr(at).starts_with(three)) {
      at += three.size();
      // Up to two quotes may stand before the closing three.
      for (int i = 0; i < 2 && at < text.size() && text[at] == quote; ++i) ++at;
      return at;
    } else {
      ++at;
    }
  }
  return text.size();
}

}  // namespace

int LineOfExcessNesting(std::string_view text) {
  int levels = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at += CommentEnd(text.substr(at));
    } else if (c == '"' || c == '\'') {
      at += StringEnd(text.substr(at));
    } else {
      if ((c == '.' || c == '[' || c == '{') && ++levels > kMaxTomlLevels)
        return 1 + static_cast<int>(std::ranges::count(text.substr(0, at), '\n'));
      ++at;
    }
  }
  return 0;
}

}  // namespace shuntfs
