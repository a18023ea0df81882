// What a policy makes of extended attributes, POSIX ACLs among them.
#include <cstring>

#include "core/policy.h"

namespace shuntfs {
namespace {

using abi::Opcode;

// linux/posix_acl_xattr.h: a version, then entries; all little-endian, as the machines that this
// runs on are.
constexpr uint32_t kAclVersion = 2;
constexpr size_t kAclHeaderBytes = 4;
struct AclEntry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id;
};
static_assert(sizeof(AclEntry) == 8);

enum AclTag : uint16_t {
  kUserObject = 0x01,
  kUser = 0x02,
  kGroupObject = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

// Calls `visit(AclEntry&)`, which returns an Outcome, for each entry and writes it back.
template <typename Visit>
Outcome ForEachEntry(std::span<std::byte> value, Visit visit) {
  uint32_t version = 0;
  if (value.size() < kAclHeaderBytes) return Errno(EINVAL);
  std::memcpy(&version, value.data(), sizeof(version));
  if (version != kAclVersion || (value.size() - kAclHeaderBytes) % sizeof(AclEntry) != 0)
    return Errno(EINVAL);
  for (size_t at = kAclHeaderBytes; at < value.size(); at += sizeof(AclEntry)) {
    AclEntry entry;
    std::memcpy(&entry, value.data() + at, sizeof(entry));
    if (const Outcome done = visit(entry); !done.ok()) return done;
    std::memcpy(value.data() + at, &entry, sizeof(entry));
  }
  return Ok();
}

// What an ACL says of everybody, and of those whom the mask limits: what every such entry gives, if
// there are several.
struct AclClasses {
  std::optional<uint16_t> other;
  uint16_t mask = 07;
};

}  // namespace

bool Policy::ShowsXattr(std::string_view name) const {
  if (IsAcl(name)) return true;
  switch (options_.xattr) {
    case XattrRule::kAll:
    case XattrRule::kReadOnly:
      return true;
    case XattrRule::kUnprivileged:
      return !name.starts_with("trusted.") && !name.starts_with("security.");
    case XattrRule::kUser:
      return name.starts_with("user.");
    case XattrRule::kNone:
      return false;
  }
  return false;
}

Outcome Policy::AdmitXattr(const Request& request) const {
  const Opcode opcode = request.opcode();
  const bool writes = opcode == Opcode::kSetxattr || opcode == Opcode::kRemovexattr;
  if (!writes && opcode != Opcode::kGetxattr) return Ok();
  const Result<std::string_view> name = PayloadReader(request.payload).String();
  if (!name.ok()) return Ok();  // the handler's to refuse
  if (!ShowsXattr(*name)) return Errno(EOPNOTSUPP);
  if (!writes) return Ok();
  if (options_.xattr == XattrRule::kReadOnly) return Errno(EPERM);
  const bool acls = options_.xattr == XattrRule::kAll || options_.xattr == XattrRule::kUnprivileged;
  return IsAcl(*name) && !acls ? Outcome(Errno(EOPNOTSUPP)) : Ok();
}

bool Policy::changes_acls() const {
  return MapsIds() || !options_.file_mode.trivial() || !options_.dir_mode.trivial();
}

// The bits of an ACL are changed so that it gives the rights that the shown mode promises: the mask
// is the mode's group class, and named entries keep what the old mask left them.
Outcome Policy::AclToCaller(std::string_view name, const FileStatus& status,
                            std::span<std::byte> value) const {
  const bool access = name == kAccessAcl;
  AclClasses before;
  const Outcome read = ForEachEntry(value, [&before](AclEntry& entry) {
    if (entry.tag == kOther)
      before.other = static_cast<uint16_t>(before.other.value_or(07) & entry.permissions);
    if (entry.tag == kMask) before.mask &= entry.permissions;
    return Ok();
  });
  if (!read.ok()) return read;
  const ModeRule& rule = RuleFor(status);
  const auto ruled = [&](uint16_t permissions, uint32_t shift) {
    if (!access) return permissions;
    const uint32_t keep = (rule.keep >> shift) & 07;
    const uint32_t add = (rule.add >> shift) & 07;
    return static_cast<uint16_t>((permissions & keep) | add);
  };
  const uint16_t everybody = ruled(before.other.value_or(0), 0);
  const auto cut = [access, everybody](uint16_t permissions, bool unknown) {
    return access && unknown ? static_cast<uint16_t>(permissions & everybody) : permissions;
  };
  return ForEachEntry(value, [&](AclEntry& entry) {
    switch (entry.tag) {
      case kUserObject:
        entry.permissions = cut(ruled(entry.permissions, 6), OwnerUnknown(status));
        break;
      case kGroupObject:
        entry.permissions = cut(ruled(entry.permissions, 3), GroupUnknown(status));
        break;
      case kMask:
        entry.permissions = ruled(entry.permissions, 3);
        break;
      case kOther:
        entry.permissions = ruled(entry.permissions, 0);
        break;
      case kUser: {
        const std::optional<CallerUid> id = options_.users.ToCaller(HostUid(entry.id));
        if (access && !rule.trivial()) entry.permissions &= before.mask;
        entry.permissions = cut(entry.permissions, !id);
        entry.id = id ? id->value() : kOverflowId;
        break;
      }
      case kGroup: {
        const std::optional<CallerGid> id = options_.groups.ToCaller(HostGid(entry.id));
        if (access && !rule.trivial()) entry.permissions &= before.mask;
        entry.permissions = cut(entry.permissions, !id);
        entry.id = id ? id->value() : kOverflowId;
        break;
      }
      default:
        break;
    }
    return Ok();
  });
}

Outcome Policy::AclToHost(std::string_view name, const FileStatus& status,
                          std::span<std::byte> value) const {
  if (name == kAccessAcl) {
    // What was seen is not what the file has, so it cannot be written back.
    if (!RuleFor(status).trivial()) return Errno(EPERM);
    if (OwnerUnknown(status) || GroupUnknown(status)) return Errno(EOVERFLOW);
  }
  return ForEachEntry(value, [this](AclEntry& entry) -> Outcome {
    if (entry.tag == kUser) {
      const std::optional<HostUid> id = options_.users.ToHost(CallerUid(entry.id));
      if (!id) return Errno(EOVERFLOW);
      entry.id = id->value();
    } else if (entry.tag == kGroup) {
      const std::optional<HostGid> id = options_.groups.ToHost(CallerGid(entry.id));
      if (!id) return Errno(EOVERFLOW);
      entry.id = id->value();
    }
    return Ok();
  });
}

}  // namespace shuntfs
