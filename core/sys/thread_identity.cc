#include "core/sys/thread_identity.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/log.h"

namespace shuntfs {
namespace {

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
};

bool Load(Capabilities* caps) { return syscall(SYS_capget, &caps->header, caps->data) == 0; }
bool Store(Capabilities* caps) { return syscall(SYS_capset, &caps->header, caps->data) == 0; }

void SetEffective(Capabilities* caps, int capability, bool on) {
  __user_cap_data_struct& word = caps->data[CAP_TO_INDEX(capability)];
  const uint32_t mask = CAP_TO_MASK(capability);
  word.effective = on ? (word.effective | (word.permitted & mask)) : (word.effective & ~mask);
}

}  // namespace

Result<ThreadIdentity> ThreadIdentity::Adopt(bool privileged) {
  if (unshare(CLONE_FS) != 0) return Errno::Last();
  ThreadIdentity identity(privileged);
  umask(0);
  if (!privileged) return identity;
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return Errno::Last();
  Capabilities caps;
  // A thread inherits the state of the thread that starts it, which may strip setuid bits just
  // then: its group is a caller's and CAP_FSETID is off.
  setfsgid(0);
  if (setfsgid(static_cast<gid_t>(-1)) != 0) return Errno(EPERM);
  if (!Load(&caps)) return Errno::Last();
  SetEffective(&caps, CAP_SYS_RESOURCE, false);
  SetEffective(&caps, CAP_FSETID, true);
  if (!Store(&caps)) return Errno::Last();
  return identity;
}

void ThreadIdentity::SetStripsSuid(bool strips, HostGid group) {
  if (!privileged_ || checked_by_backing_) return;
  const HostGid wanted = strips ? group : HostGid(0);
  if (wanted != group_) {
    // A group that does not exist in this user namespace changes nothing, and nobody is in it.
    setfsgid(0);
    if (wanted != HostGid(0)) setfsgid(wanted.value());
    group_ = wanted;
  }
  if (strips == strips_suid_) return;
  Capabilities caps;
  CHECK(Load(&caps)) << "capget";
  SetEffective(&caps, CAP_FSETID, !strips);
  CHECK(Store(&caps)) << "capset";
  strips_suid_ = strips;
}

void ThreadIdentity::SetUmask(mode_t mask) {
  mask &= 0777;
  if (mask == umask_) return;
  umask(mask);
  umask_ = mask;
}

bool CallerScope::SetGroups(const Caller& caller, std::span<const gid_t> groups) {
  gid_t one = 0;
  if (groups.empty() && caller.supplementary) {
    one = caller.supplementary->value();
    groups = {&one, 1};
  }
  if (groups.empty()) return true;
  groups_set_ = true;
  if (syscall(SYS_setgroups, groups.size(), groups.data()) == 0) return true;
  outcome_ = Errno::Last();
  return false;
}

CallerScope::CallerScope(ThreadIdentity& thread, const Caller& caller, Checks checks,
                         std::span<const gid_t> groups)
    : thread_(thread) {
  const uid_t uid = caller.uid.value();
  const gid_t gid = caller.gid.value();
  if (!thread_.privileged_ || thread_.checked_by_backing_) return;
  // The base state first, so that leaving the scope restores exactly it, and root makes nothing in
  // the group of the caller before.
  thread_.SetStripsSuid(false);
  if (uid == 0 && gid == 0 && groups.empty() && !caller.supplementary) return;
  switched_ = true;
  if (!SetGroups(caller, groups)) return;
  // setfsgid and setfsuid tell nothing of failure but by asking again. Group before user: the user
  // change drops the capabilities that the group change needs.
  setfsgid(gid);
  setfsuid(uid);
  if (static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))) != gid ||
      static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) != uid) {
    outcome_ = Errno(EPERM);
    return;
  }
  thread_.checked_by_backing_ = checks == Checks::kByBacking;
  if (uid == 0) return;
  Capabilities caps;
  if (!Load(&caps)) {
    outcome_ = Errno::Last();
    return;
  }
  if (checks == Checks::kByBacking) {
    // setfsuid(2) drops those for files alone. CAP_SYS_ADMIN, say, would let a squashed caller set
    // trusted attributes.
    cleared_ = {caps.data[0].effective, caps.data[1].effective};
    for (__user_cap_data_struct& word : caps.data) word.effective = 0;
    if (!Store(&caps)) outcome_ = Errno::Last();
    return;
  }
  SetEffective(&caps, CAP_DAC_OVERRIDE, true);
  SetEffective(&caps, CAP_DAC_READ_SEARCH, true);
  SetEffective(&caps, CAP_MKNOD, true);
  if (!Store(&caps)) outcome_ = Errno::Last();
}

CallerScope::~CallerScope() {
  if (!switched_) return;
  thread_.checked_by_backing_ = false;
  if (cleared_) {
    Capabilities caps;
    CHECK(Load(&caps)) << "capget";
    for (size_t i = 0; i < cleared_->size(); ++i) caps.data[i].effective = (*cleared_)[i];
    CHECK(Store(&caps)) << "the daemon's own capabilities could not be taken back";
  }
  setfsuid(0);  // gives the file capabilities back as well
  setfsgid(0);
  CHECK(setfsuid(static_cast<uid_t>(-1)) == 0) << "the daemon's own user could not be taken back";
  CHECK(setfsgid(static_cast<gid_t>(-1)) == 0) << "the daemon's own group could not be taken back";
  if (groups_set_) CHECK(syscall(SYS_setgroups, 0, nullptr) == 0) << "setgroups";
}

AdministratorScope::AdministratorScope() {
  Capabilities caps;
  if (!Load(&caps)) return;
  const __user_cap_data_struct& word = caps.data[CAP_TO_INDEX(CAP_SYS_ADMIN)];
  const uint32_t missing = word.permitted & ~word.effective & CAP_TO_MASK(CAP_SYS_ADMIN);
  if (missing == 0) return;
  SetEffective(&caps, CAP_SYS_ADMIN, true);
  raised_ = Store(&caps);
}

AdministratorScope::~AdministratorScope() {
  if (!raised_) return;
  Capabilities caps;
  CHECK(Load(&caps)) << "capget";
  SetEffective(&caps, CAP_SYS_ADMIN, false);
  CHECK(Store(&caps)) << "capset";
}

}  // namespace shuntfs
