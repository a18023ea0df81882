// What a policy decides before a request reaches its handler.
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "core/policy.h"

namespace shuntfs {
namespace {

using abi::Opcode;

// Whether the request would change something of SRC.
bool Changes(const Request& request) {
  switch (request.opcode()) {
    case Opcode::kSetattr:
    case Opcode::kSymlink:
    case Opcode::kMknod:
    case Opcode::kMkdir:
    case Opcode::kUnlink:
    case Opcode::kRmdir:
    case Opcode::kRename:
    case Opcode::kRename2:
    case Opcode::kLink:
    case Opcode::kCreate:
    case Opcode::kTmpfile:
    case Opcode::kWrite:
    case Opcode::kSetxattr:
    case Opcode::kRemovexattr:
    case Opcode::kFallocate:
    case Opcode::kCopyFileRange:
    case Opcode::kCopyFileRange64:
      return true;
    case Opcode::kOpen: {
      const uint32_t flags = request.As<abi::OpenIn>().flags;
      return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    }
    case Opcode::kAccess:
      return (request.As<abi::AccessIn>().mask & W_OK) != 0;
    case Opcode::kIoctl: {
      const uint32_t command = request.As<abi::IoctlIn>().cmd;
      return command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR;
    }
    default:
      return false;
  }
}

// Whether the outcome depends on who asks: what looks a name or a file up, or changes either. What
// works on an open file does not; its rights were checked when it was opened. Times alone, set
// through an open file, are the kernel's own doing: it writes back the times of what it has written
// (fs/fuse/inode.c, fuse_flush_times). Of a change without attributes the handler decides.
bool DependsOnRights(const Request& request) {
  constexpr uint32_t kTimes =
      abi::kSetattrAtime | abi::kSetattrMtime | abi::kSetattrAtimeNow | abi::kSetattrMtimeNow;
  constexpr uint32_t kOther =
      abi::kSetattrUid | abi::kSetattrGid | abi::kSetattrMode | abi::kSetattrSize;
  switch (request.opcode()) {
    case Opcode::kSetattr: {
      const uint32_t valid = request.As<abi::SetattrIn>().valid;
      const bool by_file = (valid & abi::kSetattrFh) != 0;
      return (valid & kOther) != 0 || ((valid & kTimes) != 0 && !by_file);
    }
    case Opcode::kLookup:
    case Opcode::kGetattr:
    case Opcode::kStatx:
    case Opcode::kAccess:
    case Opcode::kReadlink:
    case Opcode::kSymlink:
    case Opcode::kMknod:
    case Opcode::kMkdir:
    case Opcode::kUnlink:
    case Opcode::kRmdir:
    case Opcode::kRename:
    case Opcode::kRename2:
    case Opcode::kLink:
    case Opcode::kOpen:
    case Opcode::kCreate:
    case Opcode::kTmpfile:
    case Opcode::kSetxattr:
    case Opcode::kGetxattr:
    case Opcode::kListxattr:
    case Opcode::kRemovexattr:
    case Opcode::kOpendir:
    case Opcode::kReaddir:
    case Opcode::kReaddirplus:
    case Opcode::kIoctl:
      return true;
    default:
      return false;
  }
}

}  // namespace

Outcome Policy::Admit(const Request& request) const {
  if (options_.read_only && Changes(request)) return Errno(EROFS);
  if (!options_.hidden.empty()) {
    if (const Outcome named = AdmitName(request); !named.ok()) return named;
  }
  return AdmitXattr(request);
}

Outcome Policy::AdmitName(const Request& request) const {
  PayloadReader reader(request.payload);
  // A name that is none is the handler's to refuse.
  const auto hidden_next = [this, &reader] {
    const Result<std::string_view> name = reader.Name();
    return name.ok() && Hides(*name);
  };
  switch (request.opcode()) {
    case Opcode::kLookup:
    case Opcode::kUnlink:
    case Opcode::kRmdir:
      return hidden_next() ? Outcome(Errno(ENOENT)) : Ok();
    case Opcode::kSymlink:
    case Opcode::kMknod:
    case Opcode::kMkdir:
    case Opcode::kCreate:
    case Opcode::kLink:
      return hidden_next() ? Outcome(Errno(EACCES)) : Ok();
    case Opcode::kRename:
    case Opcode::kRename2:
      if (hidden_next()) return Errno(ENOENT);
      return hidden_next() ? Outcome(Errno(EACCES)) : Ok();
    default:
      return Ok();
  }
}

bool Policy::Squashed(const Request& request) const {
  return options_.squash == Squash::kAll ||
         (options_.squash == Squash::kRoot && request.header.uid == 0);
}

std::optional<Caller> Policy::CheckedAs(const Request& request) const {
  if (!ActsWithoutPrivilege(request) || !DependsOnRights(request)) return std::nullopt;
  if (Squashed(request)) return Caller{options_.squash_user, options_.squash_group, std::nullopt};
  const std::optional<HostUid> uid = options_.users.ToHost(CallerUid(request.header.uid));
  if (!uid) return Caller{HostUid(kOverflowId), HostGid(kOverflowId), std::nullopt};
  return Caller{*uid, GroupOf(request), std::nullopt};
}

bool Policy::ActsWithoutPrivilege(const Request& request) const {
  if (HasAnothersRights(request)) return true;
  return takes_privileges() && options_.users.ToHost(CallerUid(request.header.uid)) != HostUid(0);
}

std::vector<gid_t> Policy::GroupsInSource(std::span<const gid_t> groups) const {
  std::vector<gid_t> in_source;
  in_source.reserve(groups.size());
  for (const gid_t group : groups) {
    if (const std::optional<HostGid> host = options_.groups.ToHost(CallerGid(group)))
      in_source.push_back(host->value());
  }
  return in_source;
}

bool Policy::MakesForAnother(const Request& request) const {
  if (!options_.create_user && !options_.create_group) return false;
  if (HasAnothersRights(request)) return false;
  switch (request.opcode()) {
    case Opcode::kSymlink:
    case Opcode::kMknod:
    case Opcode::kMkdir:
    case Opcode::kCreate:
    case Opcode::kTmpfile:
      return true;
    default:
      return false;
  }
}

}  // namespace shuntfs
