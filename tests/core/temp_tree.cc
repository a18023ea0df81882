#include "tests/core/temp_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace shuntfs {
namespace {

void ExpectDone(int rc, const std::string& what) {
  EXPECT_EQ(rc, 0) << what << ": " << strerror(errno);
}

}  // namespace

TempTree::TempTree(const std::string& folder) {
  path_ = folder + "/tree.XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << path_ << ": " << strerror(errno);
  // Reachable for a caller of any user, whatever the umask of the test.
  chmod(path_.c_str(), 0755);
}

TempTree::~TempTree() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TempTree::File(std::string_view name, std::string_view content, mode_t mode) const {
  const std::string path = At(name);
  std::ofstream(path, std::ios::binary) << content;
  ExpectDone(chmod(path.c_str(), mode), path);
}

void TempTree::Directory(std::string_view name) const {
  ExpectDone(mkdir(At(name).c_str(), 0755), At(name));
}

void TempTree::Symlink(std::string_view target, std::string_view name) const {
  ExpectDone(symlink(std::string(target).c_str(), At(name).c_str()), At(name));
}

void TempTree::Link(std::string_view from, std::string_view to) const {
  ExpectDone(link(At(from).c_str(), At(to).c_str()), At(to));
}

void TempTree::Rename(std::string_view from, std::string_view to) const {
  ExpectDone(rename(At(from).c_str(), At(to).c_str()), At(to));
}

void TempTree::Remove(std::string_view name) const {
  ExpectDone(remove(At(name).c_str()), At(name));
}

bool TempTree::Exists(std::string_view name) const {
  return faccessat(AT_FDCWD, At(name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

std::string TempTree::Content(std::string_view name) const {
  std::ostringstream content;
  content << std::ifstream(At(name), std::ios::binary).rdbuf();
  return content.str();
}

FileStatus TempTree::Status(std::string_view name) const {
  const Result<FileStatus> status = StatusAt(AT_FDCWD, At(name).c_str());
  if (status.ok()) return *status;
  ADD_FAILURE() << At(name) << ": " << strerror(status.error().value());
  return {};
}

UniqueFd TempTree::Open(std::string_view name, int flags) const {
  UniqueFd fd(open(At(name).c_str(), flags | O_CLOEXEC, 0644));
  EXPECT_TRUE(fd.valid()) << At(name) << ": " << strerror(errno);
  return fd;
}

UniqueFd TempTree::OpenRoot() const {
  return UniqueFd(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace shuntfs
