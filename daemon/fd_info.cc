#include "daemon/fd_info.h"

#include <fstream>
#include <string>

#include "absl/strings/str_format.h"

namespace shuntfs {

std::optional<uint64_t> FdInfoNumber(int fd, std::string_view name) {
  std::ifstream info(absl::StrFormat("/proc/self/fdinfo/%d", fd));
  std::string word;
  uint64_t number = 0;
  while (info >> word) {
    if (word == name && info >> number) return number;
  }
  return std::nullopt;
}

}  // namespace shuntfs
