#include "tests/mount/private_tree.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace shuntfs::mount_test {
namespace {

constexpr long kFuseControlMagic = 0x65735543;
constexpr char kFuseControl[] = "/sys/fs/fuse/connections";

std::string Failed(const std::string& what) { return what + ": " + std::strerror(errno); }

// Under Bazel the temporary directory may lie where only root can go, hence the bind mount.
std::string TemporaryDirectory() {
  const char* directory = std::getenv("TEST_TMPDIR");
  return directory == nullptr ? std::string("/var/tmp") : std::string(directory);
}

}  // namespace

std::string PrivateTree::Create(const TestConfig& config) {
  if (unshare(CLONE_NEWNS) != 0) {
    return Failed("unshare the mount namespace (the mount suite needs root)");
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Failed("make the mounts private");
  }
  struct statfs control = {};
  if (statfs(kFuseControl, &control) == 0 && control.f_type != kFuseControlMagic) {
    if (mount("fusectl", kFuseControl, "fusectl", 0, nullptr) != 0) {
      return Failed("mount fusectl");
    }
  }
  std::string name = "/tmp/shuntfs-mount-test.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    return Failed("make a directory in /tmp");
  }
  base_ = name;
  std::error_code error;
  chmod(base_.c_str(), 0755);
  for (const char* directory : {"/backing", "/mnt", "/bin"}) {
    std::filesystem::create_directory(base_ + directory, error);
    chmod((base_ + directory).c_str(), 0755);
  }
  const std::string backing = base_ + "/backing";
  if (config.backing == Backing::kTmpfs) {
    if (mount("tmpfs", backing.c_str(), "tmpfs", 0, "size=2g,mode=0755") != 0) {
      return Failed("mount a tmpfs");
    }
  } else {
    disk_ = TemporaryDirectory() + "/backing.XXXXXX";
    if (mkdtemp(disk_.data()) == nullptr) {
      return Failed("make " + disk_);
    }
    chmod(disk_.c_str(), 0755);
    if (mount(disk_.c_str(), backing.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return Failed("bind " + disk_);
    }
  }
  if (!config.binary.empty()) {
    std::filesystem::copy_file(config.binary, binary(), error);
    if (error) {
      return "copy " + config.binary + ": " + error.message();
    }
    chmod(binary().c_str(), 0755);
  }
  return Reset();
}

std::string PrivateTree::Reset() {
  std::error_code error;
  for (const std::string& directory : {src(), plain(), outside()}) {
    std::filesystem::remove_all(directory, error);
    if (error) {
      return "empty " + directory + ": " + error.message();
    }
    if (mkdir(directory.c_str(), 0755) != 0) {
      return Failed("make " + directory);
    }
  }
  return std::string();
}

void PrivateTree::Remove() {
  std::error_code error;
  std::filesystem::current_path("/", error);
  std::filesystem::remove_all(src(), error);
  std::filesystem::remove_all(plain(), error);
  std::filesystem::remove_all(outside(), error);
  umount2((base_ + "/backing").c_str(), MNT_DETACH);
  umount2(mnt().c_str(), MNT_DETACH);
  if (!disk_.empty()) {
    rmdir(disk_.c_str());
  }
  rmdir((base_ + "/backing").c_str());
  rmdir(mnt().c_str());
  unlink(binary().c_str());
  rmdir((base_ + "/bin").c_str());
  rmdir(base_.c_str());
}

PrivateTree& Tree() {
  static PrivateTree tree;
  return tree;
}

MountEntry FindMount(const std::string& path) {
  MountEntry entry;
  std::ifstream mountinfo("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mountinfo, line)) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point, options, word;
    fields >> id >> parent >> device >> root >> point >> options;
    if (point != path) {
      continue;
    }
    while (fields >> word && word != "-") {
    }
    std::string super_options;
    entry.found = true;
    entry.connection = std::atoi(device.substr(device.find(':') + 1).c_str());
    fields >> entry.type >> entry.source >> super_options;
    entry.options = options + "," + super_options;
  }
  return entry;
}

}  // namespace shuntfs::mount_test
