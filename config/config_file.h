// The text of a configuration file, read with suspicion: what it says decides what root's daemon
// does.
//
// Floor 3. Any thread. Never waits: a FIFO or device is refused, not opened for reading data.
#ifndef SHUNTFS_CONFIG_CONFIG_FILE_H_
#define SHUNTFS_CONFIG_CONFIG_FILE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace shuntfs {

// Ten lines are usual; this bounds what a wrong path can make us read.
inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;
inline constexpr size_t kMaxDropIns = 256;

// The error is a sentence about the file that does not name it. `for_root`: whoever else could
// write the file would command root, so it has to be root's and nobody else may write it.
absl::StatusOr<std::string> ReadConfigFile(const std::string& path, bool for_root);

// The files of `path`.d that count, in the order in which they do. None when there is no such
// folder.
absl::StatusOr<std::vector<std::string>> ListDropIns(const std::string& path, bool for_root);

// Whether the text is free of zero bytes and valid UTF-8; if not, `line` is where it is not.
bool IsCleanText(const std::string& text, int* line);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_CONFIG_FILE_H_
