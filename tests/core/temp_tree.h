// A private directory for one test, removed with everything in it when the test ends.
//
// Used by one thread. What cannot be made fails the test that asked for it.
#ifndef SHUNTFS_TESTS_CORE_TEMP_TREE_H_
#define SHUNTFS_TESTS_CORE_TEMP_TREE_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/unique_fd.h"
#include "core/sys/file_status.h"

namespace shuntfs {

class TempTree {
 public:
  // Below `folder`, so on its file system.
  explicit TempTree(const std::string& folder = ::testing::TempDir());
  ~TempTree();
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  const std::string& path() const { return path_; }
  std::string At(std::string_view name) const { return path_ + "/" + std::string(name); }

  void File(std::string_view name, std::string_view content = "", mode_t mode = 0644) const;
  void Directory(std::string_view name) const;
  void Symlink(std::string_view target, std::string_view name) const;
  void Link(std::string_view from, std::string_view to) const;
  void Rename(std::string_view from, std::string_view to) const;
  void Remove(std::string_view name) const;

  bool Exists(std::string_view name) const;
  std::string Content(std::string_view name) const;
  FileStatus Status(std::string_view name) const;
  UniqueFd Open(std::string_view name, int flags) const;
  // The tree's own directory, O_PATH.
  UniqueFd OpenRoot() const;

 private:
  std::string path_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_TESTS_CORE_TEMP_TREE_H_
