// What mount(8) and fstab call: `mount.shuntfs SRC MNT [-sfnv] [-N NS] [-t TYPE] [-o OPTIONS]`. The
// tool acts as this helper when it is called by that name (or mount.fuse.shuntfs, for the type that
// mount tables show); then it goes on as `shuntfs mount`, or changes a mount for `-o remount`.
//
// Floor 4. Main thread, before others exist.
#ifndef SHUNTFS_DAEMON_MOUNT_HELPER_H_
#define SHUNTFS_DAEMON_MOUNT_HELPER_H_

#include <string>
#include <string_view>
#include <vector>

namespace shuntfs {

// Whether a program called `argv0` is the mount helper.
bool IsMountHelper(std::string_view argv0);

// `arguments` are those after the program's name. Returns the exit code; has printed what went
// wrong.
int RunMountHelper(const std::vector<std::string>& arguments);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_MOUNT_HELPER_H_
