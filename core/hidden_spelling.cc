#include "core/hidden_spelling.h"

#include <cerrno>
#include <string>

#include "absl/strings/ascii.h"
#include "core/sys/file_status.h"

namespace shuntfs {
namespace {

using abi::Opcode;

bool IsSameFile(int directory_fd, const char* name, const FileStatus& status) {
  const Result<FileStatus> other = StatusAt(directory_fd, name, AT_STATX_DONT_SYNC);
  return other.ok() && other->stx_ino == status.stx_ino && DeviceOf(*other) == DeviceOf(status);
}

// The directory that a rename moves to.
NodeId TargetOf(const Request& request) {
  return NodeId(request.opcode() == Opcode::kRename2 ? request.As<abi::Rename2In>().newdir
                                                     : request.As<abi::RenameIn>().newdir);
}

// The answer for `name` in `directory`; `error` where it is a hidden one.
std::optional<Action> RefuseIn(FileSystem& fs, const Policy& policy, const Call& call,
                               NodeId directory, const Result<std::string_view>& name, int error) {
  if (!name.ok() || !policy.HidesIgnoringCase(*name)) return std::nullopt;
  Inode* inode = fs.inodes().Find(directory);
  if (inode == nullptr) return std::nullopt;  // the handler's to refuse
  if (inode->device().may_block && !call.may_block) return Action::Offload();
  const Result<PathFd> opened = fs.inodes().Open(inode);
  if (!opened.ok()) return Action::Error(opened.error());
  if (!IsHiddenSpelling(policy, opened->get(), *name)) return std::nullopt;
  return Action::Error(Errno(error));
}

}  // namespace

bool IsHiddenSpelling(const Policy& policy, int directory_fd, std::string_view name) {
  if (!policy.HidesIgnoringCase(name)) return false;
  const Result<FileStatus> status = StatusAt(directory_fd, name.data(), AT_STATX_DONT_SYNC);
  if (!status.ok()) return false;
  std::string other(name);
  absl::AsciiStrToLower(&other);
  if (other == name) absl::AsciiStrToUpper(&other);
  return other != name && IsSameFile(directory_fd, other.c_str(), *status);
}

std::optional<Action> RefuseHiddenSpelling(FileSystem& fs, const Policy& policy, const Call& call) {
  const Request& request = call.request;
  PayloadReader reader(request.payload);
  switch (request.opcode()) {
    case Opcode::kLookup:
    case Opcode::kUnlink:
    case Opcode::kRmdir:
      return RefuseIn(fs, policy, call, request.nodeid(), reader.Name(), ENOENT);
    case Opcode::kSymlink:
    case Opcode::kMknod:
    case Opcode::kMkdir:
    case Opcode::kCreate:
    case Opcode::kLink:
      return RefuseIn(fs, policy, call, request.nodeid(), reader.Name(), EACCES);
    case Opcode::kRename:
    case Opcode::kRename2: {
      const auto source = RefuseIn(fs, policy, call, request.nodeid(), reader.Name(), ENOENT);
      if (source) return source;
      return RefuseIn(fs, policy, call, TargetOf(request), reader.Name(), EACCES);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace shuntfs
