// What mount(8) and fstab call: `mount.shuntfs SRC MNT [-sfnv] [-N NS] [-t TYPE] [-o OPTIONS]`. The
// tool acts as this helper when it is called by that name (or mount.fuse.shuntfs, for the type that
// mount tables show); then it goes on as `shuntfs mount`, or changes a mount for `-o remount`.
//
// Floor 4. Main thread, before others exist. ParseHelperCall and the splitting of options are pure.
#ifndef SHUNTFS_DAEMON_MOUNT_HELPER_H_
#define SHUNTFS_DAEMON_MOUNT_HELPER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace shuntfs {

struct HelperCall {
  std::string source;
  std::string mountpoint;
  std::vector<std::string> options;  // As ParseOptions reads them, one each.
  std::string mount_namespace;       // -N: a path; empty: this one.
  bool sloppy = false;               // -s: options that nobody knows are left out.
  bool fake = false;                 // -f: everything but the mount itself.
  bool verbose = false;              // -v
};

// Whether a program called `argv0` is the mount helper.
bool IsMountHelper(std::string_view argv0);

// `arguments` are those after the program's name.
absl::StatusOr<HelperCall> ParseHelperCall(const std::vector<std::string>& arguments);

// Takes apart a list as mount(8) passes it on: a comma stands for itself in "quotes" and after a
// backslash. In what comes back it stands after a backslash, and there are no quotes.
std::vector<std::string> SplitMountOptions(std::string_view list);

// Returns the exit code; has printed what went wrong.
int RunMountHelper(const std::vector<std::string>& arguments);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_HELPER_H_
