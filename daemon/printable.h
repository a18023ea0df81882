// Text of strangers (file names, paths) made fit for a terminal or a log.
//
// Floor 4. Pure functions, any thread.
#ifndef SHUNTFS_DAEMON_PRINTABLE_H_
#define SHUNTFS_DAEMON_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace shuntfs {

// Bytes of the UTF-8 sequence at the start of `text`, which is not empty; 0 when there is none.
size_t Utf8Length(std::string_view text);

// Control characters and what is no UTF-8 as \ooo, a backslash as two: nothing in the result moves
// a cursor or ends a line, and the bytes can be had back.
std::string Printable(std::string_view text);

// The first `columns` characters of `text`, which is UTF-8.
std::string_view FirstColumns(std::string_view text, size_t columns);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_PRINTABLE_H_
