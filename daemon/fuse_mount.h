// One FUSE mount and its connection: made through libfuse, which knows mount(2) and fusermount3.
// The only file that includes libfuse.
//
// Floor 4. Owns the mount: the destructor detaches it if it is still there. Mount() forks and
// belongs on the main thread before others exist; the rest may be called from any thread.
#ifndef SHUNTFS_DAEMON_FUSE_MOUNT_H_
#define SHUNTFS_DAEMON_FUSE_MOUNT_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "daemon/mount_identity.h"
#include "daemon/unmount.h"

namespace shuntfs {

class FuseMount {
 public:
  // `mountpoint` is canonical. `directory_fd` is that directory, open (O_PATH): the mount is made
  // on it, whatever the path leads to by now, and taken away again if the path leads elsewhere. -1:
  // the path counts, as with fusermount3. `options` are words of mount(8) and FUSE; commas in them
  // are escaped here.
  static absl::StatusOr<std::unique_ptr<FuseMount>> Mount(const std::string& mountpoint,
                                                          int directory_fd,
                                                          const std::vector<std::string>& options);
  ~FuseMount();
  FuseMount(const FuseMount&) = delete;
  FuseMount& operator=(const FuseMount&) = delete;

  // The /dev/fuse descriptor; once.
  UniqueFd TakeFd() { return std::move(fd_); }

  const std::string& mountpoint() const { return mountpoint_; }
  // The mount's st_dev, which mountinfo shows. The minor is the connection's number. Both are given
  // to other mounts when this one is gone.
  uint32_t major() const { return identity_.major; }
  uint32_t minor() const { return identity_.minor; }

  // Whether our mount namespace still has it. True when that cannot be found out.
  bool IsMounted() const;

  // Takes the mount away, unless something else is mounted on top of it or it is gone already.
  UnmountOutcome Unmount(bool lazy) const;

  // The root directory of this mount, open for reading. Asks the daemon. NotFound: it is gone.
  absl::StatusOr<UniqueFd> OpenRoot() const;

  // Ends the connection at once, through fusectl; every request fails.
  absl::Status Abort() const;

  // Lets the kernel read ahead as much as one request can carry. Best effort: needs root. NotFound:
  // the mount is gone, and another may have its number.
  absl::Status RaiseReadAhead(uint32_t bytes) const;

 private:
  FuseMount(std::string mountpoint, UniqueFd fd)
      : mountpoint_(std::move(mountpoint)), fd_(std::move(fd)) {}

  // OpenMountAt(), but of this mount alone.
  absl::StatusOr<OpenMount> OpenOwn() const;

  std::string mountpoint_;
  UniqueFd fd_;
  MountIdentity identity_;
  ino_t connection_inode_ = 0;  // Of the connection's directory in fusectl; 0: not known.
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_FUSE_MOUNT_H_
