#include "daemon/fuse_mount.h"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse.h>
#include <fuse_log.h>
#include <limits.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/sys/proc_fd.h"
#include "daemon/fd_info.h"
#include "daemon/mount_table.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

// What libfuse said while it mounted: it reports reasons in no other way. It forks for fusermount3,
// and what the child has to say can only go to stderr.
std::string* g_messages = nullptr;
pid_t g_messages_pid = 0;

__attribute__((format(printf, 2, 0))) void CollectMessage(enum fuse_log_level /*level*/,
                                                          const char* format, va_list arguments) {
  std::array<char, 1024> line;
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length <= 0) return;
  if (g_messages == nullptr || getpid() != g_messages_pid) {
    std::fputs(PrintableLines(line.data()).c_str(), stderr);
    return;
  }
  if (!g_messages->empty()) *g_messages += "; ";
  *g_messages += line.data();
  while (!g_messages->empty() && g_messages->back() == '\n') g_messages->pop_back();
}

std::string Escape(const std::string& option) {
  std::string out;
  for (const char c : option) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// libfuse 3.14 keeps the argument list that it builds: a few bytes per mount, which are not ours to
// free and not what a leak check of this program should report.
int OpenChannel(const std::string& mountpoint, const std::string& options) {
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler disabler;
#endif
  return fuse_open_channel(mountpoint.c_str(), options.c_str());
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) < 0) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  }
  return absl::OkStatus();
}

std::string ConnectionDirectory(uint32_t minor) {
  return absl::StrFormat("/sys/fs/fuse/connections/%d", minor);
}

bool HasEnded(int fuse_fd) {
  pollfd state{fuse_fd, POLLIN, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

// The mount at the path, if it is the one of this connection.
absl::StatusOr<MountIdentity> FindNew(const std::string& mountpoint, int fuse_fd) {
  const absl::StatusOr<OpenMount> there = OpenMountAt(mountpoint);
  if (!there.ok()) return there.status();
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const MountEntry* entry = FindMountId(*table, there->identity.mount_id);
  // While the connection lives, no other mount has its number, which newer kernels tell of the
  // descriptor (fs/fuse/dev.c, fuse_dev_show_fdinfo).
  if (entry != nullptr && entry->IsShuntfs() && entry->minor == there->identity.minor &&
      FdInfoNumber(fuse_fd, "fuse_connection:").value_or(entry->minor) == entry->minor &&
      !HasEnded(fuse_fd))
    return there->identity;
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s was mounted, but the mount table does not show it there; was it unmounted or renamed "
      "just now?",
      mountpoint));
}

// Takes the new mount off the directory, which by now is at another path than the one that was
// asked for.
void RemoveMisplaced(int directory_fd, int fuse_fd) {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink(FdPath(directory_fd).c_str(), path.data(), path.size());
  if (length < 0) return;
  const std::string mountpoint(path.data(), static_cast<size_t>(length));
  const absl::StatusOr<MountIdentity> identity = FindNew(mountpoint, fuse_fd);
  if (identity.ok()) static_cast<void>(Unmount(mountpoint, *identity, /*lazy=*/true));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FuseMount>> FuseMount::Mount(
    const std::string& mountpoint, int directory_fd, const std::vector<std::string>& options) {
  if (geteuid() != 0 && !HaveFusermount()) {
    return absl::UnavailableError(
        "fusermount3, which mounts for ordinary users, is not installed; install the package fuse3 "
        "or mount as root");
  }
  std::string list;
  for (const std::string& option : options) list += (list.empty() ? "" : ",") + Escape(option);

  std::string messages;
  g_messages = &messages;
  g_messages_pid = getpid();
  fuse_set_log_func(&CollectMessage);
  const std::string target = directory_fd < 0 ? mountpoint : FdPath(directory_fd).c_str();
  UniqueFd fd(OpenChannel(target, list));
  fuse_set_log_func(nullptr);
  g_messages = nullptr;
  if (!fd.valid()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s cannot be mounted: %s", mountpoint,
        messages.empty() ? "fusermount3 refused it; its message is above" : messages));
  }
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrFormat("/dev/fuse: %s", std::strerror(errno)));
  }

  std::unique_ptr<FuseMount> mount(new FuseMount(mountpoint, std::move(fd)));
  const absl::StatusOr<MountIdentity> identity = FindNew(mountpoint, mount->fd_.get());
  if (!identity.ok()) {
    if (directory_fd >= 0) RemoveMisplaced(directory_fd, mount->fd_.get());
    return identity.status();
  }
  mount->identity_ = *identity;
  struct stat status {};
  if (stat(ConnectionDirectory(identity->minor).c_str(), &status) == 0)
    mount->connection_inode_ = status.st_ino;
  return mount;
}

FuseMount::~FuseMount() {
  if (IsMounted()) Unmount(/*lazy=*/true);
}

bool FuseMount::IsMounted() const {
  return identity_.mount_id != 0 && shuntfs::IsMounted(identity_);
}

UnmountOutcome FuseMount::Unmount(bool lazy) const {
  return shuntfs::Unmount(mountpoint_, identity_, lazy);
}

absl::StatusOr<OpenMount> FuseMount::OpenOwn() const {
  absl::StatusOr<OpenMount> there = OpenMountAt(mountpoint_);
  if (there.ok() && !there->identity.Matches(identity_))
    return absl::NotFoundError(absl::StrFormat("another mount is at %s", mountpoint_));
  return there;
}

absl::StatusOr<UniqueFd> FuseMount::OpenRoot() const {
  const absl::StatusOr<OpenMount> there = OpenOwn();
  if (!there.ok()) return there.status();
  UniqueFd root(openat(there->root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.valid()) return root;
  return absl::UnavailableError(absl::StrFormat("%s: %s", mountpoint_, std::strerror(errno)));
}

// The number may be another connection's by now; an inode of fusectl is never given away again.
absl::Status FuseMount::Abort() const {
  const std::string path = ConnectionDirectory(identity_.minor);
  const UniqueFd directory(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!directory.valid() || fstat(directory.get(), &status) != 0)
    return absl::UnavailableError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  if (connection_inode_ != 0 && status.st_ino != connection_inode_)
    return absl::NotFoundError(absl::StrFormat("%s is another connection", path));
  return WriteFile(FdPath(directory.get()).c_str() + std::string("/abort"), "1");
}

absl::Status FuseMount::RaiseReadAhead(uint32_t bytes) const {
  // As long as it is open, no other mount gets its number.
  const absl::StatusOr<OpenMount> held = OpenOwn();
  if (!held.ok()) return held.status();
  return WriteFile(
      absl::StrFormat("/sys/class/bdi/%d:%d/read_ahead_kb", identity_.major, identity_.minor),
      absl::StrFormat("%d", bytes / 1024));
}

}  // namespace shuntfs
