#include "tests/integrity/subject.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include "tests/integrity/tree_state.h"

namespace shuntfs::tests {
namespace {

// CAP_SYS_ADMIN of the calling thread, which shows trusted.* names to whoever has it.
void SetAdministrator(bool administrator) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  constexpr uint32_t kBit = CAP_TO_MASK(CAP_SYS_ADMIN);
  uint32_t& effective = data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective;
  bool done = syscall(SYS_capget, &header, data) == 0;
  effective = administrator ? effective | kBit : effective & ~kBit;
  done = done && syscall(SYS_capset, &header, data) == 0;
  if (done) return;
  std::perror("model: CAP_SYS_ADMIN");
  std::exit(2);
}

// Makes the calling thread act for another user on file systems, as an NFS server does, for one
// scope.
class CallerScope {
 public:
  CallerScope(uid_t caller, mode_t mask) : previous_mask_(umask(mask)) {
    setfsgid(caller);
    setfsuid(caller);
    // Which setfsuid leaves, though it takes the capabilities for files away.
    if (caller != 0) SetAdministrator(false);
  }
  ~CallerScope() {
    SetAdministrator(true);
    setfsuid(0);
    setfsgid(0);
    umask(previous_mask_);
  }
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  const mode_t previous_mask_;
};

Outcome FromCall(int64_t result) {
  Outcome outcome;
  if (result < 0) {
    outcome.error = errno;
  } else {
    outcome.value = result;
  }
  return outcome;
}

std::vector<char> Content(const Operation& operation) {
  std::vector<char> bytes(static_cast<size_t>(operation.length));
  uint32_t state = operation.content_seed | 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

struct TimePair {
  timespec times[2];
};

TimePair Times(const Operation& operation) {
  return {{{operation.access_seconds, operation.access_nanoseconds},
           {operation.modify_seconds, operation.modify_nanoseconds}}};
}

Outcome FromStat(int result, const struct stat& attributes) {
  Outcome outcome = FromCall(result);
  if (result == 0) outcome.data = DescribeAttributes(attributes);
  return outcome;
}

}  // namespace

std::string Describe(const Outcome& outcome) {
  if (outcome.error != 0) return std::string(strerrorname_np(outcome.error));
  std::string text = std::to_string(outcome.value);
  if (!outcome.data.empty()) text += " [" + Printable(outcome.data, 160) + "]";
  return text;
}

Subject::Subject(const std::string& root)
    : root_(root), root_fd_(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (root_fd_ < 0) {
    std::perror(root.c_str());
    std::exit(2);
  }
  slots_.fill(-1);
}

Subject::~Subject() {
  CloseAll();
  close(root_fd_);
}

void Subject::CloseAll() {
  for (int& fd : slots_) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
}

Outcome Subject::Perform(const Operation& operation) {
  const CallerScope caller(operation.caller, operation.umask);
  return operation.kind <= OperationKind::kSetXattrOpen ? PerformOnSlot(operation)
                                                        : PerformOnPath(operation);
}

Outcome Subject::Open(const Operation& operation, int flags) {
  int& fd = slots_[static_cast<size_t>(operation.slot)];
  if (fd >= 0) close(fd);
  // O_NONBLOCK: opening a FIFO must not wait for its other end.
  fd = openat(root_fd_, operation.path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
              operation.mode);
  Outcome outcome = FromCall(fd);
  outcome.value = 0;
  return outcome;
}

Outcome Subject::PerformOnSlot(const Operation& operation) {
  int& fd = slots_[static_cast<size_t>(operation.slot)];
  const int other_fd = slots_[static_cast<size_t>(operation.other_slot)];
  switch (operation.kind) {
    case OperationKind::kOpen:
      return Open(operation, operation.flags);
    case OperationKind::kOpenTemporary:
      return Open(operation, O_TMPFILE | O_RDWR | operation.flags);
    case OperationKind::kClose: {
      const Outcome outcome = FromCall(close(fd));
      fd = -1;
      return outcome;
    }
    case OperationKind::kRead: {
      std::vector<char> bytes(static_cast<size_t>(operation.length));
      Outcome outcome = FromCall(pread(fd, bytes.data(), bytes.size(), operation.offset));
      if (outcome.error == 0) outcome.data.assign(bytes.data(), static_cast<size_t>(outcome.value));
      return outcome;
    }
    case OperationKind::kWrite: {
      const std::vector<char> bytes = Content(operation);
      return FromCall(pwrite(fd, bytes.data(), bytes.size(), operation.offset));
    }
    case OperationKind::kAppendVector: {
      std::vector<char> bytes = Content(operation);
      const size_t half = bytes.size() / 3;
      const iovec parts[2] = {{bytes.data(), half}, {bytes.data() + half, bytes.size() - half}};
      return FromCall(writev(fd, parts, 2));
    }
    case OperationKind::kTruncateOpen:
      return FromCall(ftruncate(fd, operation.offset));
    case OperationKind::kAllocate: {
      // FUSE's kernel side takes setuid and setgid away before it asks for the space; where the
      // backing then refuses (tmpfs cannot zero a range), the bits are gone all the same.
      struct stat status {};
      const bool may_be_refused = (operation.flags & FALLOC_FL_ZERO_RANGE) != 0;
      if (may_be_refused && fstat(fd, &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0)
        return Outcome{};
      return FromCall(fallocate(fd, operation.flags, operation.offset, operation.length));
    }
    case OperationKind::kSeekData: {
      // Where data begins inside preallocated space depends on what happens to be cached, so only
      // that the call works is compared; ENXIO there means "none beyond", which is as good.
      // Of a directory FUSE's kernel side answers by itself, and no server is asked.
      struct stat status {};
      if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) return Outcome{};
      const off_t position = lseek(fd, 0, SEEK_CUR);
      Outcome outcome = FromCall(lseek(fd, operation.offset, operation.flags));
      if (outcome.error == ENXIO || outcome.error == 0) outcome = Outcome{};
      if (position >= 0) lseek(fd, position, SEEK_SET);
      return outcome;
    }
    case OperationKind::kSync:
      return FromCall(operation.content_seed % 2 != 0 ? fdatasync(fd) : fsync(fd));
    case OperationKind::kStatOpen: {
      struct stat attributes = {};
      const int result = fstat(fd, &attributes);
      return FromStat(result, attributes);
    }
    case OperationKind::kChmodOpen:
      return FromCall(fchmod(fd, operation.mode));
    case OperationKind::kChownOpen:
      return FromCall(fchown(fd, operation.owner, operation.group));
    case OperationKind::kTimesOpen:
      return FromCall(futimens(fd, Times(operation).times));
    case OperationKind::kCopyRange: {
      off_t from = operation.offset;
      off_t to = operation.other_offset;
      return FromCall(
          copy_file_range(fd, &from, other_fd, &to, static_cast<size_t>(operation.length), 0));
    }
    case OperationKind::kLinkOpen: {
      const std::string self = "/proc/self/fd/" + std::to_string(fd);
      return FromCall(
          linkat(AT_FDCWD, self.c_str(), root_fd_, operation.path.c_str(), AT_SYMLINK_FOLLOW));
    }
    case OperationKind::kSetXattrOpen: {
      const std::vector<char> value = Content(operation);
      return FromCall(
          fsetxattr(fd, operation.xattr_name.c_str(), value.data(), value.size(), operation.flags));
    }
    default:
      return {};
  }
}

Outcome Subject::PerformOnPath(const Operation& operation) {
  const char* const path = operation.path.c_str();
  const char* const other_path = operation.other_path.c_str();
  switch (operation.kind) {
    case OperationKind::kListDirectory:
      return ListDirectory(operation);
    case OperationKind::kTruncate:
      return FromCall(truncate(Absolute(operation.path).c_str(), operation.offset));
    case OperationKind::kMakeDirectory:
      return FromCall(mkdirat(root_fd_, path, operation.mode | 0700));
    case OperationKind::kRemoveDirectory:
      return FromCall(unlinkat(root_fd_, path, AT_REMOVEDIR));
    case OperationKind::kUnlink:
      return FromCall(unlinkat(root_fd_, path, 0));
    case OperationKind::kRename:
      return FromCall(
          renameat2(root_fd_, path, root_fd_, other_path, static_cast<unsigned>(operation.flags)));
    case OperationKind::kLink:
      return FromCall(linkat(root_fd_, path, root_fd_, other_path, 0));
    case OperationKind::kSymlink:
      return FromCall(symlinkat(other_path, root_fd_, path));
    case OperationKind::kReadLink: {
      char target[256];
      Outcome outcome = FromCall(readlinkat(root_fd_, path, target, sizeof(target)));
      if (outcome.error == 0) outcome.data.assign(target, static_cast<size_t>(outcome.value));
      return outcome;
    }
    case OperationKind::kMakeNode:
      return FromCall(mknodat(root_fd_, path, static_cast<mode_t>(operation.flags) | operation.mode,
                              operation.flags == S_IFCHR ? makedev(1, 3) : 0));
    case OperationKind::kStat: {
      struct stat attributes = {};
      const int result = fstatat(root_fd_, path, &attributes, AT_SYMLINK_NOFOLLOW);
      return FromStat(result, attributes);
    }
    case OperationKind::kAccess:
      // The system call itself: the library's access() would ask about the real user.
      return FromCall(syscall(SYS_faccessat2, root_fd_, path, operation.flags, AT_EACCESS));
    case OperationKind::kChmod:
      return FromCall(fchmodat(root_fd_, path, operation.mode, 0));
    case OperationKind::kChown:
      return FromCall(
          fchownat(root_fd_, path, operation.owner, operation.group, AT_SYMLINK_NOFOLLOW));
    case OperationKind::kTimes:
      return FromCall(utimensat(root_fd_, path, Times(operation).times, AT_SYMLINK_NOFOLLOW));
    case OperationKind::kSetXattr: {
      const std::vector<char> value = Content(operation);
      return FromCall(lsetxattr(Absolute(operation.path).c_str(), operation.xattr_name.c_str(),
                                value.data(), value.size(), operation.flags));
    }
    case OperationKind::kGetXattr: {
      char value[512];
      // A buffer that is too small for most values asks for ERANGE now and then.
      const size_t size = operation.length % 4 == 0 ? 64 : sizeof(value);
      Outcome outcome = FromCall(
          lgetxattr(Absolute(operation.path).c_str(), operation.xattr_name.c_str(), value, size));
      if (outcome.error == 0) outcome.data.assign(value, static_cast<size_t>(outcome.value));
      return outcome;
    }
    case OperationKind::kListXattr: {
      char names[1024];
      Outcome outcome =
          FromCall(llistxattr(Absolute(operation.path).c_str(), names, sizeof(names)));
      // The order of the names is the file system's business.
      std::set<std::string> sorted;
      for (int64_t at = 0; at < outcome.value;) {
        sorted.emplace(names + at);
        at += static_cast<int64_t>(std::strlen(names + at)) + 1;
      }
      for (const std::string& name : sorted) outcome.data += name + " ";
      return outcome;
    }
    case OperationKind::kRemoveXattr:
      return FromCall(lremovexattr(Absolute(operation.path).c_str(), operation.xattr_name.c_str()));
    default:
      return {};
  }
}

Outcome Subject::ListDirectory(const Operation& operation) const {
  const int fd = openat(root_fd_, operation.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FromCall(fd);
  DIR* const directory = fdopendir(fd);
  if (directory == nullptr) return FromCall(-1);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    names.push_back(std::to_string(entry->d_type) + ":" + entry->d_name);
  }
  Outcome outcome;
  outcome.error = errno;
  closedir(directory);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) outcome.data += name + " ";
  return outcome;
}

}  // namespace shuntfs::tests
