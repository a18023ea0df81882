#include "config/config_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "absl/strings/str_format.h"
#include "config/values.h"
#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

absl::Status Wrong(const std::string& text) { return absl::InvalidArgumentError(text); }

absl::Status CannotOpen() {
  const int error = errno;
  const std::string text = absl::StrFormat("cannot be read: %s", std::strerror(error));
  return error == EACCES ? absl::PermissionDeniedError(text) : Wrong(text);
}

absl::Status CheckOwner(const struct stat& st) {
  if (st.st_uid != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "belongs to uid %d, who could tell root's daemon what to do; chown it to root", st.st_uid));
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "can be written by others than root (mode %04o); take that away with chmod go-w",
        st.st_mode & 07777));
  }
  return absl::OkStatus();
}

std::string_view KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

// Bytes of the UTF-8 character at the start of `text`, or 0 when there is none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond the last code point.
  const unsigned second = byte(1);
  const bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                   (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return bad ? 0 : bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadConfigFile(const std::string& path, bool for_root) {
  // O_NONBLOCK: opening a FIFO would wait for a writer.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.valid()) return CannotOpen();
  struct stat st {};
  if (fstat(file.get(), &st) != 0) return CannotOpen();
  if (!S_ISREG(st.st_mode)) {
    return Wrong(absl::StrFormat("is %s, not a file", std::string(KindOf(st.st_mode))));
  }
  if (for_root) {
    if (absl::Status status = CheckOwner(st); !status.ok()) return status;
  }
  // One byte more than allowed, so that a file that grows meanwhile is noticed, too.
  std::string text(kMaxConfigBytes + 1, '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotOpen();
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  if (filled > kMaxConfigBytes) {
    return Wrong(absl::StrFormat("is longer than %s; a configuration file is a few lines",
                                 FormatBytes(kMaxConfigBytes)));
  }
  text.resize(filled);
  return text;
}

absl::StatusOr<std::vector<std::string>> ListDropIns(const std::string& path, bool for_root) {
  const std::string folder = path + ".d";
  std::vector<std::string> files;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), &closedir);
  if (listing == nullptr) {
    if (errno == ENOENT) return files;
    return CannotOpen();
  }
  struct stat st {};
  if (for_root && fstat(dirfd(listing.get()), &st) == 0) {
    if (absl::Status status = CheckOwner(st); !status.ok()) return status;
  }
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !name.ends_with(".toml")) continue;
    if (files.size() == kMaxDropIns) {
      return Wrong(absl::StrFormat("holds more than %d files", kMaxDropIns));
    }
    files.push_back(folder + "/" + entry->d_name);
  }
  std::ranges::sort(files);
  return files;
}

bool IsCleanText(const std::string& text, int* line) {
  *line = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = CharacterBytes(std::string_view(text).substr(i));
    if (bytes == 0) return false;
    if (text[i] == '\n') ++*line;
    i += bytes;
  }
  return true;
}

}  // namespace shuntfs
