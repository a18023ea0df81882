// Small helpers over the file system calls that the mount tests repeat, and the transcript with
// which one and the same action on two directories is compared.
//
// Floor: tests. Ownership: File closes its descriptor. Threads: no shared state.
// Errors: like the system calls, -1 and errno, unless said otherwise.
#ifndef SHUNTFS_TESTS_MOUNT_FILES_H_
#define SHUNTFS_TESTS_MOUNT_FILES_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shuntfs::mount_test {

// An open descriptor; -1 when the open failed, errno is then as the open left it.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(const std::string& path, int flags, mode_t mode = 0644)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File() { Close(); }

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) {
      const int saved = errno;
      close(fd_);
      errno = saved;
      fd_ = -1;
    }
  }

 private:
  int fd_ = -1;
};

// errno of a call that returned `rc`: 0 when it succeeded.
inline int ErrorOf(long rc) { return rc < 0 ? errno : 0; }

// "ENOENT" and the like; "0" for 0.
std::string ErrorName(int error);

// Replaces the content of `path`; false and errno on failure.
bool WriteFile(const std::string& path, std::string_view content, mode_t mode = 0644);
// All of `path`; "<ENOENT>" and the like on failure, so that a comparison shows it.
std::string ReadFile(const std::string& path);
std::string ReadAll(int fd);
bool WriteAt(int fd, std::string_view content, off_t offset);
std::string ReadAt(int fd, size_t size, off_t offset);

// `size` bytes that differ from place to place and from `seed` to `seed`.
std::string Pattern(size_t size, uint32_t seed = 1);

struct stat StatOf(const std::string& path);  // lstat; st_nlink 0 on failure
bool Exists(const std::string& path);
mode_t ModeOf(const std::string& path);        // permission bits; 07777777 on failure
std::string OwnerOf(const std::string& path);  // "uid:gid"
// The names in a directory without "." and "..", sorted.
std::vector<std::string> ListDirectory(const std::string& path);
std::string Target(const std::string& link);  // readlink

// xattr as text; "<ENODATA>" and the like on failure.
std::string Xattr(const std::string& path, const char* name);

// Type, permissions, owner, links, size of `path`: what must not differ between two trees.
std::string Describe(const std::string& path);

// A list of what was done and what came back, to be compared as one text.
class Transcript {
 public:
  // A call that returned `rc`: its value, or the name of errno.
  void Call(std::string_view what, long rc);
  // A call whose value does not matter (a descriptor): "ok" or the name of errno.
  void Done(std::string_view what, long rc);
  void Note(std::string_view what, std::string_view value);
  void Note(std::string_view what, long value) { Note(what, std::to_string(value)); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_FILES_H_
