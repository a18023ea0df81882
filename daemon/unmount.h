// Takes a FUSE mount away: umount2(2), or fusermount3 for those who may not call it.
//
// Floor 4. Any thread. May block while the kernel writes dirty pages back through the daemon; a
// daemon calls it on a helper thread.
#ifndef SHUNTFS_DAEMON_UNMOUNT_H_
#define SHUNTFS_DAEMON_UNMOUNT_H_

#include <cstdint>
#include <string>

namespace shuntfs {

struct UnmountOutcome {
  enum class Kind : uint8_t { kDone, kBusy, kFailed };
  Kind kind = Kind::kDone;
  std::string reason;  // Of kBusy and kFailed.
};

// `lazy` detaches the mount at once and leaves its users what they have open (MNT_DETACH).
UnmountOutcome Unmount(const std::string& mountpoint, bool lazy);

// Whether an executable fusermount3 is where libfuse will look for it.
bool HaveFusermount();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_UNMOUNT_H_
