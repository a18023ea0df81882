#include "daemon/capability.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace shuntfs {

namespace {

// Its number is fixed (include/linux/proc_ns.h).
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;

bool InUserNamespace() {
  struct stat st {};
  return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != kInitialUserNamespace;
}

bool IsEffective(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

}  // namespace

bool HasCapability(int capability) { return IsEffective(capability) && !InUserNamespace(); }

bool CanMount() { return IsEffective(CAP_SYS_ADMIN); }

bool CanActForOthers() {
  if (geteuid() != 0 || !IsEffective(CAP_SETUID) || !IsEffective(CAP_SETGID)) return false;
  std::string groups;  // see user_namespaces(7)
  return !(std::ifstream("/proc/self/setgroups") >> groups) || groups != "deny";
}

}  // namespace shuntfs
