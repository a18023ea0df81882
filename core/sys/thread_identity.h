// The credentials, capabilities and umask of one serving thread.
//
// Floor 0. One object per thread, used by that thread only: Linux keeps all of this per thread as
// long as the raw system calls are used. The thread normally acts as the daemon itself. A caller's
// identity is taken for one system call by CallerScope, which puts everything back when it goes:
// nothing of it can reach the next request. See credentials(7), capabilities(7).
#ifndef SHUNTFS_CORE_SYS_THREAD_IDENTITY_H_
#define SHUNTFS_CORE_SYS_THREAD_IDENTITY_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/errno.h"
#include "core/base/ids.h"

namespace shuntfs {

// A caller as SRC knows it.
struct Caller {
  HostUid uid;
  HostGid gid;
  std::optional<HostGid> supplementary;  // the one group that matters for the operation
};

class ThreadIdentity {
 public:
  // Adopts the calling thread: gives it a umask and working directory of its own and, when
  // `privileged`, drops what a file server must not have: supplementary groups, and
  // CAP_SYS_RESOURCE (with it, quotas and reserved blocks would not count for anybody). Without
  // privilege nothing is switched, ever: the daemon acts as its user.
  static Result<ThreadIdentity> Adopt(bool privileged);

  bool privileged() const { return privileged_; }

  // A CallerScope whose rights the backing file system checks is in effect.
  bool checked_by_backing() const { return checked_by_backing_; }

  // Whether writes and truncates of this thread strip setuid and setgid bits (no CAP_FSETID) or
  // leave them, as the caller's own would. `group` is the caller's group: a member of the file's
  // group keeps a setgid bit that is not for execution. Costs system calls only when something
  // changes. Without effect while the backing file system checks a caller's rights: that caller
  // decides by itself.
  void SetStripsSuid(bool strips, HostGid group = HostGid(0));

  // Sets the thread's umask. Costs a system call only when it changes.
  void SetUmask(mode_t mask);

 private:
  friend class CallerScope;
  explicit ThreadIdentity(bool privileged) : privileged_(privileged) {}

  bool privileged_;
  bool strips_suid_ = false;
  HostGid group_{0};  // fsgid outside of scopes
  bool checked_by_backing_ = false;
  mode_t umask_ = 0;
};

// Acts as `caller` until it goes: what is created then belongs to the caller. The kernel has
// checked the caller's permission already (default_permissions), so the thread keeps
// CAP_DAC_OVERRIDE: the backing file system is not asked a second time with fewer groups than the
// caller has. Within a scope that lets the backing file system check, another has no effect. Aborts
// the process if the daemon's own identity cannot be taken back.
class CallerScope {
 public:
  enum class Checks {
    kDone,  // the kernel has checked; see above
    // The backing file system is to check the caller's own rights. A caller other than root of SRC
    // has no capability then.
    kByBacking,
  };
  // `groups`: the supplementary groups that the caller is in, besides the one that it names.
  CallerScope(ThreadIdentity& thread, const Caller& caller, Checks checks = Checks::kDone,
              std::span<const gid_t> groups = {});
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

  // What went wrong when the identity was taken; the operation must not be done then.
  const Outcome& outcome() const { return outcome_; }

 private:
  // Sets the thread's supplementary groups, if there are any; false and outcome_: it failed.
  bool SetGroups(const Caller& caller, std::span<const gid_t> groups);

  ThreadIdentity& thread_;
  bool switched_ = false;
  bool groups_set_ = false;
  // The effective capabilities that were cleared.
  std::optional<std::array<uint32_t, 2>> cleared_;
  Outcome outcome_ = Ok();
};

// Gives the thread CAP_SYS_ADMIN, where it may have it, until it goes: for what the daemon does for
// itself while a caller's rights are in effect.
class AdministratorScope {
 public:
  AdministratorScope();
  ~AdministratorScope();
  AdministratorScope(const AdministratorScope&) = delete;
  AdministratorScope& operator=(const AdministratorScope&) = delete;

 private:
  bool raised_ = false;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SYS_THREAD_IDENTITY_H_
