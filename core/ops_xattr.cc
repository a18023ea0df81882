// SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR. The kernel has checked the caller's rights on user,
// trusted and security attributes and on POSIX ACLs; other system attributes it leaves to SRC.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <vector>

#include "core/base/limits.h"
#include "core/caller.h"
#include "core/ops.h"
#include "core/protocol/abi.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

constexpr std::string_view kTrusted = "trusted.";

// Answers with the size only, when the kernel asked for it, or with the value that lies in the
// reply area already.
Action ReplyValue(Call& call, uint32_t asked, ssize_t found) {
  if (found < 0) return Action::Error(Errno::Last());
  if (asked != 0) return Action::Reply(static_cast<size_t>(found));
  return ReplyWith(call, abi::GetxattrOut{static_cast<uint32_t>(found), 0});
}

// Takes the names out that the caller does not see: those that only an administrator does, and what
// the policy hides; the new length.
size_t OnlyShown(const FileSystem& fs, bool administrator, char* names, size_t bytes) {
  const Policy* policy = fs.policy();
  size_t kept = 0;
  for (size_t at = 0; at < bytes;) {
    const std::string_view name(names + at);
    const size_t length = name.size() + 1;
    if ((administrator || !name.starts_with(kTrusted)) &&
        (policy == nullptr || policy->ShowsXattr(name))) {
      std::copy_n(names + at, length, names + kept);
      kept += length;
    }
    at += length;
  }
  return kept;
}

// Attributes of other systems' making (NFSv4 ACLs, DOS attributes), which the kernel leaves to the
// file system to guard. It is asked with the caller's rights.
bool IsGuardedBySource(std::string_view name) {
  return name.starts_with("system.") && !IsAcl(name);
}

// Runs `body`, which returns an Outcome, with the rights that the attribute `name` needs.
template <typename Body>
Outcome WithRightsFor(FileSystem& fs, const Call& call, std::string_view name, Body body) {
  if (!IsGuardedBySource(name)) return body();
  const Result<Caller> caller = CallerOf(fs, call.request);
  if (!caller.ok()) return Errno(EPERM);
  const CallerScope scope(call.identity, *caller, CallerScope::Checks::kByBacking,
                          GroupsInSource(fs, call.request));
  return scope.outcome().ok() ? body() : scope.outcome();
}

bool ChangesAcl(const FileSystem& fs, std::string_view name) {
  return fs.policy() != nullptr && fs.policy()->changes_acls() && IsAcl(name);
}

// Sets an ACL that names ids as callers know them.
Outcome SetCallersAcl(const FileSystem& fs, int path_fd, std::string_view name,
                      std::span<const std::byte> value, int flags) {
  const Result<FileStatus> status = StatusOf(path_fd);
  if (!status.ok()) return status.error();
  std::vector<std::byte> acl(value.begin(), value.end());
  const Outcome mapped = fs.policy()->AclToHost(name, *status, acl);
  if (!mapped.ok()) return mapped;
  return FromSyscall(setxattr(FdPath(path_fd).c_str(), name.data(), acl.data(), acl.size(), flags));
}

}  // namespace

Action OpSetxattr(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::SetxattrIn>();
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  PayloadReader reader(call.request.payload);
  const Result<std::string_view> name = reader.String();
  if (!name.ok()) return Action::Error(name.error());
  if (in.size > reader.rest().size()) return Action::Error(Errno(EINVAL));
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  const FdPath file(path->get());
  const bool is_acl = IsAcl(*name);
  call.identity.SetStripsSuid(
      false);  // setting an ACL takes setgid away without the right to keep it
  const auto flags = static_cast<int>(in.flags);
  const std::span<const std::byte> value = reader.rest().first(in.size);
  const Outcome done = WithRightsFor(fs, call, *name, [&] {
    if (ChangesAcl(fs, *name)) return SetCallersAcl(fs, path->get(), *name, value, flags);
    return FromSyscall(setxattr(file.c_str(), name->data(), value.data(), value.size(), flags));
  });
  if (!done.ok()) return Action::Error(done.error());
  if ((in.setxattr_flags & abi::kSetxattrAclKillSgid) != 0) {
    const Result<FileStatus> status = StatusOf(path->get());
    if (status.ok() && (status->stx_mode & S_ISGID) != 0) {
      const Outcome cleared =
          FromSyscall(fchmodat(ProcFdDirectory(), FdName(path->get()).c_str(),
                               status->stx_mode & 07777 & ~unsigned{S_ISGID}, 0));
      if (!cleared.ok()) return Action::Error(cleared.error());
    }
  }
  // Permissions follow an ACL. Where the kernel does not know ACLs, it does not expect that.
  if (is_acl) fs.AttributesChanged(call.request.nodeid(), call.counters);
  return Action::Reply();
}

Action OpGetxattr(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::GetxattrIn>();
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const Result<std::string_view> name = PayloadReader(call.request.payload).String();
  if (!name.ok()) return Action::Error(name.error());
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  const size_t room = std::min<size_t>(in.size, call.reply.size());
  // The name lies where the value will: the kernel of the backing call reads all of it before it
  // writes, and nobody may look at it afterwards.
  const bool is_acl = IsAcl(*name);
  const bool default_acl = *name == kDefaultAcl;
  const bool changes_acl = ChangesAcl(fs, *name);
  ssize_t found = -1;
  const Outcome got = WithRightsFor(fs, call, *name, [&] {
    found = getxattr(FdPath(path->get()).c_str(), name->data(), call.reply.data(), room);
    return found < 0 ? Outcome(Errno::Last()) : Ok();
  });
  // The kernel checks everybody but the owner by the ACL. It takes this for "none", and any other
  // error, as that of a file system without ACLs, for the result of the check.
  if (is_acl && !got.ok() && got.error() == Errno(EOPNOTSUPP)) return Action::Error(Errno(ENODATA));
  if (!got.ok()) return Action::Error(got.error());
  if (found > 0 && room > 0 && changes_acl) {
    const Result<FileStatus> status = StatusOf(path->get());
    if (!status.ok()) return Action::Error(status.error());
    const Outcome shown = fs.policy()->AclToCaller(default_acl ? kDefaultAcl : kAccessAcl, *status,
                                                   call.reply.first(static_cast<size_t>(found)));
    if (!shown.ok()) return Action::Error(shown.error());
  }
  return ReplyValue(call, in.size, found);
}

Action OpListxattr(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::GetxattrIn>();
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  // The reply area takes the whole list, to be filtered there: 64 KiB at most (XATTR_LIST_MAX).
  const std::span<std::byte> area = call.reply.first(std::min(call.reply.size(), kXattrValueMax));
  auto* names = reinterpret_cast<char*>(area.data());
  ssize_t found = listxattr(FdPath(path->get()).c_str(), names, area.size());
  if (found < 0) return Action::Error(Errno::Last());
  const bool administrator = call.request.header.uid == 0;
  if (!administrator || fs.policy() != nullptr)
    found = static_cast<ssize_t>(OnlyShown(fs, administrator, names, static_cast<size_t>(found)));
  if (in.size != 0 && static_cast<size_t>(found) > in.size) return Action::Error(Errno(ERANGE));
  return ReplyValue(call, in.size, found);
}

Action OpRemovexattr(FileSystem& fs, Call& call) {
  Inode* inode = fs.inodes().Find(call.request.nodeid());
  if (inode == nullptr) return Action::Error(Errno(ESTALE));
  const Result<std::string_view> name = PayloadReader(call.request.payload).String();
  if (!name.ok()) return Action::Error(name.error());
  const Result<PathFd> path = fs.inodes().Open(inode);
  if (!path.ok()) return Action::Error(path.error());
  const Outcome done = WithRightsFor(fs, call, *name, [&] {
    return FromSyscall(removexattr(FdPath(path->get()).c_str(), name->data()));
  });
  if (!done.ok()) return Action::Error(done.error());
  if (IsAcl(*name)) fs.AttributesChanged(call.request.nodeid(), call.counters);
  return Action::Reply();
}

}  // namespace shuntfs
