#include "tests/integrity/tree_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <set>
#include <vector>

namespace shuntfs::tests {
namespace {

// Later than any time the tests set, earlier than any clock they run under.
constexpr int64_t kFirstSecondOfNow = 1500000000;

std::string Failure(const char* what) {
  return std::string(" ") + what + ":" + strerrorname_np(errno);
}

std::string Fingerprint(int fd) {
  uint64_t hash = 14695981039346656037u;
  uint64_t total = 0;
  std::vector<unsigned char> buffer(1 << 17);
  for (;;) {
    const ssize_t count = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(total));
    if (count < 0) return Failure("read");
    if (count == 0) break;
    for (ssize_t i = 0; i < count; ++i) {
      hash = (hash ^ buffer[static_cast<size_t>(i)]) * 1099511628211u;
    }
    total += static_cast<uint64_t>(count);
  }
  char text[64];
  std::snprintf(text, sizeof(text), " bytes=%llu hash=%016llx",
                static_cast<unsigned long long>(total), static_cast<unsigned long long>(hash));
  return text;
}

std::string DescribeXattrs(const std::string& path) {
  char names[4096];
  const ssize_t size = llistxattr(path.c_str(), names, sizeof(names));
  if (size < 0) return Failure("llistxattr");
  std::set<std::string> sorted;
  for (ssize_t at = 0; at < size;) {
    sorted.emplace(names + at);
    at += static_cast<ssize_t>(std::strlen(names + at)) + 1;
  }
  std::string text;
  for (const std::string& name : sorted) {
    char value[4096];
    const ssize_t length = lgetxattr(path.c_str(), name.c_str(), value, sizeof(value));
    if (length < 0) {
      text += Failure(name.c_str());
      continue;
    }
    text += " " + name + "=" + Printable({value, static_cast<size_t>(length)}, 400);
  }
  return text;
}

class Capture {
 public:
  TreeState Run(const std::string& root) {
    Visit(root, "");
    return std::move(state_);
  }

 private:
  void Visit(const std::string& absolute, const std::string& relative) {
    struct stat attributes = {};
    if (lstat(absolute.c_str(), &attributes) != 0) {
      state_[relative] = Failure("lstat");
      return;
    }
    std::string text = DescribeAttributes(attributes) + DescribeXattrs(absolute);
    if (S_ISREG(attributes.st_mode)) text += DescribeFile(absolute);
    if (S_ISLNK(attributes.st_mode)) text += DescribeLink(absolute);
    if (attributes.st_nlink > 1 && !S_ISDIR(attributes.st_mode)) {
      // Paths are visited in sorted order, so the first name of an inode is the same in both trees.
      text +=
          " same-inode-as=" + first_names_.try_emplace(attributes.st_ino, relative).first->second;
    }
    if (S_ISDIR(attributes.st_mode)) {
      for (const std::string& name : Names(absolute, &text)) {
        Visit(absolute + "/" + name, relative.empty() ? name : relative + "/" + name);
      }
    }
    state_[relative] = text;
  }

  static std::string DescribeFile(const std::string& absolute) {
    const int fd = open(absolute.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return Failure("open");
    const std::string text = Fingerprint(fd);
    close(fd);
    return text;
  }

  static std::string DescribeLink(const std::string& absolute) {
    char target[4096];
    const ssize_t length = readlink(absolute.c_str(), target, sizeof(target));
    if (length < 0) return Failure("readlink");
    return " -> " + Printable({target, static_cast<size_t>(length)}, sizeof(target));
  }

  static std::set<std::string> Names(const std::string& absolute, std::string* text) {
    std::set<std::string> names;
    DIR* const directory = opendir(absolute.c_str());
    if (directory == nullptr) {
      *text += Failure("opendir");
      return names;
    }
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (!names.insert(name).second) *text += " listed-twice:" + name;
      *text += " " + name + ":" + std::to_string(entry->d_type);
    }
    if (errno != 0) *text += Failure("readdir");
    closedir(directory);
    return names;
  }

  TreeState state_;
  std::map<ino_t, std::string> first_names_;
};

}  // namespace

TreeState CaptureTree(const std::string& root) { return Capture().Run(root); }

std::string Difference(const TreeState& left, std::string_view left_name, const TreeState& right,
                       std::string_view right_name) {
  std::set<std::string> paths;
  for (const auto& [path, text] : left) paths.insert(path);
  for (const auto& [path, text] : right) paths.insert(path);
  std::string report;
  for (const std::string& path : paths) {
    const auto in_left = left.find(path);
    const auto in_right = right.find(path);
    const std::string left_text = in_left == left.end() ? "(missing)" : in_left->second;
    const std::string right_text = in_right == right.end() ? "(missing)" : in_right->second;
    if (left_text == right_text) continue;
    report += "  '" + path + "'\n";
    report += "    " + std::string(left_name) + ": " + left_text + "\n";
    report += "    " + std::string(right_name) + ": " + right_text + "\n";
  }
  return report;
}

std::string DescribeAttributes(const struct stat& attributes) {
  mode_t mode = attributes.st_mode;
  if (S_ISREG(mode) && (mode & S_IXGRP) == 0) mode &= ~static_cast<mode_t>(S_ISGID);
  char text[256];
  int length = std::snprintf(text, sizeof(text), "mode=%06o links=%llu owner=%u:%u", mode,
                             static_cast<unsigned long long>(attributes.st_nlink),
                             attributes.st_uid, attributes.st_gid);
  std::string description(text, static_cast<size_t>(length));
  if (S_ISREG(attributes.st_mode) || S_ISLNK(attributes.st_mode)) {
    description += " size=" + std::to_string(attributes.st_size);
  }
  if (S_ISCHR(attributes.st_mode) || S_ISBLK(attributes.st_mode)) {
    description += " device=" + std::to_string(major(attributes.st_rdev)) + ":" +
                   std::to_string(minor(attributes.st_rdev));
  }
  if (S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISSOCK(mode)) return description;
  if (attributes.st_mtim.tv_sec >= kFirstSecondOfNow) {
    description += " mtime=now";
  } else {
    description += " mtime=" + std::to_string(attributes.st_mtim.tv_sec) + "." +
                   std::to_string(attributes.st_mtim.tv_nsec);
  }
  return description;
}

std::string Printable(std::string_view bytes, size_t limit) {
  std::string text;
  for (const char byte : bytes.substr(0, limit)) {
    if (byte >= ' ' && byte <= '~' && byte != '\\') {
      text += byte;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", static_cast<unsigned char>(byte));
      text += escaped;
    }
  }
  if (bytes.size() > limit) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

}  // namespace shuntfs::tests
