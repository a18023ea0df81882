// POSIX ACLs in the form in which they travel as extended attributes
// (system.posix_acl_access and system.posix_acl_default), built without libacl.
//
// Floor: tests. Pure; any thread. Errors: none.
#ifndef SHUNTFS_TESTS_MOUNT_ACL_H_
#define SHUNTFS_TESTS_MOUNT_ACL_H_

#include <cstdint>
#include <string>
#include <vector>

namespace shuntfs::mount_test {

inline constexpr char kAccessAcl[] = "system.posix_acl_access";
inline constexpr char kDefaultAcl[] = "system.posix_acl_default";

enum class AclTag : uint16_t {
  kUserObject = 0x01,
  kUser = 0x02,
  kGroupObject = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

struct AclEntry {
  AclTag tag;
  uint16_t permissions;  // 4 read, 2 write, 1 execute
  uint32_t id = 0xffffffff;
};

// The value of the extended attribute; entries must come in the order of their tags.
std::string EncodeAcl(const std::vector<AclEntry>& entries);

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_ACL_H_
