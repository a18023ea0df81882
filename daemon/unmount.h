// Takes a FUSE mount away: umount2(2), or fusermount3 for those who may not call it.
//
// Floor 4. Any thread. May block while the kernel writes dirty pages back through the daemon; a
// daemon calls it on a helper thread.
#ifndef SHUNTFS_DAEMON_UNMOUNT_H_
#define SHUNTFS_DAEMON_UNMOUNT_H_

#include <cstdint>
#include <string>

#include "daemon/mount_identity.h"

namespace shuntfs {

struct UnmountOutcome {
  enum class Kind : uint8_t { kDone, kBusy, kFailed };
  Kind kind = Kind::kDone;
  std::string reason;  // Of kBusy and kFailed.
};

// Takes away the mount with this identity, which is at `mountpoint`, and no other: nothing is done,
// and kDone is the answer, when it is gone already; kFailed when another mount covers it. `lazy`
// detaches the mount at once and leaves its users what they have open (MNT_DETACH).
//
// A lazy unmount acts on the mount that was compared. Any other names it once more, since a mount
// that is open is busy: by its last component, in the directory that is open since before the
// comparison. As long as the mount is there, the kernel lets nobody rename or remove what it is on,
// so who may exchange directories on the way to it changes nothing; only another mount on top,
// which takes the right to mount, could come between. fusermount3 is given the path, and looks at
// it with the rights of the user: it takes away mounts of that user alone.
UnmountOutcome Unmount(const std::string& mountpoint, const MountIdentity& identity, bool lazy);

// Whether an executable fusermount3 is where libfuse will look for it.
bool HaveFusermount();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_UNMOUNT_H_
