// One step of a randomized test of a file system, as plain data, and the generator of such steps.
//
// An operation names files by paths relative to the directory under test, and open files by slots
// of a small table, so that the same operation can be carried out on any number of trees and its
// outcomes compared. What is generated depends on the seed alone, never on the state of a tree:
// most operations hit existing names because there are few names.
//
// Owner: tests/integrity. Thread: any, no shared state. Errors: none.
#ifndef SHUNTFS_TESTS_INTEGRITY_OPERATION_H_
#define SHUNTFS_TESTS_INTEGRITY_OPERATION_H_

#include <sys/types.h>

#include <cstdint>
#include <random>
#include <string>

namespace shuntfs::tests {

enum class OperationKind {
  kOpen,
  kOpenTemporary,
  kClose,
  kRead,
  kWrite,
  kAppendVector,
  kTruncateOpen,
  kAllocate,
  kSeekData,
  kSync,
  kStatOpen,
  kChmodOpen,
  kChownOpen,
  kTimesOpen,
  kCopyRange,
  kLinkOpen,
  kSetXattrOpen,
  kListDirectory,
  kTruncate,
  kMakeDirectory,
  kRemoveDirectory,
  kUnlink,
  kRename,
  kLink,
  kSymlink,
  kReadLink,
  kMakeNode,
  kStat,
  kAccess,
  kChmod,
  kChown,
  kTimes,
  kSetXattr,
  kGetXattr,
  kListXattr,
  kRemoveXattr,
  kCount,
};

const char* NameOf(OperationKind kind);

inline constexpr int kSlots = 6;

struct Operation {
  OperationKind kind;
  // The caller: 0 is root, anything else a user and group of that number with no other groups.
  uid_t caller;
  mode_t umask;
  int slot;
  int other_slot;
  std::string path;
  std::string other_path;
  std::string xattr_name;
  int flags;
  mode_t mode;
  uid_t owner;
  gid_t group;
  int64_t offset;
  int64_t other_offset;
  int64_t length;
  int64_t access_seconds;
  int64_t access_nanoseconds;
  int64_t modify_seconds;
  int64_t modify_nanoseconds;
  // Seed of the bytes to write.
  uint32_t content_seed;
};

// What a person needs to repeat the operation by hand.
std::string Describe(const Operation& operation);

class OperationGenerator {
 public:
  explicit OperationGenerator(uint64_t seed) : random_(seed) {}

  Operation Next();

 private:
  Operation Random();
  int64_t Uniform(int64_t low, int64_t high);
  bool OneIn(int64_t n) { return Uniform(1, n) == 1; }
  std::string Path();
  int64_t Offset();
  int64_t Length();
  void PickTime(int64_t* seconds, int64_t* nanoseconds);

  std::mt19937_64 random_;
  size_t made_ = 0;
};

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_OPERATION_H_
