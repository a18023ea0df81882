#include "tests/mount/files.h"

#include <dirent.h>
#include <string.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace shuntfs::mount_test {

std::string ErrorName(int error) {
  if (error == 0) {
    return "0";
  }
  const char* name = strerrorname_np(error);
  return name == nullptr ? std::to_string(error) : std::string(name);
}

bool WriteFile(const std::string& path, std::string_view content, mode_t mode) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  return file.ok() && WriteAt(file.get(), content, 0);
}

std::string ReadFile(const std::string& path) {
  const File file(path, O_RDONLY);
  return file.ok() ? ReadAll(file.get()) : "<" + ErrorName(errno) + ">";
}

std::string ReadAll(int fd) {
  std::string content;
  std::string buffer(1 << 16, '\0');
  for (;;) {
    const ssize_t count =
        pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(content.size()));
    if (count < 0) {
      return "<" + ErrorName(errno) + ">";
    }
    if (count == 0) {
      return content;
    }
    content.append(buffer, 0, static_cast<size_t>(count));
  }
}

bool WriteAt(int fd, std::string_view content, off_t offset) {
  while (!content.empty()) {
    const ssize_t count = pwrite(fd, content.data(), content.size(), offset);
    if (count <= 0) {
      return false;
    }
    content.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return true;
}

std::string ReadAt(int fd, size_t size, off_t offset) {
  std::string content(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t count =
        pread(fd, content.data() + done, size - done, offset + static_cast<off_t>(done));
    if (count < 0) {
      return "<" + ErrorName(errno) + ">";
    }
    if (count == 0) {
      break;
    }
    done += static_cast<size_t>(count);
  }
  content.resize(done);
  return content;
}

std::string Pattern(size_t size, uint32_t seed) {
  std::string content(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : content) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    byte = static_cast<char>(state >> 24);
  }
  return content;
}

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    info.st_nlink = 0;
  }
  return info;
}

bool Exists(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0;
}

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 07777777;
}

std::string OwnerOf(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return "<" + ErrorName(errno) + ">";
  }
  return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
}

std::vector<std::string> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) {
    return {"<" + ErrorName(errno) + ">"};
  }
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

std::string Target(const std::string& link) {
  std::string target(8192, '\0');
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  if (size < 0) {
    return "<" + ErrorName(errno) + ">";
  }
  target.resize(static_cast<size_t>(size));
  return target;
}

std::string Xattr(const std::string& path, const char* name) {
  std::string value(1 << 16, '\0');
  const ssize_t size = lgetxattr(path.c_str(), name, value.data(), value.size());
  if (size < 0) {
    return "<" + ErrorName(errno) + ">";
  }
  value.resize(static_cast<size_t>(size));
  return value;
}

std::string Describe(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return "<" + ErrorName(errno) + ">";
  }
  char text[160];
  std::snprintf(text, sizeof(text), "mode %o owner %u:%u links %lu size %ld rdev %lu", info.st_mode,
                info.st_uid, info.st_gid, static_cast<unsigned long>(info.st_nlink),
                S_ISDIR(info.st_mode) ? -1L : static_cast<long>(info.st_size),
                static_cast<unsigned long>(info.st_rdev));
  return text;
}

void Transcript::Call(std::string_view what, long rc) {
  Note(what, rc < 0 ? ErrorName(errno) : std::to_string(rc));
}

void Transcript::Done(std::string_view what, long rc) {
  Note(what, rc < 0 ? ErrorName(errno) : "ok");
}

void Transcript::Note(std::string_view what, std::string_view value) {
  text_.append(what).append(" = ").append(value).append("\n");
}

}  // namespace shuntfs::mount_test
