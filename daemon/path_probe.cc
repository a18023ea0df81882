#include "daemon/path_probe.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_format.h"
#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), &free);
  if (resolved) return std::string(resolved.get());
  switch (errno) {
    case ENOENT:
      return absl::NotFoundError(absl::StrFormat("%s does not exist; create it first", path));
    case ENOTDIR:
      return absl::FailedPreconditionError(
          absl::StrFormat("%s leads through something that is not a directory", path));
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrFormat("%s cannot be reached: you may not search a directory on the way", path));
    case ENOTCONN:
      return absl::FailedPreconditionError(absl::StrFormat(
          "%s lies on a FUSE mount whose daemon has died; unmount that one first", path));
    default:
      return absl::FailedPreconditionError(
          absl::StrFormat("%s cannot be resolved: %s", path, std::strerror(errno)));
  }
}

}  // namespace

int ProbePath(const std::string& path, int timeout_ms) {
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    struct statfs fs;
    struct stat st;
    const bool answers = statfs(path.c_str(), &fs) == 0 && stat(path.c_str(), &st) == 0;
    _exit(answers ? 0 : errno);
  }
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd entry{pidfd.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&entry, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    // It may stay until the file system answers; init reaps it then. Waiting for it here would hang
    // too.
    kill(child, SIGKILL);
    waitpid(child, nullptr, WNOHANG);
    return ETIMEDOUT;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

bool PathContains(std::string_view outer, std::string_view inner) {
  if (outer == "/") return true;
  if (!inner.starts_with(outer)) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '/';
}

absl::StatusOr<std::string> ResolveMountpoint(const std::string& path, const MountTable& table) {
  if (path.empty()) return absl::NotFoundError("the path is empty; name a directory");
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const size_t slash = trimmed.rfind('/');
  const std::string base = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  if (!base.empty() && base != "." && base != "..") {
    const std::string parent = slash == std::string::npos ? "." : trimmed.substr(0, slash + 1);
    absl::StatusOr<std::string> resolved = RealPath(parent);
    if (!resolved.ok()) return resolved.status();
    const std::string full = (*resolved == "/" ? "" : *resolved) + "/" + base;
    if (FindMount(table, full) != nullptr) return full;
  }
  return RealPath(path);
}

}  // namespace shuntfs
