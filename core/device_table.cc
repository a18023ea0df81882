#include "core/device_table.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/sys/pseudo_file_systems.h"
#include "core/sys/source_handle.h"

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

IoPolicy Decide(PolicyWish wish, IoPolicy by_kind) {
  if (wish == PolicyWish::kAuto) return by_kind;
  return wish == PolicyWish::kFixed ? IoPolicy::kFixed : IoPolicy::kPlain;
}

// True for types whose statfs(2) id is stored in the file system. Other types derive it from the
// device number, or make it anew for each mount.
bool HasLastingId(std::string_view fs_type) {
  return fs_type == "ext4" || fs_type == "ext3" || fs_type == "ext2" || fs_type == "btrfs";
}

}  // namespace

BackingDevice ClassifyFileSystem(const std::string& fs_type, PolicyWish read, PolicyWish write) {
  BackingDevice device;
  const auto* kind = std::find_if(std::begin(kLocal), std::end(kLocal),
                                  [&fs_type](const Kind& k) { return k.type == fs_type; });
  const bool local = kind != std::end(kLocal);
  device.may_block = !local;
  device.pseudo = IsPseudoType(fs_type);
  device.type_known = !fs_type.empty();
  device.in_memory = fs_type == "tmpfs";
  device.mounts_on_demand = fs_type == "autofs";
  device.birth_changes = fs_type == "overlay";
  device.may_hash_offsets = fs_type.starts_with("ext") || fs_type == "overlay";
  // An open file cannot be asked, so a type that is not known does without.
  device.zero_copy = local;
  device.wants_flush = !local;  // close(2) of a network file system reports late write errors
  // Data of what may block moves on the slow pool, whatever was asked for.
  device.read = local ? Decide(read, kind->read) : IoPolicy::kFixed;
  device.write = local ? Decide(write, kind->write) : IoPolicy::kFixed;
  return device;
}

DeviceTable::DeviceTable(PolicyWish read, PolicyWish write, std::unique_ptr<MountInfo> mounts)
    : read_(read),
      write_(write),
      mounts_(mounts != nullptr ? std::move(mounts) : std::make_unique<MountInfo>()) {}

bool DeviceTable::Superblock::InUse() const {
  return std::any_of(parts.begin(), parts.end(),
                     [](const auto& part) { return part.second.use_count() > 1; });
}

DeviceRef DeviceTable::AddOwn(const FileStatus& status, int source_fd) {
  const std::lock_guard list_lock(list_mutex_);
  ReadMounts();
  const Result<uint64_t> number = mounts_->NumberInList(source_fd, "", status.stx_mnt_id);
  const auto line = number.ok() ? list_.find(*number) : list_.end();
  const std::lock_guard lock(mutex_);
  own_ = std::make_shared<Superblock>();
  own_->own = true;
  own_->device = DeviceOf(status);
  if (line != list_.end()) {
    own_->device = line->second.device;
    own_->type = line->second.type;
  }
  source_mount_id_ = status.stx_mnt_id;
  known_[source_mount_id_] = {number.ok() ? *number : 0, false, own_};
  source_path_ = mounts_->PathOf(source_fd);
  return AddPart(*own_, status, {0, SourceHandle::Of(source_fd, "").ok()});
}

Result<DeviceRef> DeviceTable::Find(const FileStatus& status, int dir_fd, const char* name) {
  // A number that the kernel uses again counts only as long as no mount has come or gone.
  const bool unique_ids = HasUniqueMountId(status);
  if (unique_ids) {
    if (DeviceRef known = FindKnown(status)) return known;
  }
  const std::lock_guard list_lock(list_mutex_);
  if (mounts_->Changed() || !list_read_) {
    ReadMounts();
    const std::lock_guard lock(mutex_);
    DropGone(unique_ids);
  }
  if (DeviceRef known = FindKnown(status)) return known;
  const Result<uint64_t> number = mounts_->NumberInList(dir_fd, name, status.stx_mnt_id);
  if (!number.ok()) return number.error();
  const auto found = list_.find(*number);
  const MountLine* line = found == list_.end() ? nullptr : &found->second;
  PartFacts facts;
  if (line != nullptr && HasLastingId(line->type))
    facts.file_system_id = mounts_->FileSystemId(dir_fd, name);
  const bool may_block = line == nullptr || ClassifyFileSystem(line->type, read_, write_).may_block;
  facts.has_handles = !may_block && SourceHandle::Of(dir_fd, name).ok();
  const std::lock_guard lock(mutex_);
  // The list has the new mount in place of the one that had the number before.
  bool replaced = false;
  for (auto& [id, mount] : known_) {
    if (mount.number == *number && id != source_mount_id_ && id != status.stx_mnt_id)
      replaced = mount.gone = true;
  }
  if (replaced) DropGone(unique_ids);
  const auto known = known_.find(status.stx_mnt_id);
  if (known != known_.end()) return AddPart(*known->second.superblock, status, facts);
  std::shared_ptr<Superblock> superblock = SuperblockOf(line, status);
  DeviceRef part = AddPart(*superblock, status, facts);
  known_[status.stx_mnt_id] = {*number, line == nullptr, std::move(superblock)};
  return part;
}

// The entry, if its mount is known; null also for a subvolume that is new on a known mount.
DeviceRef DeviceTable::FindKnown(const FileStatus& status) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(status.stx_mnt_id);
  if (known == known_.end()) return nullptr;
  const auto& parts = known->second.superblock->parts;
  const auto part = parts.find({DeviceOf(status), SubvolumeOf(status)});
  return part == parts.end() ? nullptr : part->second;
}

// list_mutex_ is held.
void DeviceTable::ReadMounts() {
  list_.clear();
  for (MountLine& line : mounts_->Read()) {
    const uint64_t id = line.id;
    list_.insert_or_assign(id, std::move(line));
  }
  list_read_ = true;
}

// Both mutexes are held.
bool DeviceTable::IsListed(const Mount& mount) const {
  const auto line = list_.find(mount.number);
  return line != list_.end() && line->second.device == mount.superblock->device &&
         line->second.type == mount.superblock->type;
}

// Both mutexes are held. A mount that was detached while files of it are in use can still be found
// by an id that no other mount will get, if it is the only way to its superblock.
void DeviceTable::DropGone(bool unique_ids) {
  absl::flat_hash_set<const Superblock*> reachable = {own_.get()};
  for (auto& [id, mount] : known_) {
    mount.gone = mount.gone || (id != source_mount_id_ && !IsListed(mount));
    if (!mount.gone) reachable.insert(mount.superblock.get());
  }
  absl::erase_if(known_, [unique_ids, &reachable](const auto& item) {
    const Mount& mount = item.second;
    return mount.gone && (!unique_ids || reachable.contains(mount.superblock.get()) ||
                          !mount.superblock->InUse());
  });
}

// Both mutexes are held. `line` is null for a mount that is not in the list.
std::shared_ptr<DeviceTable::Superblock> DeviceTable::SuperblockOf(const MountLine* line,
                                                                   const FileStatus& status) {
  if (line != nullptr) {
    const auto same = [line](const Superblock& superblock) {
      return superblock.device == line->device && superblock.type == line->type;
    };
    if (same(*own_)) return own_;
    const auto found = std::find_if(known_.begin(), known_.end(), [&same](const auto& item) {
      return !item.second.gone && same(*item.second.superblock);
    });
    if (found != known_.end()) return found->second.superblock;
  }
  auto added = std::make_shared<Superblock>();
  added->device = line != nullptr ? line->device : DeviceOf(status);
  if (line != nullptr) added->type = line->type;
  return added;
}

// Both mutexes are held.
DeviceRef DeviceTable::AddPart(Superblock& superblock, const FileStatus& status,
                               const PartFacts& facts) {
  DeviceRef& part = superblock.parts[{DeviceOf(status), SubvolumeOf(status)}];
  if (part != nullptr) return part;
  auto added = std::make_shared<BackingDevice>(ClassifyFileSystem(superblock.type, read_, write_));
  added->id = next_id_++;
  added->numbers = &numbers_;
  added->mount_id = status.stx_mnt_id;
  added->dev = DeviceOf(status);
  added->subvolume = SubvolumeOf(status);
  // Those of a FUSE file system change when its server forgets an inode.
  added->has_handles = facts.has_handles && !added->may_block;
  const bool is_source = superblock.own && superblock.parts.size() == 1;
  if (!is_source) added->identity = IdentityOf(superblock, facts.file_system_id);
  part = std::move(added);
  return part;
}

// Both mutexes are held.
uint64_t DeviceTable::IdentityOf(const Superblock& superblock, uint64_t file_system_id) const {
  std::string text = superblock.type;
  if (file_system_id == 0) {
    // Of several mounts the first by name, so that the order in which they are seen does not count.
    const std::string* first = nullptr;
    for (const auto& [id, line] : list_) {
      if (line.device == superblock.device && line.type == superblock.type &&
          (first == nullptr || line.point < *first))
        first = &line.point;
    }
    if (first != nullptr) {
      const bool below = first->starts_with(source_path_ + "/");
      text += '\n' + (below ? first->substr(source_path_.size()) : *first);
    }
  }
  uint64_t identity = file_system_id;
  for (size_t at = 0; at < text.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, std::min(sizeof(word), text.size() - at));
    identity = StableHash(identity, word, at);
  }
  const auto taken = [this](uint64_t value) {
    return std::any_of(known_.begin(), known_.end(), [value](const auto& item) {
      const auto& parts = item.second.superblock->parts;
      return !item.second.gone && std::any_of(parts.begin(), parts.end(), [value](const auto& p) {
        return p.second != nullptr && p.second->identity == value;
      });
    });
  };
  while (taken(identity)) ++identity;  // 0 is SRC's own and so is taken
  return identity;
}

}  // namespace shuntfs
