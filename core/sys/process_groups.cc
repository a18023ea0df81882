#include "core/sys/process_groups.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>

#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

// The line is near the beginning, and one read has it unless the groups are many.
constexpr size_t kReadBytes = 4096;
// More than NGROUPS_MAX groups of ten digits take.
constexpr size_t kMaxStatusBytes = size_t{1} << 20;

// /proc, opened at the first call and kept, so that nothing mounted over it later is read. -1: it
// is not mounted, or numbers processes otherwise than this one is numbered.
int ProcDirectory() {
  static const int directory = [] {
    const int opened = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::array<char, 16> self{};
    const ssize_t length = readlinkat(opened, "self", self.data(), self.size());
    const bool own = length > 0 && std::string_view(self.data(), static_cast<size_t>(length)) ==
                                       std::to_string(getpid());
    return own ? opened : -1;
  }();
  return directory;
}

}  // namespace

std::optional<std::vector<gid_t>> ParseGroups(std::string_view status) {
  constexpr std::string_view kLabel = "\nGroups:";
  const size_t label = status.find(kLabel);
  if (label == std::string_view::npos) return std::nullopt;
  std::string_view line = status.substr(label + kLabel.size());
  const size_t end = line.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  line = line.substr(0, end);
  std::vector<gid_t> groups;
  while (true) {
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    if (line.empty()) return groups;
    gid_t group = 0;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), group);
    if (error != std::errc()) return std::nullopt;
    groups.push_back(group);
    line.remove_prefix(static_cast<size_t>(stop - line.data()));
  }
}

Result<std::vector<gid_t>> GroupsOfProcess(pid_t pid) {
  if (pid <= 0 || ProcDirectory() < 0) return Errno(ESRCH);
  const std::string name = std::to_string(pid) + "/status";
  const UniqueFd file(openat(ProcDirectory(), name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno == ENOENT ? Errno(ESRCH) : Errno::Last();
  std::string text;
  while (text.size() < kMaxStatusBytes) {
    const size_t before = text.size();
    text.resize(before + kReadBytes);
    const ssize_t count = read(file.get(), text.data() + before, kReadBytes);
    if (count < 0) return Errno::Last();
    text.resize(before + static_cast<size_t>(count));
    if (std::optional<std::vector<gid_t>> groups = ParseGroups(text)) return *std::move(groups);
    if (count == 0) break;
  }
  return Errno(ESRCH);
}

}  // namespace shuntfs
