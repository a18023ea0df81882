#include "daemon/mount_checks.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/strings/str_format.h"
#include "core/base/unique_fd.h"
#include "core/sys/proc_fd.h"
#include "core/sys/pseudo_file_systems.h"
#include "daemon/mount_table.h"
#include "daemon/path_probe.h"
#include "daemon/unmount.h"

namespace shuntfs {
namespace {

constexpr int kAnswerTimeoutMs = 3000;

// Dead mounts may lie on top of each other when several daemons were killed; more than this is no
// accident.
constexpr int kMaxDeadMounts = 16;

// Deeper than any path that the kernel resolves in one go.
constexpr int kMaxDepth = 4096;

absl::StatusOr<std::string> ResolveSource(const std::string& source) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(source.c_str(), nullptr), &free);
  struct stat st {};
  if (!resolved || stat(resolved.get(), &st) != 0) {
    const int error = errno;
    if (error == ENOENT) {
      return absl::NotFoundError(
          absl::StrFormat("the source %s does not exist; name an existing directory", source));
    }
    if (error == EACCES) {
      return absl::PermissionDeniedError(absl::StrFormat(
          "the source %s cannot be reached: you may not search a directory on the way", source));
    }
    if (error == ENOTDIR) {
      return absl::FailedPreconditionError(
          absl::StrFormat("the source %s leads through something that is not a directory", source));
    }
    if (error == ENOTCONN) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "the source %s lies on a FUSE mount whose daemon has died; unmount that one first",
          source));
    }
    return absl::FailedPreconditionError(
        absl::StrFormat("the source %s cannot be read: %s", source, std::strerror(error)));
  }
  if (!S_ISDIR(st.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the source %s is not a directory; name a directory", source));
  }
  return std::string(resolved.get());
}

absl::Status CheckSourceType(const std::string& source) {
  const Result<std::string_view> pseudo_type = PseudoTypeAt(AT_FDCWD, source.c_str());
  if (!pseudo_type.ok()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the file system of the source %s cannot be asked for its type: %s", source,
                        std::strerror(pseudo_type.error().value())));
  }
  if (pseudo_type->empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "the source %s is on a file system of type %s, an interface of the kernel that decides by "
      "who opens a file, and that would be the daemon; name another directory, or add the option "
      "\"allow_pseudo_filesystems\"",
      source, *pseudo_type));
}

// Asks the mount that is open, whatever is at its path by now.
bool IsDead(const OpenMount& mount) {
  const int error = ProbePath(FdPath(mount.root.get()).c_str(), kAnswerTimeoutMs);
  return error == ENOTCONN || error == ECONNABORTED;
}

// The topmost mount at `mountpoint` if it is one of ours.
absl::StatusOr<std::optional<MountEntry>> FindOurs(const std::string& mountpoint) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const MountEntry* entry = FindMount(*table, mountpoint);
  if (entry == nullptr || !entry->IsShuntfs()) return std::nullopt;
  return *entry;
}

// Takes dead mounts of ours off `mountpoint` and refuses living ones.
absl::Status ClearMountpoint(const std::string& mountpoint) {
  if (absl::Status status = RemoveDeadMounts(mountpoint); !status.ok()) return status;
  const absl::StatusOr<std::optional<MountEntry>> entry = FindOurs(mountpoint);
  if (!entry.ok()) return entry.status();
  if (!entry->has_value()) return absl::OkStatus();
  if (ProbePath(mountpoint, kAnswerTimeoutMs) == ETIMEDOUT) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is already a shuntfs mount, of %s, but does not answer; end it with `shuntfs umount "
        "%s`",
        mountpoint, (*entry)->source, mountpoint));
  }
  return absl::AlreadyExistsError(absl::StrFormat(
      "%s is already a shuntfs mount, of %s; unmount it with `shuntfs umount %s` or choose "
      "another directory",
      mountpoint, (*entry)->source, mountpoint));
}

absl::Status CheckEmptyDirectory(const std::string& mountpoint) {
  struct stat st {};
  if (stat(mountpoint.c_str(), &st) != 0) {
    const int error = errno;
    const std::string text =
        absl::StrFormat("the mountpoint %s cannot be used: %s", mountpoint, std::strerror(error));
    if (error == EACCES) return absl::PermissionDeniedError(text);
    return absl::FailedPreconditionError(text);
  }
  if (!S_ISDIR(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the mountpoint %s is not a directory; name an empty directory", mountpoint));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(mountpoint.c_str()), &closedir);
  if (!directory) {
    const int error = errno;
    const std::string text = absl::StrFormat("the mountpoint %s cannot be looked into: %s",
                                             mountpoint, std::strerror(error));
    if (error == EACCES) return absl::PermissionDeniedError(text);
    return absl::FailedPreconditionError(text);
  }
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      return absl::FailedPreconditionError(absl::StrFormat(
          "the mountpoint %s is not empty, and a mount would hide what is in it; name an empty "
          "directory",
          mountpoint));
    }
  }
  return absl::OkStatus();
}

absl::Status Contained(const std::string& inner_role, const std::string& inner,
                       const std::string& outer_role, const std::string& outer) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "the %s %s lies inside the %s %s, so that the mount would contain itself; choose two "
      "directories of which neither is inside the other",
      inner_role, inner, outer_role, outer));
}

// Walks up from `start`: whether it meets the directory `target`, though perhaps by another path (a
// bind mount) than the textual comparison knows.
bool WalkUpMeets(int start, const struct stat& target) {
  UniqueFd at(openat(start, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat last {};
  for (int depth = 0; at.valid() && depth < kMaxDepth; ++depth) {
    struct stat st {};
    if (fstat(at.get(), &st) != 0) return false;
    if (st.st_dev == target.st_dev && st.st_ino == target.st_ino) return true;
    if (depth > 0 && st.st_dev == last.st_dev && st.st_ino == last.st_ino) return false;
    last = st;
    at.reset(openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return false;
}

absl::Status CheckContainmentByInode(const MountPaths& paths, const OpenMountPaths& opened) {
  struct stat source {};
  struct stat mountpoint {};
  if (fstat(opened.source.get(), &source) != 0 ||
      fstat(opened.mountpoint.get(), &mountpoint) != 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s or %s cannot be looked at: %s", paths.source, paths.mountpoint, std::strerror(errno)));
  }
  if (WalkUpMeets(opened.mountpoint.get(), source)) {
    return Contained("mountpoint", paths.mountpoint, "source", paths.source);
  }
  if (WalkUpMeets(opened.source.get(), mountpoint)) {
    return Contained("source", paths.source, "mountpoint", paths.mountpoint);
  }
  return absl::OkStatus();
}

// The directory at a canonical path.
absl::StatusOr<UniqueFd> OpenUnchanged(const std::string& role, const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    const std::string text =
        absl::StrFormat("the %s %s cannot be opened: %s", role, path, std::strerror(errno));
    return errno == EACCES ? absl::PermissionDeniedError(text)
                           : absl::FailedPreconditionError(text);
  }
  std::array<char, PATH_MAX> led_to;
  const ssize_t length = readlink(FdPath(fd.get()).c_str(), led_to.data(), led_to.size());
  // Longer ones are cut off by the kernel, and cannot be compared.
  if (length >= 0 && std::string_view(led_to.data(), static_cast<size_t>(length)) == path)
    return fd;
  return absl::FailedPreconditionError(absl::StrFormat(
      "the %s %s was exchanged for something else while it was being looked at; see who may rename "
      "directories on the way to it",
      role, path));
}

}  // namespace

absl::Status RemoveDeadMounts(const std::string& mountpoint) {
  for (int i = 0; i < kMaxDeadMounts; ++i) {
    const absl::StatusOr<std::optional<MountEntry>> entry = FindOurs(mountpoint);
    if (!entry.ok()) return entry.status();
    if (!entry->has_value()) return absl::OkStatus();
    const absl::StatusOr<OpenMount> mount = OpenMountOf(**entry);
    if (!mount.ok()) return mount.status();
    if (!IsDead(*mount)) return absl::OkStatus();
    const UnmountOutcome outcome = Unmount(mountpoint, mount->identity, /*lazy=*/true);
    if (outcome.kind != UnmountOutcome::Kind::kDone) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "the daemon of %s has died and its mount cannot be removed: %s; unmount it as the user "
          "who mounted it or as root",
          mountpoint, outcome.reason));
    }
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("more than %d dead mounts lie on %s; remove them with `umount -l %s`",
                      kMaxDeadMounts, mountpoint, mountpoint));
}

absl::Status CheckContainment(const std::string& source, const std::string& mountpoint) {
  if (source == mountpoint) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the source and the mountpoint are the same directory, %s; choose another "
                        "directory to mount on",
                        source));
  }
  if (PathContains(source, mountpoint)) {
    return Contained("mountpoint", mountpoint, "source", source);
  }
  if (PathContains(mountpoint, source)) {
    return Contained("source", source, "mountpoint", mountpoint);
  }
  return absl::OkStatus();
}

absl::StatusOr<MountPaths> CheckPaths(const std::string& source, const std::string& mountpoint,
                                      bool allow_pseudo_filesystems) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  MountPaths paths;
  // The mountpoint first: a dead mount there may also be on the way to the source.
  absl::StatusOr<std::string> resolved = ResolveMountpoint(mountpoint, *table);
  if (!resolved.ok()) {
    return absl::Status(
        resolved.status().code(),
        absl::StrFormat("the mountpoint %s", std::string(resolved.status().message())));
  }
  paths.mountpoint = *std::move(resolved);
  if (absl::Status status = ClearMountpoint(paths.mountpoint); !status.ok()) return status;

  resolved = ResolveSource(source);
  if (!resolved.ok()) return resolved.status();
  paths.source = *std::move(resolved);
  if (!allow_pseudo_filesystems) {
    if (absl::Status status = CheckSourceType(paths.source); !status.ok()) return status;
  }

  for (const absl::Status& status :
       {CheckContainment(paths.source, paths.mountpoint), CheckEmptyDirectory(paths.mountpoint),
        OpenPaths(paths).status()}) {
    if (!status.ok()) return status;
  }
  return paths;
}

absl::StatusOr<OpenMountPaths> OpenPaths(const MountPaths& paths) {
  absl::StatusOr<UniqueFd> source = OpenUnchanged("source", paths.source);
  if (!source.ok()) return source.status();
  absl::StatusOr<UniqueFd> mountpoint = OpenUnchanged("mountpoint", paths.mountpoint);
  if (!mountpoint.ok()) return mountpoint.status();
  OpenMountPaths opened{*std::move(source), *std::move(mountpoint)};
  if (absl::Status status = CheckContainmentByInode(paths, opened); !status.ok()) return status;
  return opened;
}

absl::Status CheckFuseDevice() {
  const UniqueFd fd(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (fd.valid()) return absl::OkStatus();
  switch (errno) {
    case ENOENT:
      return absl::UnavailableError(
          "/dev/fuse does not exist; load the kernel's FUSE with `modprobe fuse`, or give the "
          "container the device (--device /dev/fuse)");
    case ENODEV:
    case ENXIO:
      return absl::UnavailableError(
          "/dev/fuse is there but the kernel's FUSE is not; load it with `modprobe fuse`");
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          "/dev/fuse may not be opened; its mode should be 0666, and a container needs the device "
          "allowed (--device /dev/fuse)");
    default:
      return absl::UnavailableError(
          absl::StrFormat("/dev/fuse cannot be opened: %s", std::strerror(errno)));
  }
}

}  // namespace shuntfs
