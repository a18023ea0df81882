// The state of a directory tree as comparable text: one entry per path with attributes, content,
// extended attributes and link structure.
//
// Left out, because two trees with the same history may differ in them: inode and device numbers,
// ctime and atime, blocks, sizes and order of directories. Times that the test did not set
// explicitly count as "now".
// "Setgid" on a file that its group cannot execute is left out too: it has no effect, and whether a
// write takes it away depends on the writer's groups, of which FUSE transmits only one. So are the
// times of FIFOs and devices: the kernel serves these itself and tells a FUSE server nothing of it.
//
// Owner: tests/integrity. Thread: any. Errors: an entry that cannot be examined says so in its
// text.
#ifndef SHUNTFS_TESTS_INTEGRITY_TREE_STATE_H_
#define SHUNTFS_TESTS_INTEGRITY_TREE_STATE_H_

#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>

namespace shuntfs::tests {

using TreeState = std::map<std::string, std::string>;

TreeState CaptureTree(const std::string& root);

// Empty when the states are the same; otherwise one paragraph per path that differs.
std::string Difference(const TreeState& left, std::string_view left_name, const TreeState& right,
                       std::string_view right_name);

std::string DescribeAttributes(const struct stat& attributes);

// At most `limit` bytes, with everything unprintable escaped, and how many there are in all.
std::string Printable(std::string_view bytes, size_t limit);

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_TREE_STATE_H_
