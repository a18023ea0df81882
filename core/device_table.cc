#include "core/device_table.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

namespace shuntfs {
namespace {

struct Kind {
  std::string_view type;
  IoPolicy read;
  IoPolicy write;
};

// File systems of local disks and memory, which answer in bounded time. Reads: ext4, xfs, btrfs and
// f2fs serve cached data inline in the ring and go to a kernel worker only for the disk; tmpfs
// would go to one always. Writes: only xfs and btrfs write to the page cache without waiting
// (FOP_BUFFER_WASYNC); all others would be handed to a kernel worker each time.
constexpr Kind kLocal[] = {
    {"ext4", IoPolicy::kFixed, IoPolicy::kPlain},
    {"ext3", IoPolicy::kFixed, IoPolicy::kPlain},
    {"ext2", IoPolicy::kFixed, IoPolicy::kPlain},
    {"xfs", IoPolicy::kFixed, IoPolicy::kFixed},
    {"btrfs", IoPolicy::kFixed, IoPolicy::kFixed},
    {"f2fs", IoPolicy::kFixed, IoPolicy::kPlain},
    {"tmpfs", IoPolicy::kPlain, IoPolicy::kPlain},
    {"ramfs", IoPolicy::kPlain, IoPolicy::kPlain},
    {"rootfs", IoPolicy::kPlain, IoPolicy::kPlain},
    {"overlay", IoPolicy::kFixed, IoPolicy::kPlain},
    {"vfat", IoPolicy::kFixed, IoPolicy::kPlain},
    {"exfat", IoPolicy::kFixed, IoPolicy::kPlain},
    {"zfs", IoPolicy::kFixed, IoPolicy::kPlain},
    {"bcachefs", IoPolicy::kFixed, IoPolicy::kPlain},
    {"ntfs3", IoPolicy::kFixed, IoPolicy::kPlain},
    {"iso9660", IoPolicy::kFixed, IoPolicy::kPlain},
    {"squashfs", IoPolicy::kFixed, IoPolicy::kPlain},
    {"erofs", IoPolicy::kFixed, IoPolicy::kPlain},
};

// The kernel's FUSE, with the subtype that a mount may have.
bool IsFuse(const std::string& fs_type) {
  const std::string kind = fs_type.substr(0, fs_type.find('.'));
  return kind == "fuse" || kind == "fuseblk" || fs_type == "virtiofs";
}

IoPolicy Decide(PolicyWish wish, IoPolicy by_kind) {
  if (wish == PolicyWish::kAuto) return by_kind;
  return wish == PolicyWish::kFixed ? IoPolicy::kFixed : IoPolicy::kPlain;
}

}  // namespace

BackingDevice ClassifyFileSystem(const std::string& fs_type, PolicyWish read, PolicyWish write) {
  BackingDevice device;
  const auto* kind = std::find_if(std::begin(kLocal), std::end(kLocal),
                                  [&fs_type](const Kind& k) { return k.type == fs_type; });
  const bool local = kind != std::end(kLocal);
  device.may_block = !local;
  device.in_memory = fs_type == "tmpfs";
  device.wants_flush = !local;  // close(2) of a network file system reports late write errors
  device.writes_by_call = IsFuse(fs_type);
  // What may block goes to a kernel worker, whatever was asked for: a pread on the thread would
  // stop its CPU.
  device.read = local ? Decide(read, kind->read) : IoPolicy::kFixed;
  device.write = local ? Decide(write, kind->write) : IoPolicy::kFixed;
  return device;
}

std::string MountTypeOf(uint64_t mount_id) {
  std::ifstream table("/proc/self/mountinfo");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    uint64_t id = 0;
    if (!(fields >> id) || id != mount_id) continue;
    std::string field;
    while (fields >> field) {
      if (field == "-" && fields >> field) return field;
    }
  }
  return "";
}

const BackingDevice* DeviceTable::FindOrAdd(dev_t dev, uint64_t mount_id) {
  size_t count = count_.load(std::memory_order_acquire);
  for (size_t i = 0; i < count; ++i) {
    if (devices_[i].dev == dev) return &devices_[i];
  }
  BackingDevice added = ClassifyFileSystem(MountTypeOf(mount_id), read_, write_);
  const std::lock_guard lock(mutex_);
  count = count_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) {
    if (devices_[i].dev == dev) return &devices_[i];
  }
  if (count == kMaxDevices) return &devices_.back();
  added.dev = dev;
  added.index = static_cast<uint32_t>(count);
  if (count == kMaxDevices - 1) added.may_block = true;
  devices_[count] = added;
  count_.store(count + 1, std::memory_order_release);
  return &devices_[count];
}

}  // namespace shuntfs
