// Text of strangers (file names, paths) made fit for a terminal or a log.
//
// Floor 4. Any thread.
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

// The same for text of several lines: newlines and backslashes stay. For text whose names have no
// newlines any more, such as that of ToStatus() (config/load.h), which has a line for each mistake.
std::string PrintableLines(std::string_view text);

// "shuntfs: " and the message, on stderr. Every message that may name a file, a mount or what a
// daemon answered is printed so; PrintErrors() is for messages of several lines.
void PrintError(std::string_view message);
void PrintErrors(std::string_view message);

// The first `columns` characters of `text`, which is UTF-8.
std::string_view FirstColumns(std::string_view text, size_t columns);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_PRINTABLE_H_
