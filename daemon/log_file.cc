#include "daemon/log_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/path_probe.h"

namespace shuntfs {
namespace {

absl::Status Unusable(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError(
      absl::StrFormat("the log file %s cannot be used: %s", path, why));
}

std::string WhyNot(int error) {
  const std::string text = std::strerror(error);
  switch (error) {
    case ENOENT:
      return text + "; make the directory it is to be in";
    case EACCES:
    case EPERM:
    case EROFS:
      return text + "; name one that this user may write";
    case ENXIO:
      return "it is a pipe or a socket; name a file";
    default:
      return text;
  }
}

// Looks at the directory before the file is opened: an open of what lies on the mount itself would
// be a request to the daemon that makes it.
bool IsBelow(const std::string& path, const std::string& directory) {
  const std::string parent = path.substr(0, path.rfind('/') + 1);
  const std::unique_ptr<char, void (*)(void*)> real(realpath(parent.c_str(), nullptr), &free);
  return PathContains(directory, path) || (real && PathContains(directory, real.get()));
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, const std::string& mountpoint) {
  if (IsBelow(path, mountpoint))
    return Unusable(
        path, absl::StrFormat("it is on the mount %s itself; name one elsewhere", mountpoint));
  // Without O_NONBLOCK the open of a pipe would wait for a reader.
  UniqueFd fd(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
  struct stat st {};
  if (!fd.valid() || fstat(fd.get(), &st) != 0) return Unusable(path, WhyNot(errno));
  if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) return Unusable(path, WhyNot(ENXIO));
  return fd;
}

}  // namespace

LogFile::LogFile(std::string path, std::string mountpoint, UniqueFd fd)
    : path_(std::move(path)),
      mountpoint_(std::move(mountpoint)),
      fd_(std::move(fd)),
      stream_(fd_.get(), LogStream::Style::kStamp) {}

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path,
                                                       const std::string& mountpoint) {
  absl::StatusOr<UniqueFd> fd = OpenFile(path, mountpoint);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<LogFile>(new LogFile(path, mountpoint, *std::move(fd)));
}

absl::Status LogFile::Reopen() {
  absl::StatusOr<UniqueFd> fd = OpenFile(path_, mountpoint_);
  if (!fd.ok()) return fd.status();
  fd_ = *std::move(fd);
  stream_.Use(fd_.get());
  return absl::OkStatus();
}

}  // namespace shuntfs
