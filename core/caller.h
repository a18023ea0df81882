// Who asks: the one place that makes an identity from a request.
//
// Floor 2. Pure, any thread.
#ifndef SHUNTFS_CORE_CALLER_H_
#define SHUNTFS_CORE_CALLER_H_

#include "core/file_system.h"

namespace shuntfs {

// The caller as SRC knows it. EOVERFLOW: it has no number there (core/policy.h).
inline Result<Caller> CallerOf(const FileSystem& fs, const Request& request) {
  if (fs.policy() != nullptr) return fs.policy()->CallerOf(request);
  Caller caller{HostUid(request.header.uid), HostGid(request.header.gid), std::nullopt};
  if (const std::optional<uint32_t> group = request.supplementary_group())
    caller.supplementary = HostGid(*group);
  return caller;
}

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_CALLER_H_
