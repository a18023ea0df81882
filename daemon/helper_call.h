// The words with which mount(8) calls a mount helper, taken apart.
//
// Floor 4. Pure functions, any thread.
#ifndef SHUNTFS_DAEMON_HELPER_CALL_H_
#define SHUNTFS_DAEMON_HELPER_CALL_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace shuntfs {

struct HelperCall {
  std::string source;
  std::string mountpoint;
  std::vector<std::string> options;  // As ParseOptionList() reads them, one each.
  std::string mount_namespace;       // -N: a path; empty: this one.
  bool sloppy = false;               // -s: options that nobody knows are left out.
  bool fake = false;                 // -f: everything but the mount itself.
  bool verbose = false;              // -v
};

// `arguments` are those after the program's name.
absl::StatusOr<HelperCall> ParseHelperCall(const std::vector<std::string>& arguments);

// Takes apart a list as mount(8) passes it on: a comma stands for itself in "quotes" and after a
// backslash. In what comes back it stands after a backslash, and there are no quotes.
std::vector<std::string> SplitMountOptions(std::string_view list);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_HELPER_CALL_H_
