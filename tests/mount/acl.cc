#include "tests/mount/acl.h"

#include <string>
#include <vector>

namespace shuntfs::mount_test {
namespace {

constexpr uint32_t kVersion = 2;

void AppendLittleEndian(uint64_t value, int bytes, std::string* text) {
  for (int i = 0; i < bytes; ++i) {
    text->push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
}

}  // namespace

std::string EncodeAcl(const std::vector<AclEntry>& entries) {
  std::string value;
  AppendLittleEndian(kVersion, 4, &value);
  for (const AclEntry& entry : entries) {
    AppendLittleEndian(static_cast<uint16_t>(entry.tag), 2, &value);
    AppendLittleEndian(entry.permissions, 2, &value);
    AppendLittleEndian(entry.id, 4, &value);
  }
  return value;
}

}  // namespace shuntfs::mount_test
