#include "core/sys/mount_info.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "core/sys/file_status.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

// Takes the text up to the next `separator` off `rest`.
std::string_view Take(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return !text.empty() && error == std::errc() && stop == end;
}

// "36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw": any number of tags before the
// dash.
bool ParseLine(std::string_view line, MountLine* mount) {
  unsigned major = 0;
  unsigned minor = 0;
  if (!ParseNumber(Take(line, ' '), &mount->id)) return false;
  Take(line, ' ');  // the parent's number
  std::string_view device = Take(line, ' ');
  if (!ParseNumber(Take(device, ':'), &major) || !ParseNumber(device, &minor)) return false;
  mount->device = makedev(major, minor);
  mount->root = Take(line, ' ');
  mount->point = Take(line, ' ');
  Take(line, ' ');  // the mount's options
  while (!line.empty() && Take(line, ' ') != "-") {
  }
  mount->type = Take(line, ' ');
  return !mount->type.empty();
}

}  // namespace

std::vector<MountLine> ParseMountLines(std::string_view text) {
  std::vector<MountLine> mounts;
  while (!text.empty()) {
    MountLine mount;
    if (ParseLine(Take(text, '\n'), &mount)) mounts.push_back(std::move(mount));
  }
  return mounts;
}

MountInfo::MountInfo() : file_(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {}

bool MountInfo::Changed() {
  pollfd item{file_.get(), POLLPRI, 0};
  // Without a list there is nothing to go by: then every question is asked anew.
  return poll(&item, 1, 0) != 0;
}

std::vector<MountLine> MountInfo::Read() {
  std::string text;
  std::array<char, 16384> part;
  lseek(file_.get(), 0, SEEK_SET);
  ssize_t n;
  while ((n = read(file_.get(), part.data(), part.size())) > 0)
    text.append(part.data(), static_cast<size_t>(n));
  return ParseMountLines(text);
}

Result<uint64_t> MountInfo::NumberInList(int dir_fd, const char* name, uint64_t mount_id) {
  // A descriptor keeps the mount, so that no other gets its number while we look.
  UniqueFd held;
  if (*name != '\0') {
    held = UniqueFd(openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held.valid()) return Errno::Last();
    dir_fd = held.get();
  }
  const Result<FileStatus> status = StatusOf(dir_fd, AT_STATX_DONT_SYNC);
  if (!status.ok()) return status.error();
  if (status->stx_mnt_id != mount_id) return Errno(ESTALE);
  if (!HasUniqueMountId(*status)) return mount_id;
  FileStatus listed;
  if (statx(dir_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &listed) != 0)
    return Errno::Last();
  return listed.stx_mnt_id;
}

uint64_t MountInfo::FileSystemId(int dir_fd, const char* name) {
  UniqueFd held;
  if (*name != '\0') held = UniqueFd(openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct statfs status;
  if (fstatfs(*name != '\0' ? held.get() : dir_fd, &status) != 0) return 0;
  uint64_t id = 0;
  static_assert(sizeof(status.f_fsid) == sizeof(id));
  std::memcpy(&id, &status.f_fsid, sizeof(id));
  return id;
}

std::string MountInfo::PathOf(int fd) {
  std::array<char, PATH_MAX> path;
  const ssize_t length =
      readlinkat(ProcFdDirectory(), FdName(fd).c_str(), path.data(), path.size());
  std::string escaped;
  for (ssize_t i = 0; i < length; ++i) {
    const char c = path[static_cast<size_t>(i)];
    if (c == ' ') {
      escaped += "\\040";
    } else if (c == '\t') {
      escaped += "\\011";
    } else if (c == '\n') {
      escaped += "\\012";
    } else if (c == '\\') {
      escaped += "\\134";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace shuntfs
