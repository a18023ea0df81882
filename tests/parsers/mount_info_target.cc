#include <sys/sysmacros.h>

#include <string>
#include <vector>

#include "core/sys/mount_info.h"
#include "daemon/mount_table.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

// As the kernel writes a name (fs/proc_namespace.c).
std::string Mangled(std::string_view name) {
  std::string out;
  for (const char c : name) {
    switch (c) {
      case ' ':
        out += "\\040";
        break;
      case '\t':
        out += "\\011";
        break;
      case '\n':
        out += "\\012";
        break;
      case '\\':
        out += "\\134";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Both readers see a mount the kernel's own way.
void CheckNames(std::string_view name) {
  if (name.empty()) return;
  const std::string point = Mangled(name);
  const std::string text = "7 1 0:52 / /" + point + " rw shared:1 - fuse.shuntfs " + point +
                           " rw,user_id=1000,group_id=0\n";
  const MountTable table = ParseMountInfo(text);
  Require(table.size() == 1 && table[0].id == 7 && table[0].major == 0 && table[0].minor == 52,
          "a line of the kernel's is read");
  Require(table[0].mountpoint == "/" + std::string(name) && table[0].source == name,
          "names are what they were");
  Require(table[0].IsShuntfs() && table[0].OwnerUid() == uid_t{1000}, "so are type and owner");
  const std::vector<MountLine> lines = ParseMountLines(text);
  Require(lines.size() == 1 && lines[0].point == "/" + point && lines[0].type == "fuse.shuntfs",
          "both readers read a line of the kernel's");
}

// What one reader has, the other has: it needs fewer fields.
void CheckLine(std::string_view text) {
  const MountTable table = ParseMountInfo(text);
  const std::vector<MountLine> lines = ParseMountLines(text);
  Require(table.size() <= 1 && lines.size() <= 1, "a line is one mount");
  if (table.empty()) return;
  Require(lines.size() == 1 && lines[0].id == table[0].id, "both readers know the mount");
  Require(lines[0].device == makedev(table[0].major, table[0].minor), "both have its device");
  Require(lines[0].point.size() >= table[0].mountpoint.size(), "both have its place");
  Require(lines[0].type.size() >= table[0].type.size(), "both have its type");
}

}  // namespace

void CheckMountInfo(std::string_view input) {
  CheckNames(input);
  const MountTable table = ParseMountInfo(input);
  Require(table.size() <= input.size() / 10, "a mount is a line");
  for (const MountEntry& entry : table) {
    Require(
        FindMountId(table, entry.id) != nullptr && FindMount(table, entry.mountpoint) != nullptr,
        "a mount of the table is found");
    static_cast<void>(entry.OwnerUid());
  }
  while (!input.empty()) {
    const size_t end = input.find('\n');
    CheckLine(input.substr(0, end));
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
  }
}

}  // namespace shuntfs::parsers
