// What an operator wants to be different from SRC: whose the files are, which permissions they
// show, who acts as whom, what is not there, what is refused.
//
// Floor 2: immutable, pure decisions, any thread. A file system without any such wish has no Policy
// at all. Where it is asked (docs/architecture.md): FileSystem::Dispatch, before the handler, what
// is refused and who is checked by SRC's file system; CallerOf, the only place that makes an
// identity from a request; AttrOf and StatxOf, the only places that make attributes from a status;
// SETATTR, the xattr operations and the directory reader for what they carry.
#ifndef SHUNTFS_CORE_POLICY_H_
#define SHUNTFS_CORE_POLICY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/id_map.h"
#include "core/name_patterns.h"
#include "core/protocol/request.h"
#include "core/sys/file_status.h"
#include "core/sys/thread_identity.h"

namespace shuntfs {

// Permission bits: those outside `keep` are taken away, then those in `add` are set. Set-user-ID,
// set-group-ID and sticky stay.
struct ModeRule {
  uint32_t keep = 0777;
  uint32_t add = 0;

  uint32_t Apply(uint32_t mode) const { return (mode & (keep | ~uint32_t{0777})) | add; }
  // The bits that come out as they went in.
  uint32_t free() const { return keep & ~add; }
  bool trivial() const { return free() == 0777; }
};

// Who has in SRC the rights of one ordinary user, whoever they are here.
enum class Squash : uint8_t { kNone, kRoot, kAll };

// Which extended attributes there are. POSIX ACLs can be read in any case: the kernel checks by
// them.
enum class XattrRule : uint8_t {
  kAll,
  kReadOnly,      // all, and none can be changed
  kUnprivileged,  // neither trusted.* nor security.*
  kUser,          // user.* alone
  kNone,
};

struct PolicyOptions {
  bool read_only = false;
  UserMap users;
  GroupMap groups;
  // Shown as the owner of everything.
  std::optional<CallerUid> force_user;
  std::optional<CallerGid> force_group;
  // Owns what is made, whoever makes it.
  std::optional<HostUid> create_user;
  std::optional<HostGid> create_group;
  Squash squash = Squash::kNone;
  HostUid squash_user{kOverflowId};
  HostGid squash_group{kOverflowId};
  // What is shown, and what is made.
  ModeRule file_mode;
  ModeRule dir_mode;
  ModeRule create_file_mode;
  ModeRule create_dir_mode;
  NamePatterns hidden;
  XattrRule xattr = XattrRule::kAll;

  // Whether there is anything to enforce.
  bool any() const;
  // Whether owners are shown, or given to what is made, that are not SRC's own: a set-user-ID bit
  // here would give the rights of a user who never set it.
  bool invents_owners() const;
};

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

class Policy {
 public:
  explicit Policy(PolicyOptions options) : options_(std::move(options)) {}

  // -- Before the handler (policy_admit.cc) --

  // Whether the operation is refused outright: read-only, names that are not there, attributes that
  // are not there.
  Outcome Admit(const Request& request) const;
  // Whether root here is not root in SRC. Then no privilege counts, whoever has it: the kernel
  // honours capabilities that a process has kept without being root.
  bool takes_privileges() const {
    return options_.squash != Squash::kNone || options_.users.ToHost(CallerUid(0)) != HostUid(0);
  }
  // The identity under which SRC's file system is to check this request; none: the kernel has
  // checked, or needs not, since the caller is root in SRC. Callers without a number in SRC have
  // nobody's rights.
  std::optional<Caller> CheckedAs(const Request& request) const;
  // Whether the supplementary groups of the calling process count in SRC.
  bool HasOwnGroups(const Request& request) const { return !HasAnothersRights(request); }
  // Those of `groups` that there are in SRC, with their numbers there.
  std::vector<gid_t> GroupsInSource(std::span<const gid_t> groups) const;
  // Whether the request makes something that will belong to another than the caller. The caller's
  // rights on the directory are to be checked apart then.
  bool MakesForAnother(const Request& request) const;

  // Whether the caller's writes take set-id bits away even if it has CAP_FSETID here: its
  // privileges count for nothing in SRC.
  bool ActsWithoutPrivilege(const Request& request) const;

  // -- Who the caller is in SRC --

  // Its group; kOverflowId: it has no number there.
  HostGid GroupOf(const Request& request) const;

  // EOVERFLOW: nobody who could own anything there.
  Result<Caller> CallerOf(const Request& request) const;

  // -- What is shown --

  FileStatus Shown(const FileStatus& status) const;
  bool Hides(std::string_view name) const { return options_.hidden.Match(name); }
  bool HidesIgnoringCase(std::string_view name) const {
    return options_.hidden.MatchIgnoringCase(name);
  }
  bool hides_names() const { return !options_.hidden.empty(); }

  // -- What is changed --

  // The change in terms of SRC, of a file whose status there is `status`. EPERM: the owner is
  // forced. EOVERFLOW: the new owner has no number in SRC, or the permissions that were seen are
  // not the file's, since its owner has no number here.
  Result<abi::SetattrIn> ToHost(const abi::SetattrIn& in, const FileStatus& status) const;
  // EPERM: the mode has set-id bits, which would give the rights of an owner or group in SRC that
  // the caller does not have there.
  Outcome AdmitSetId(const Request& request, uint32_t mode, const FileStatus& status) const;
  // Mode and umask that a new file is made with. Set-id bits that AdmitSetId would refuse are left
  // out.
  struct NewMode {
    uint32_t mode;
    uint32_t umask;
  };
  NewMode ForNew(const Request& request, uint32_t mode, uint32_t umask) const;

  // -- Extended attributes (policy_xattr.cc) --

  bool ShowsXattr(std::string_view name) const;
  // The value of an ACL attribute of a file with this status, in place. EINVAL: it is none. ToHost
  // also fails like the one above.
  Outcome AclToCaller(std::string_view name, const FileStatus& status,
                      std::span<std::byte> value) const;
  Outcome AclToHost(std::string_view name, const FileStatus& status,
                    std::span<std::byte> value) const;
  // Whether ACLs have to go through the two above.
  bool changes_acls() const;

 private:
  bool Squashed(const Request& request) const;
  bool MaySetId(const Request& request, HostUid owner, std::optional<HostGid> group) const;
  bool KnowsCaller(const Request& request) const {
    return options_.users.ToHost(CallerUid(request.header.uid)).has_value();
  }
  // Squashed, or nobody in SRC.
  bool HasAnothersRights(const Request& request) const {
    return Squashed(request) || !KnowsCaller(request);
  }
  // An owner or group without a number here is shown as kOverflowId, with no more rights than
  // everybody has: no caller can be that owner.
  bool OwnerUnknown(const FileStatus& status) const;
  bool GroupUnknown(const FileStatus& status) const;
  const ModeRule& RuleFor(const FileStatus& status) const {
    return S_ISDIR(status.stx_mode) ? options_.dir_mode : options_.file_mode;
  }
  bool MapsIds() const { return !options_.users.identity() || !options_.groups.identity(); }

  Outcome AdmitName(const Request& request) const;
  Outcome AdmitXattr(const Request& request) const;

  const PolicyOptions options_;
};

inline bool IsAcl(std::string_view name) { return name == kAccessAcl || name == kDefaultAcl; }

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_POLICY_H_
