// The kernel's list of mounts (/proc/self/mountinfo), with the numbers that tell a mount from
// others.
//
// Floor 0. One object is used by one thread at a time. Reading the list never touches the mounts
// themselves, so it cannot hang on one that does not answer.
#ifndef SHUNTFS_CORE_SYS_MOUNT_INFO_H_
#define SHUNTFS_CORE_SYS_MOUNT_INFO_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

// One line of the list. `id` is the mount's number in the list: the kernel uses it again for a
// later mount. `device` is the superblock's, which on btrfs is not that of its files.
struct MountLine {
  uint64_t id = 0;
  dev_t device = 0;
  std::string root;  // the directory of the file system that is mounted, escaped as the list has it
  std::string point;  // where it is mounted, escaped as the list has it
  std::string type;

  friend bool operator==(const MountLine&, const MountLine&) = default;
};

// Lines that are not of mountinfo's form are left out.
std::vector<MountLine> ParseMountLines(std::string_view text);

// Where the list comes from; tests put a list of their own in its place.
class MountInfo {
 public:
  MountInfo();
  virtual ~MountInfo() = default;
  MountInfo(const MountInfo&) = delete;
  MountInfo& operator=(const MountInfo&) = delete;

  // Whether a mount came or went since the last call, or since this object was made. One poll(2).
  virtual bool Changed();
  virtual std::vector<MountLine> Read();
  // The number in the list of the mount that `name` in `dir_fd` is on ("" for `dir_fd` itself).
  // ESTALE: that is not mount `mount_id` (as in FileStatus) any more.
  virtual Result<uint64_t> NumberInList(int dir_fd, const char* name, uint64_t mount_id);
  // What statfs(2) tells as the id of the file system that `name` in `dir_fd` is on; 0 if it fails.
  virtual uint64_t FileSystemId(int dir_fd, const char* name);
  // The path of an open directory, with what the list escapes escaped; empty if there is none.
  virtual std::string PathOf(int fd);

 private:
  const UniqueFd file_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_MOUNT_INFO_H_
