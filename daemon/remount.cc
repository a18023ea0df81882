#include "daemon/remount.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/sys/proc_fd.h"
#include "daemon/mount_identity.h"
#include "daemon/mount_table.h"
#include "daemon/path_probe.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

struct Flag {
  std::string_view name;
  unsigned long set;
  unsigned long clear;
};

constexpr auto kFlags = std::to_array<Flag>({
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"remount", 0, 0},
});

// What mount(8) takes from the mount table (the kernel's words for every FUSE mount) and from fstab
// for other readers: nobody asked for a change of these.
constexpr auto kNotAsked = std::to_array<std::string_view>({
    "user_id", "group_id", "rootmode", "fd",     "max_read", "allow_other", "default_permissions",
    "blksize", "defaults", "auto",     "noauto", "user",     "nouser",      "users",
    "nofail",  "_netdev",  "comment",  "owner",  "group",    "subtype",     "fsname",
});

bool WasNotAsked(std::string_view option) {
  const std::string_view name = option.substr(0, option.find('='));
  return name.starts_with("x-") || name.starts_with("X-") ||
         std::ranges::find(kNotAsked, name) != kNotAsked.end();
}

absl::Status Refused(const std::string& mountpoint, int error) {
  switch (error) {
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrFormat("%s cannot be remounted: only root may", mountpoint));
    case EBUSY:
      return absl::FailedPreconditionError(
          absl::StrFormat("%s cannot become read-only: a file on it is open for writing; `fuser "
                          "-vm %s` tells whose",
                          mountpoint, mountpoint));
    default:
      return absl::FailedPreconditionError(
          absl::StrFormat("%s cannot be remounted: %s", mountpoint, std::strerror(error)));
  }
}

}  // namespace

RemountPlan PlanRemount(const std::vector<std::string>& options) {
  RemountPlan plan;
  plan.flags = MS_REMOUNT;
  for (const std::string& option : options) {
    const auto* flag =
        std::ranges::find_if(kFlags, [&option](const Flag& f) { return f.name == option; });
    if (flag != kFlags.end()) {
      plan.flags = (plan.flags & ~flag->clear) | flag->set;
    } else if (!WasNotAsked(option)) {
      plan.unchanged.push_back(option);
    }
  }
  return plan;
}

absl::Status Remount(const std::string& mountpoint, const std::vector<std::string>& options,
                     bool fake) {
  const absl::StatusOr<MountTable> table = ReadMountTable();
  if (!table.ok()) return table.status();
  const absl::StatusOr<std::string> resolved = ResolveMountpoint(mountpoint, *table);
  if (!resolved.ok()) return resolved.status();
  const MountEntry* entry = FindMount(*table, *resolved);
  if (entry == nullptr || !entry->IsShuntfs()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s is not a mount of shuntfs, so it cannot be remounted", *resolved));
  }
  const RemountPlan plan = PlanRemount(options);
  if (!plan.unchanged.empty()) {
    std::fprintf(stderr,
                 "shuntfs: a remount does not change %s; unmount and mount again for that\n",
                 Printable(absl::StrJoin(plan.unchanged, ", ")).c_str());
  }
  if (fake) return absl::OkStatus();
  const absl::StatusOr<OpenMount> opened = OpenMountAt(*resolved);
  if (!opened.ok()) return opened.status();
  if (opened->identity.mount_id != entry->id) return Refused(*resolved, ESTALE);
  // The type and the source are not looked at, but mount(2) wants strings.
  if (mount(entry->source.c_str(), FdPath(opened->root.get()).c_str(), "fuse", plan.flags,
            nullptr) != 0)
    return Refused(*resolved, errno);
  return absl::OkStatus();
}

}  // namespace shuntfs
