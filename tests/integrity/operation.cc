#include "tests/integrity/operation.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <iterator>

namespace shuntfs::tests {
namespace {

struct KindWeight {
  OperationKind kind;
  const char* name;
  int weight;
};

// Weights keep a tree populated: creating outweighs removing, and open files see most of the
// traffic.
constexpr KindWeight kKinds[] = {
    {OperationKind::kOpen, "open", 18},
    {OperationKind::kOpenTemporary, "open-tmpfile", 2},
    {OperationKind::kClose, "close", 4},
    {OperationKind::kRead, "pread", 8},
    {OperationKind::kWrite, "pwrite", 12},
    {OperationKind::kAppendVector, "writev", 4},
    {OperationKind::kTruncateOpen, "ftruncate", 4},
    {OperationKind::kAllocate, "fallocate", 5},
    {OperationKind::kSeekData, "lseek", 3},
    {OperationKind::kSync, "fsync", 1},
    {OperationKind::kStatOpen, "fstat", 4},
    {OperationKind::kChmodOpen, "fchmod", 2},
    {OperationKind::kChownOpen, "fchown", 2},
    {OperationKind::kTimesOpen, "futimens", 2},
    {OperationKind::kCopyRange, "copy_file_range", 5},
    {OperationKind::kLinkOpen, "linkat-open", 2},
    {OperationKind::kSetXattrOpen, "fsetxattr", 2},
    {OperationKind::kListDirectory, "getdents", 4},
    {OperationKind::kTruncate, "truncate", 3},
    {OperationKind::kMakeDirectory, "mkdir", 10},
    {OperationKind::kRemoveDirectory, "rmdir", 3},
    {OperationKind::kUnlink, "unlink", 6},
    {OperationKind::kRename, "renameat2", 14},
    {OperationKind::kLink, "link", 6},
    {OperationKind::kSymlink, "symlink", 4},
    {OperationKind::kReadLink, "readlink", 2},
    {OperationKind::kMakeNode, "mknod", 3},
    {OperationKind::kStat, "lstat", 6},
    {OperationKind::kAccess, "access", 3},
    {OperationKind::kChmod, "chmod", 5},
    {OperationKind::kChown, "chown", 4},
    {OperationKind::kTimes, "utimensat", 4},
    {OperationKind::kSetXattr, "setxattr", 5},
    {OperationKind::kGetXattr, "getxattr", 3},
    {OperationKind::kListXattr, "listxattr", 2},
    {OperationKind::kRemoveXattr, "removexattr", 3},
};
static_assert(std::size(kKinds) == static_cast<size_t>(OperationKind::kCount));

constexpr int TotalWeight() {
  int total = 0;
  for (const KindWeight& entry : kKinds) total += entry.weight;
  return total;
}

template <typename T, size_t kSize>
T Choose(const std::array<T, kSize>& values, int64_t index) {
  return values[static_cast<size_t>(index)];
}

constexpr std::array<int, 10> kOpenFlags = {
    O_RDWR,
    O_RDWR | O_CREAT,
    O_RDWR | O_CREAT,
    O_RDWR | O_CREAT | O_EXCL,
    O_RDWR | O_CREAT | O_TRUNC,
    O_RDONLY,
    O_RDONLY | O_DIRECTORY,
    O_WRONLY | O_APPEND | O_CREAT,
    O_RDWR | O_APPEND,
    O_RDONLY | O_NOFOLLOW,
};
constexpr std::array<int, 6> kAllocateFlags = {
    0,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_ZERO_RANGE,
    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
};
constexpr std::array<int, 8> kRenameFlags = {
    0,
    0,
    0,
    RENAME_NOREPLACE,
    RENAME_NOREPLACE,
    RENAME_EXCHANGE,
    RENAME_WHITEOUT,
    RENAME_EXCHANGE | RENAME_NOREPLACE,
};
constexpr std::array<mode_t, 10> kModes = {0755, 0644, 0600,  0777,  01777,
                                           0,    0444, 06755, 02775, 04711};
constexpr std::array<mode_t, 4> kUmasks = {022, 0, 077, 027};
// The last two are numbers that "leave this one alone" must not be confused with.
constexpr uid_t kUnchanged = static_cast<uid_t>(-1);
constexpr std::array<uid_t, 5> kOwners = {0, 1001, 1002, kUnchanged, 65534};
constexpr std::array<const char*, 6> kXattrNames = {"user.alpha", "user.beta",     "user.gamma",
                                                    "trusted.t",  "security.test", "other.space"};

struct FirstStep {
  OperationKind kind;
  const char* path;
};

// Every sequence begins by making a small tree and opening a file in each slot; otherwise most of
// what follows would find nothing to work on.
constexpr FirstStep kPrologue[] = {
    {OperationKind::kMakeDirectory, "d0"},
    {OperationKind::kMakeDirectory, "d1"},
    {OperationKind::kMakeDirectory, "d2"},
    {OperationKind::kMakeDirectory, "d0/d1"},
    {OperationKind::kMakeDirectory, "d1/d0"},
    {OperationKind::kMakeDirectory, "d1/d2"},
    {OperationKind::kOpen, "a"},
    {OperationKind::kOpen, "b"},
    {OperationKind::kOpen, "d0/a"},
    {OperationKind::kOpen, "d1/c"},
    {OperationKind::kOpen, "d0/d1/b"},
    {OperationKind::kOpen, "d"},
};

}  // namespace

const char* NameOf(OperationKind kind) { return kKinds[static_cast<size_t>(kind)].name; }

std::string Describe(const Operation& operation) {
  char text[512];
  std::snprintf(
      text, sizeof(text),
      "%s uid=%u umask=%03o slot=%d,%d path=%s,%s xattr=%s flags=%#x mode=%04o owner=%d:%d "
      "offset=%lld,%lld length=%lld",
      NameOf(operation.kind), operation.caller, operation.umask, operation.slot,
      operation.other_slot, operation.path.c_str(), operation.other_path.c_str(),
      operation.xattr_name.c_str(), static_cast<unsigned>(operation.flags), operation.mode,
      static_cast<int>(operation.owner), static_cast<int>(operation.group),
      static_cast<long long>(operation.offset), static_cast<long long>(operation.other_offset),
      static_cast<long long>(operation.length));
  return text;
}

int64_t OperationGenerator::Uniform(int64_t low, int64_t high) {
  // Not std::uniform_int_distribution: a seed must mean the same on every standard library.
  const uint64_t range = static_cast<uint64_t>(high - low) + 1;
  return low + static_cast<int64_t>(random_() % range);
}

std::string OperationGenerator::Path() {
  static constexpr std::array<const char*, 4> kDirectories = {"d0", "d1", "d2", "d3"};
  static constexpr std::array<int64_t, 6> kDepths = {0, 0, 0, 1, 1, 2};
  static constexpr std::array<const char*, 10> kLeaves = {"a",  "b",  "c",  "d",  "e",
                                                          "d0", "d1", "d2", "d3", "f"};
  std::string path;
  for (int64_t depth = Choose(kDepths, Uniform(0, 5)); depth > 0; --depth) {
    path += Choose(kDirectories, Uniform(0, 3));
    path += '/';
  }
  return path + Choose(kLeaves, Uniform(0, 9));
}

int64_t OperationGenerator::Offset() {
  if (OneIn(40)) return Uniform(-2, 0);
  if (OneIn(4)) return Uniform(0, 24) * 4096;
  return Uniform(0, OneIn(3) ? 160000 : 9000);
}

int64_t OperationGenerator::Length() {
  if (OneIn(30)) return 0;
  if (OneIn(4)) return Uniform(1, 16) * 4096;
  return Uniform(1, OneIn(4) ? 140000 : 6000);
}

void OperationGenerator::PickTime(int64_t* seconds, int64_t* nanoseconds) {
  // Explicit times lie long before the test, so that the comparison can tell them from "now".
  *seconds = OneIn(10) ? Uniform(-100000, -1) : Uniform(0, 1000000000);
  *nanoseconds = Uniform(0, 999999999);
  if (OneIn(6)) *nanoseconds = UTIME_NOW;
  if (OneIn(6)) *nanoseconds = UTIME_OMIT;
  if (OneIn(60)) *nanoseconds = 1000000000;
}

Operation OperationGenerator::Next() {
  Operation operation = Random();
  if (made_ < std::size(kPrologue)) {
    operation.kind = kPrologue[made_].kind;
    operation.path = kPrologue[made_].path;
    operation.caller = 0;
    operation.mode = 0777;
    operation.slot = static_cast<int>(made_ % kSlots);
    operation.flags = O_RDWR | O_CREAT;
  }
  ++made_;
  return operation;
}

Operation OperationGenerator::Random() {
  Operation operation = {};
  int64_t ticket = Uniform(0, TotalWeight() - 1);
  size_t index = 0;
  while (ticket >= kKinds[index].weight) ticket -= kKinds[index++].weight;
  operation.kind = kKinds[index].kind;
  operation.caller = OneIn(4) ? static_cast<uid_t>(Uniform(1001, 1002)) : 0;
  operation.umask = Choose(kUmasks, Uniform(0, 3));
  operation.slot = static_cast<int>(Uniform(0, kSlots - 1));
  operation.other_slot = static_cast<int>(Uniform(0, kSlots - 1));
  operation.path = Path();
  operation.other_path = Path();
  operation.xattr_name = Choose(kXattrNames, OneIn(20) ? 5 : Uniform(0, 4));
  operation.mode = Choose(kModes, OneIn(3) ? Uniform(0, 9) : Uniform(0, 3));
  // Setgid without group execution is taken away by a write of somebody outside the group, and by
  // FUSE's rules (FUSE_HANDLE_KILLPRIV_V2) never; a umask must not make such a file.
  if ((operation.mode & S_ISGID) != 0) operation.umask &= ~mode_t{S_IXGRP};
  operation.owner = Choose(kOwners, Uniform(0, 4));
  operation.group = Choose(kOwners, Uniform(0, 4));
  operation.offset = Offset();
  operation.other_offset = Offset();
  operation.length = Length();
  PickTime(&operation.access_seconds, &operation.access_nanoseconds);
  PickTime(&operation.modify_seconds, &operation.modify_nanoseconds);
  operation.content_seed = static_cast<uint32_t>(random_());

  switch (operation.kind) {
    case OperationKind::kOpen:
      operation.flags = Choose(kOpenFlags, Uniform(0, 9));
      break;
    case OperationKind::kOpenTemporary:
      operation.flags = OneIn(4) ? O_EXCL : 0;
      break;
    case OperationKind::kAllocate:
      operation.flags = Choose(kAllocateFlags, Uniform(0, 5));
      break;
    case OperationKind::kSeekData:
      operation.flags = OneIn(2) ? SEEK_DATA : SEEK_HOLE;
      break;
    case OperationKind::kRename:
      operation.flags = Choose(kRenameFlags, Uniform(0, 7));
      break;
    case OperationKind::kMakeNode:
      operation.flags = OneIn(3) ? S_IFSOCK : OneIn(2) ? S_IFIFO : OneIn(2) ? S_IFREG : S_IFCHR;
      break;
    case OperationKind::kChown:
    case OperationKind::kChownOpen:
      // "Nobody, no group" asks for nothing but the loss of setuid bits. The kernel does not tell a
      // FUSE server so, and only root's outcome is the same for certain.
      if (operation.owner == kUnchanged && operation.group == kUnchanged) operation.caller = 0;
      break;
    case OperationKind::kAccess:
      operation.flags = static_cast<int>(Uniform(0, 7));
      break;
    case OperationKind::kSetXattr:
    case OperationKind::kSetXattrOpen:
      operation.flags = OneIn(3) ? XATTR_CREATE : OneIn(3) ? XATTR_REPLACE : 0;
      operation.length = Uniform(0, 300);
      break;
    default:
      break;
  }
  return operation;
}

}  // namespace shuntfs::tests
