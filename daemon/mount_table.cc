#include "daemon/mount_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "absl/strings/str_format.h"
#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

// mountinfo writes blanks, tabs, newlines and backslashes as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && text.size() - i >= 4) {
      const char* digits = text.data() + i + 1;
      const auto [stop, error] = std::from_chars(digits, digits + 3, value, 8);
      if (error == std::errc() && stop == digits + 3 && value < 256) {
        out += static_cast<char>(value);
        i += 3;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return !text.empty() && error == std::errc() && stop == end;
}

// "36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw": any number of tags before the
// dash.
bool ParseLine(std::string_view line, MountEntry* entry) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  if (fields.size() < 10) return false;
  const std::vector<std::string_view> device = Split(fields[2], ':');
  if (!ParseNumber(fields[0], &entry->id) || device.size() != 2 ||
      !ParseNumber(device[0], &entry->major) || !ParseNumber(device[1], &entry->minor)) {
    return false;
  }
  entry->mountpoint = Unescape(fields[4]);
  size_t dash = 6;
  while (dash < fields.size() && fields[dash] != "-") ++dash;
  if (dash + 3 >= fields.size()) return false;
  entry->type = Unescape(fields[dash + 1]);
  entry->source = Unescape(fields[dash + 2]);
  entry->super_options = std::string(fields[dash + 3]);
  return !entry->type.empty();
}

}  // namespace

std::optional<uid_t> MountEntry::OwnerUid() const {
  constexpr std::string_view kName = "user_id=";
  for (const std::string_view option : Split(super_options, ',')) {
    uint32_t uid = 0;
    if (option.starts_with(kName) && ParseNumber(option.substr(kName.size()), &uid)) return uid;
  }
  return std::nullopt;
}

MountTable ParseMountInfo(std::string_view text) {
  MountTable table;
  for (const std::string_view line : Split(text, '\n')) {
    MountEntry entry;
    if (ParseLine(line, &entry)) table.push_back(std::move(entry));
  }
  return table;
}

absl::StatusOr<MountTable> ReadMountTable() {
  constexpr char kPath[] = "/proc/self/mountinfo";
  const UniqueFd fd(open(kPath, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return absl::UnavailableError(absl::StrFormat(
        "%s cannot be opened: %s; shuntfs needs /proc mounted", kPath, std::strerror(errno)));
  }
  std::string text;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::UnavailableError(
          absl::StrFormat("%s cannot be read: %s", kPath, std::strerror(errno)));
    }
    if (count == 0) break;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return ParseMountInfo(text);
}

const MountEntry* FindMount(const MountTable& table, std::string_view mountpoint) {
  const MountEntry* found = nullptr;
  for (const MountEntry& entry : table) {
    if (entry.mountpoint == mountpoint) found = &entry;
  }
  return found;
}

const MountEntry* FindMountId(const MountTable& table, uint64_t id) {
  for (const MountEntry& entry : table) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

}  // namespace shuntfs
