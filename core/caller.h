// Who asks: the one place that makes an identity from a request.
//
// Floor 2. Any thread. Pure but for the supplementary groups, which /proc tells.
#ifndef SHUNTFS_CORE_CALLER_H_
#define SHUNTFS_CORE_CALLER_H_

#include <sys/types.h>

#include <utility>
#include <vector>

#include "core/file_system.h"
#include "core/sys/process_groups.h"

namespace shuntfs {

// The caller as SRC knows it. EOVERFLOW: it has no number there (core/policy.h).
inline Result<Caller> CallerOf(const FileSystem& fs, const Request& request) {
  if (fs.policy() != nullptr) return fs.policy()->CallerOf(request);
  Caller caller{HostUid(request.header.uid), HostGid(request.header.gid), std::nullopt};
  if (const std::optional<uint32_t> group = request.supplementary_group())
    caller.supplementary = HostGid(*group);
  return caller;
}

// The supplementary groups of the calling process, with its own numbers. None if they cannot be
// had: the caller is of another pid namespace, or is a thread of the kernel.
inline std::vector<gid_t> SupplementaryGroups(FileSystem& fs, const Request& request) {
  const auto pid = static_cast<pid_t>(request.header.pid);
  Result<std::vector<gid_t>> groups = GroupsOfProcess(pid);
  const auto full = [&groups] {
    return !groups.ok() && (groups.error() == Errno(EMFILE) || groups.error() == Errno(ENFILE));
  };
  if (full() && fs.inodes().EvictPathFds() > 0) groups = GroupsOfProcess(pid);
  return groups.ok() ? *std::move(groups) : std::vector<gid_t>();
}

// Those of them that give the caller rights in SRC, with their numbers there.
inline std::vector<gid_t> GroupsInSource(FileSystem& fs, const Request& request) {
  const Policy* policy = fs.policy();
  if (policy != nullptr && !policy->HasOwnGroups(request)) return {};
  std::vector<gid_t> groups = SupplementaryGroups(fs, request);
  return policy == nullptr ? groups : policy->GroupsInSource(groups);
}

// True when the caller's CAP_FSETID does not count: SRC's file system has to treat the caller as an
// ordinary user, although the kernel may not.
inline bool ActsWithoutPrivilege(const FileSystem& fs, const Request& request) {
  return fs.policy() != nullptr && fs.policy()->ActsWithoutPrivilege(request);
}

// The caller's group as SRC knows it; kOverflowId if it has no number there.
inline HostGid GroupOf(const FileSystem& fs, const Request& request) {
  if (fs.policy() != nullptr) return fs.policy()->GroupOf(request);
  return HostGid(request.header.gid);
}

// Sets what becomes of set-id bits in an operation with which the kernel sends no flag.
inline void StripAsCaller(const FileSystem& fs, const Call& call) {
  call.identity.SetStripsSuid(
      call.request.header.uid != 0 || ActsWithoutPrivilege(fs, call.request),
      GroupOf(fs, call.request));
}

// The same where `flagged` tells whether the kernel sent its flag.
inline void StripIfFlagged(const FileSystem& fs, const Call& call, bool flagged) {
  call.identity.SetStripsSuid(flagged || ActsWithoutPrivilege(fs, call.request),
                              GroupOf(fs, call.request));
}

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_CALLER_H_
