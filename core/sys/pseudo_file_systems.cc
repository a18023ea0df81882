#include "core/sys/pseudo_file_systems.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>

#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

struct PseudoType {
  std::string_view type;
  uint64_t number;
};

// Numbers that linux/magic.h lacks are from the sources of each file system.
constexpr PseudoType kPseudoTypes[] = {
    {"proc", PROC_SUPER_MAGIC},
    {"sysfs", SYSFS_MAGIC},
    {"cgroup", CGROUP_SUPER_MAGIC},
    {"cgroup2", CGROUP2_SUPER_MAGIC},
    {"cpuset", CGROUP_SUPER_MAGIC},
    {"debugfs", DEBUGFS_MAGIC},
    {"tracefs", TRACEFS_MAGIC},
    {"securityfs", SECURITYFS_MAGIC},
    {"selinuxfs", SELINUX_MAGIC},
    {"smackfs", SMACK_MAGIC},
    {"apparmorfs", 0x5a3c69f0},
    {"bpf", BPF_FS_MAGIC},
    {"configfs", 0x62656570},
    {"efivarfs", EFIVARFS_MAGIC},
    {"pstore", PSTOREFS_MAGIC},
    {"binfmt_misc", BINFMTFS_MAGIC},
    {"fusectl", 0x65735543},
    {"resctrl", RDTGROUP_SUPER_MAGIC},
    {"nfsd", 0x6e667364},
    {"rpc_pipefs", 0x67596969},
    {"functionfs", 0xa647361},
    {"gadgetfs", 0xaee71ee7},
    {"binder", BINDERFS_SUPER_MAGIC},
    {"xenfs", XENFS_SUPER_MAGIC},
};

}  // namespace

bool IsPseudoType(std::string_view type) {
  return std::any_of(std::begin(kPseudoTypes), std::end(kPseudoTypes),
                     [type](const PseudoType& pseudo) { return pseudo.type == type; });
}

std::string_view PseudoTypeOf(uint64_t number) {
  const auto* found =
      std::find_if(std::begin(kPseudoTypes), std::end(kPseudoTypes),
                   [number](const PseudoType& pseudo) { return pseudo.number == number; });
  return found == std::end(kPseudoTypes) ? std::string_view() : found->type;
}

Result<std::string_view> PseudoTypeAt(int dir_fd, const char* name) {
  UniqueFd opened;
  if (*name != '\0') {
    opened = UniqueFd(openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!opened.valid()) return Errno::Last();
  }
  struct statfs status;
  if (fstatfs(*name != '\0' ? opened.get() : dir_fd, &status) != 0) return Errno::Last();
  return PseudoTypeOf(static_cast<uint64_t>(status.f_type));
}

}  // namespace shuntfs
