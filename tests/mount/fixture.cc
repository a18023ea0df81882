#include "tests/mount/fixture.h"

#include <sys/mount.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {
namespace {

constexpr int kTestSeconds = 300;
constexpr char kEnableRing[] = "/sys/module/fuse/parameters/enable_uring";
// Larger files are compared by size alone.
constexpr off_t kComparedBytes = 1 << 20;

// What may still come through /dev/fuse when the ring is ready.
const char* const kDeviceOperations[] = {"INIT", "FORGET", "BATCH_FORGET", "INTERRUPT", "DESTROY"};

std::string ListXattrs(const std::string& path) {
  std::string names(1 << 16, '\0');
  const ssize_t size = llistxattr(path.c_str(), names.data(), names.size());
  std::set<std::string> sorted;
  for (ssize_t at = 0; at < size;) {
    const std::string name = names.c_str() + at;
    sorted.insert(name);
    at += static_cast<ssize_t>(name.size()) + 1;
  }
  std::string text;
  for (const std::string& name : sorted) {
    text += " " + name + "=" + Xattr(path, name.c_str());
  }
  return text;
}

void DescribeInto(const std::string& root, const std::string& name, std::string* text) {
  const std::string path = root + name;
  *text += (name.empty() ? "." : name) + ": " + Describe(path) + ListXattrs(path);
  const struct stat info = StatOf(path);
  if (S_ISLNK(info.st_mode)) {
    *text += " -> " + Target(path);
  } else if (S_ISREG(info.st_mode) && info.st_size <= kComparedBytes) {
    *text += " content " + std::to_string(std::hash<std::string>()(ReadFile(path)));
  }
  *text += "\n";
  if (S_ISDIR(info.st_mode)) {
    for (const std::string& entry : ListDirectory(path)) {
      DescribeInto(root, name + "/" + entry, text);
    }
  }
}

}  // namespace

std::string DescribeTree(const std::string& root) {
  std::string text;
  DescribeInto(root, "", &text);
  return text;
}

void Ops::SetUp() {
  Watchdog::Arm(kTestSeconds);
  umask(022);
  ASSERT_EQ(Tree().Reset(), "");
  if (OverRing(Config().mode)) {
    std::ofstream(kEnableRing) << "Y";
  }
  Mount(MountOptions());
}

void Ops::TearDown() {
  if (mounted_) {
    Unmount(/*remounting=*/false);
  }
  for (const std::string& target : inside_) {
    EXPECT_EQ(umount2(target.c_str(), MNT_DETACH), 0) << target << ": " << std::strerror(errno);
  }
  inside_.clear();
  EXPECT_FALSE(Watchdog::Fired()) << "the test hung and its mount was aborted";
  Watchdog::Arm(0);
}

void Ops::Remount(const std::string& options) {
  Unmount(/*remounting=*/true);
  if (!HasFatalFailure()) {
    Mount(options);
  }
}

void Ops::MountInside(const std::string& name, const char* type) {
  ASSERT_EQ(mkdir(Src(name).c_str(), 0755), 0) << std::strerror(errno);
  const char* const options = std::strcmp(type, "tmpfs") == 0 ? "size=1m,mode=0755" : nullptr;
  ASSERT_EQ(mount(type, Src(name).c_str(), type, 0, options), 0) << std::strerror(errno);
  inside_.push_back(Src(name));
  if (plain()) {
    // A bind mount does not follow what is mounted later; the daemon does.
    Remount("");
  }
}

void Ops::Mount(const std::string& options) {
  if (plain()) {
    ASSERT_EQ(mount(Src().c_str(), Mnt().c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0)
        << std::strerror(errno);
  } else {
    ASSERT_EQ(daemon_.Start(Src(), Mnt(), options), "");
    before_ = Status();
    ASSERT_EQ(before_.data_path, ModeName(Config().mode)) << daemon_.Log();
  }
  mounted_ = true;
}

void Ops::Unmount(bool remounting) {
  mounted_ = false;
  if (plain()) {
    EXPECT_EQ(umount2(Mnt().c_str(), MNT_DETACH), 0) << std::strerror(errno);
    return;
  }
  // A mount that was made only to be made anew with other options has served nothing.
  if (!remounting || !served_.empty()) {
    CheckServed();
  }
  served_.clear();
  EXPECT_EQ(daemon_.Stop(), "");
}

bool Ops::IsData(const std::vector<std::string>& operations) {
  return std::all_of(operations.begin(), operations.end(), [](const std::string& operation) {
    return operation == "READ" || operation == "WRITE";
  });
}

void Ops::CheckServed() {
  const DaemonStatus after = Status();
  EXPECT_EQ(after.data_path, ModeName(Config().mode));
  const uint64_t ring = after.ring_requests - before_.ring_requests;
  const uint64_t device = after.device_requests - before_.device_requests;
  if (!OverRing(Config().mode)) {
    EXPECT_EQ(after.ring_requests, 0u);
    EXPECT_GT(device, 0u) << "nothing came through /dev/fuse";
  } else {
    uint64_t allowed = 0;
    for (const char* operation : kDeviceOperations) {
      allowed += after.Count(operation) - before_.Count(operation);
    }
    EXPECT_GT(ring, 0u) << "nothing came through the ring";
    EXPECT_LE(device, allowed) << "ordinary requests came through /dev/fuse";
  }
  if (Config().mode == Mode::kZeroCopy &&
      after.Io("zero_copy_read_bytes") + after.Io("zero_copy_write_bytes") > 0) {
    for (const char* copied :
         {"fixed_read_bytes", "fixed_write_bytes", "plain_read_bytes", "plain_write_bytes"}) {
      EXPECT_EQ(after.Io(copied), 0u) << copied << ": file data that was copied";
    }
  }
  if (Config().mode == Mode::kKernel) {
    EXPECT_EQ(after.Count("READ"), 0u) << "the kernel reads by itself";
    EXPECT_EQ(after.Count("WRITE"), 0u) << "the kernel writes by itself";
  }
  for (const std::vector<std::string>& alternatives : served_) {
    if (Config().mode == Mode::kKernel && IsData(alternatives)) {
      continue;
    }
    uint64_t grown = 0;
    std::string names;
    for (const std::string& operation : alternatives) {
      grown += after.Count(operation) - before_.Count(operation);
      names += " " + operation;
    }
    EXPECT_GT(grown, 0u) << "never served:" << names;
  }
}

void Ops::SameAsNative(const std::function<void(const std::string&, Transcript&)>& action) {
  Transcript native;
  Transcript mounted;
  for (int round = 0;; ++round) {
    const std::string name = "same" + std::to_string(round);
    if (Exists(Plain(name))) {
      continue;
    }
    ASSERT_EQ(mkdir(Plain(name).c_str(), 0755), 0);
    ASSERT_EQ(mkdir(Mnt(name).c_str(), 0755), 0);
    action(Plain(name), native);
    action(Mnt(name), mounted);
    EXPECT_EQ(native.text(), mounted.text());
    EXPECT_EQ(DescribeTree(Plain(name)), DescribeTree(Mnt(name)));
    EXPECT_EQ(DescribeTree(Plain(name)), DescribeTree(Src(name)));
    return;
  }
}

DaemonStatus Ops::Status() {
  DaemonStatus status;
  if (!plain()) {
    const std::string problem = daemon_.Status(&status);
    EXPECT_EQ(problem, "");
  }
  return status;
}

uint64_t Ops::Served(const std::string& operation) {
  return Status().Count(operation) - before_.Count(operation);
}

}  // namespace shuntfs::mount_test
