#include "core/policy.h"

#include <sys/stat.h>

namespace shuntfs {
namespace {

constexpr uint32_t kOwnerShift = 6;
constexpr uint32_t kGroupShift = 3;
constexpr uint32_t kSetIdBits = S_ISUID | S_ISGID;

// Leaves the class of bits at `shift` no more than everybody has.
uint32_t CutToOthers(uint32_t mode, uint32_t shift) {
  const uint32_t others = (mode & 07) << shift;
  return mode & (~(uint32_t{07} << shift) | others);
}

}  // namespace

bool PolicyOptions::any() const {
  return read_only || !users.identity() || !groups.identity() || force_user || force_group ||
         create_user || create_group || squash != Squash::kNone || !file_mode.trivial() ||
         !dir_mode.trivial() || !create_file_mode.trivial() || !create_dir_mode.trivial() ||
         !hidden.empty() || xattr != XattrRule::kAll;
}

bool PolicyOptions::invents_owners() const {
  return !users.identity() || !groups.identity() || force_user || force_group || create_user ||
         create_group;
}

Result<Caller> Policy::CallerOf(const Request& request) const {
  if (Squashed(request)) return Caller{options_.squash_user, options_.squash_group, std::nullopt};
  if (!KnowsCaller(request)) return Errno(EOVERFLOW);
  const std::optional<HostUid> uid = options_.create_user
                                         ? options_.create_user
                                         : options_.users.ToHost(CallerUid(request.header.uid));
  const std::optional<HostGid> gid = options_.create_group
                                         ? options_.create_group
                                         : options_.groups.ToHost(CallerGid(request.header.gid));
  if (!uid || !gid) return Errno(EOVERFLOW);
  Caller caller{*uid, *gid, std::nullopt};
  // A group that does not exist in SRC gives no rights there.
  if (const std::optional<uint32_t> group = request.supplementary_group())
    caller.supplementary = options_.groups.ToHost(CallerGid(*group));
  return caller;
}

HostGid Policy::GroupOf(const Request& request) const {
  if (Squashed(request)) return options_.squash_group;
  if (!KnowsCaller(request)) return HostGid(kOverflowId);
  return options_.groups.ToHost(CallerGid(request.header.gid)).value_or(HostGid(kOverflowId));
}

bool Policy::OwnerUnknown(const FileStatus& status) const {
  return !options_.force_user && !options_.users.ToCaller(HostUid(status.stx_uid));
}

bool Policy::GroupUnknown(const FileStatus& status) const {
  return !options_.force_group && !options_.groups.ToCaller(HostGid(status.stx_gid));
}

FileStatus Policy::Shown(const FileStatus& status) const {
  FileStatus shown = status;
  const auto mode_before = static_cast<uint32_t>(status.stx_mode);
  uint32_t mode = S_ISLNK(mode_before) ? mode_before : RuleFor(status).Apply(mode_before);
  if (OwnerUnknown(status)) {
    shown.stx_uid = kOverflowId;
    if (!S_ISLNK(mode)) mode = CutToOthers(mode, kOwnerShift);
  } else {
    shown.stx_uid = options_.force_user ? options_.force_user->value()
                                        : options_.users.ToCaller(HostUid(status.stx_uid))->value();
  }
  if (GroupUnknown(status)) {
    shown.stx_gid = kOverflowId;
    if (!S_ISLNK(mode)) mode = CutToOthers(mode, kGroupShift);
  } else {
    shown.stx_gid = options_.force_group
                        ? options_.force_group->value()
                        : options_.groups.ToCaller(HostGid(status.stx_gid))->value();
  }
  shown.stx_mode = static_cast<uint16_t>(mode);
  return shown;
}

Result<abi::SetattrIn> Policy::ToHost(const abi::SetattrIn& in, const FileStatus& status) const {
  const bool sets_uid = (in.valid & abi::kSetattrUid) != 0;
  const bool sets_gid = (in.valid & abi::kSetattrGid) != 0;
  if ((sets_uid && options_.force_user) || (sets_gid && options_.force_group)) return Errno(EPERM);
  abi::SetattrIn host = in;
  if (sets_uid) {
    const std::optional<HostUid> uid = options_.users.ToHost(CallerUid(in.uid));
    if (!uid) return Errno(EOVERFLOW);
    host.uid = uid->value();
  }
  if (sets_gid) {
    const std::optional<HostGid> gid = options_.groups.ToHost(CallerGid(in.gid));
    if (!gid) return Errno(EOVERFLOW);
    host.gid = gid->value();
  }
  if ((in.valid & abi::kSetattrMode) != 0) {
    if ((!sets_uid && OwnerUnknown(status)) || (!sets_gid && GroupUnknown(status)))
      return Errno(EOVERFLOW);
    // Bits that are shown other than they are stay as they are.
    const uint32_t fixed = 0777 & ~RuleFor(status).free();
    host.mode = (in.mode & ~fixed) | (status.stx_mode & fixed);
  }
  return host;
}

// Who has another's rights owns what it makes with them, and SRC's file system checks it. `group`:
// only where its members here need not be members there.
bool Policy::MaySetId(const Request& request, HostUid owner, std::optional<HostGid> group) const {
  if (HasAnothersRights(request)) return true;
  const std::optional<HostUid> caller = options_.users.ToHost(CallerUid(request.header.uid));
  if (caller == HostUid(0)) return true;
  return caller == owner && (!group || *group == GroupOf(request));
}

Outcome Policy::AdmitSetId(const Request& request, uint32_t mode, const FileStatus& status) const {
  if ((mode & kSetIdBits) == 0 || S_ISDIR(status.stx_mode) || !options_.invents_owners())
    return Ok();
  std::optional<HostGid> group;
  if ((mode & S_ISGID) != 0 && options_.force_group) group = HostGid(status.stx_gid);
  return MaySetId(request, HostUid(status.stx_uid), group) ? Ok() : Outcome(Errno(EPERM));
}

Policy::NewMode Policy::ForNew(const Request& request, uint32_t mode, uint32_t umask) const {
  const bool directory = S_ISDIR(mode);
  const ModeRule& rule = directory ? options_.create_dir_mode : options_.create_file_mode;
  uint32_t made = rule.Apply(mode);
  const Result<Caller> owner = CallerOf(request);
  if ((made & kSetIdBits) != 0 && !directory && owner.ok() &&
      !MaySetId(request, owner->uid, options_.create_group))
    made &= ~kSetIdBits;
  return {made, umask & ~rule.add};
}

}  // namespace shuntfs
