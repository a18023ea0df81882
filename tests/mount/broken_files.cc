#define FUSE_USE_VERSION 31
#include "tests/mount/broken_files.h"

#include <fuse.h>
#include <signal.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "tests/mount/files.h"
#include "tests/mount/private_tree.h"
#include "tests/mount/process.h"

namespace shuntfs::mount_test {
namespace {

constexpr size_t kPartBytes = BrokenFiles::kPartBytes;

// In the child: content by path. One thread serves.
std::map<std::string, std::string>& Files() {
  static std::map<std::string, std::string> files;
  return files;
}

std::string* Find(const char* path) {
  const auto found = Files().find(path);
  return found == Files().end() ? nullptr : &found->second;
}

// Whether the file says `what` of `operation`.
bool Says(const char* path, std::string_view operation, std::string_view what) {
  return std::string("/") + std::string(operation) + "." + std::string(what) == path;
}

// The negative errno that the file says of `operation`, or 0.
int Failure(const char* path, std::string_view operation) {
  for (const int error : {EIO, ENOSPC, EDQUOT, EFBIG, ESTALE, EAGAIN, EINTR}) {
    if (Says(path, operation, ErrorName(error))) return -error;
  }
  return 0;
}

void* Init(fuse_conn_info*, fuse_config* config) {
  config->direct_io = 1;
  return nullptr;
}

int GetAttr(const char* path, struct stat* info, fuse_file_info*) {
  if (std::strcmp(path, "/") == 0) {
    info->st_mode = S_IFDIR | 0755;
    info->st_nlink = 2;
    return 0;
  }
  if (const int failure = Failure(path, "lookup"); failure != 0) return failure;
  const std::string* content = Find(path);
  if (content == nullptr) return -ENOENT;
  info->st_mode = S_IFREG | 0644;
  info->st_nlink = 1;
  info->st_size = static_cast<off_t>(content->size());
  return 0;
}

int Create(const char* path, mode_t, fuse_file_info*) {
  Files()[path];
  return 0;
}

int Open(const char* path, fuse_file_info*) { return Failure(path, "open"); }

int Truncate(const char* path, off_t size, fuse_file_info*) {
  std::string* content = Find(path);
  if (content == nullptr) return -ENOENT;
  content->resize(static_cast<size_t>(size));
  return 0;
}

int Read(const char* path, char* to, size_t size, off_t offset, fuse_file_info*) {
  if (const int failure = Failure(path, "read"); failure != 0) return failure;
  std::string* content = Find(path);
  const auto at = static_cast<size_t>(offset);
  if (content == nullptr || at >= content->size()) return 0;
  const bool shrinks = Says(path, "read", "SHRINK");
  if (shrinks || Says(path, "read", "SHORT")) size = std::min(size, kPartBytes);
  const size_t count = content->copy(to, size, at);
  if (shrinks) content->resize(at + count);
  return static_cast<int>(count);
}

int Write(const char* path, const char* from, size_t size, off_t offset, fuse_file_info*) {
  if (const int failure = Failure(path, "write"); failure != 0) return failure;
  std::string* content = Find(path);
  if (content == nullptr) return -ENOENT;
  if (Says(path, "write", "SHORT")) size = std::min(size, kPartBytes);
  const auto at = static_cast<size_t>(offset);
  content->resize(std::max(content->size(), at + size));
  content->replace(at, size, from, size);
  return static_cast<int>(size);
}

int Flush(const char* path, fuse_file_info*) { return Failure(path, "flush"); }
int Fsync(const char* path, int, fuse_file_info*) { return Failure(path, "fsync"); }

int Serve(const std::string& directory) {
  fuse_operations operations = {};
  operations.init = Init;
  operations.getattr = GetAttr;
  operations.create = Create;
  operations.open = Open;
  operations.truncate = Truncate;
  operations.read = Read;
  operations.write = Write;
  operations.flush = Flush;
  operations.fsync = Fsync;
  char name[] = "broken_files";
  char* arguments[] = {name};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse* server = fuse_new(&args, &operations, sizeof(operations), nullptr);
  if (server == nullptr || fuse_mount(server, directory.c_str()) != 0) return 1;
  return fuse_loop(server) == 0 ? 0 : 1;
}

}  // namespace

std::string BrokenFiles::Mount(const std::string& directory) {
  directory_ = directory;
  if (mkdir(directory.c_str(), 0755) != 0) return "make " + directory + ": " + ErrorName(errno);
  server_ = Spawn(kRoot, [&directory] { return Serve(directory); });
  if (!Eventually([&directory] { return FindMount(directory).found; }))
    return "no file system appeared on " + directory;
  return std::string();
}

void BrokenFiles::Unmount() {
  if (server_ < 0) return;
  umount2(directory_.c_str(), MNT_DETACH);
  // Files that a daemon still has open would keep the server waiting.
  kill(server_, SIGKILL);
  Wait(server_);
  server_ = -1;
}

}  // namespace shuntfs::mount_test
