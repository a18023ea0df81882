#include "daemon/fuse_mount.h"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse.h>
#include <fuse_log.h>
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
#include "daemon/mount_table.h"

namespace shuntfs {
namespace {

// What libfuse said while it mounted: it reports reasons in no other way. It forks for fusermount3,
// and what the child has to say can only go to stderr.
std::string* g_messages = nullptr;
pid_t g_messages_pid = 0;

__attribute__((format(printf, 2, 0))) void CollectMessage(enum fuse_log_level /*level*/,
                                                          const char* format, va_list arguments) {
  if (g_messages == nullptr || getpid() != g_messages_pid) {
    std::vfprintf(stderr, format, arguments);
    return;
  }
  std::array<char, 1024> line;
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length <= 0) return;
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

}  // namespace

absl::StatusOr<std::unique_ptr<FuseMount>> FuseMount::Mount(
    const std::string& mountpoint, const std::vector<std::string>& options) {
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
  UniqueFd fd(OpenChannel(mountpoint, list));
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
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const MountEntry* entry = FindMount(*table, mountpoint);
  if (entry == nullptr || !entry->IsShuntfs()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s was mounted, but the mount table does not show it; was it unmounted just now?",
        mountpoint));
  }
  mount->major_ = entry->major;
  mount->minor_ = entry->minor;
  return mount;
}

FuseMount::~FuseMount() {
  if (IsMounted()) Unmount(/*lazy=*/true);
}

bool FuseMount::IsMounted() const {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  return !table.ok() || HasDevice(*table, major_, minor_);
}

UnmountOutcome FuseMount::Unmount(bool lazy) const {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (table.ok()) {
    const MountEntry* entry = FindMount(*table, mountpoint_);
    if (entry == nullptr) return {};
    if (entry->major != major_ || entry->minor != minor_) {
      return {UnmountOutcome::Kind::kFailed,
              absl::StrFormat("something else (%s) is mounted on top of it", entry->source)};
    }
  }
  return shuntfs::Unmount(mountpoint_, lazy);
}

absl::Status FuseMount::Abort() const {
  return WriteFile(absl::StrFormat("/sys/fs/fuse/connections/%d/abort", minor_), "1");
}

absl::Status FuseMount::RaiseReadAhead(uint32_t bytes) const {
  return WriteFile(absl::StrFormat("/sys/class/bdi/%d:%d/read_ahead_kb", major_, minor_),
                   absl::StrFormat("%d", bytes / 1024));
}

}  // namespace shuntfs
