#include "core/inode_table.h"

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"

namespace shuntfs {
namespace {

constexpr int kFdShift = 32;
constexpr size_t kSmallTable = 255;

int FdIn(uint64_t packed) { return static_cast<int>(packed >> kFdShift) - 1; }
uint64_t Pack(int fd, uint64_t users) {
  return uint64_t(static_cast<uint32_t>(fd + 1)) << kFdShift | users;
}

Result<UniqueFd> OpenPath(int parent_fd, const char* name) {
  const int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Errno::Last();
  return UniqueFd(fd);
}

// A name that is gone, or something else in its place: not the file that the kernel means.
Errno MovedAway(Errno error) {
  return error == Errno(ENOENT) || error == Errno(ENOTDIR) ? Errno(ESTALE) : error;
}

bool IsFull(Errno error) { return error == Errno(EMFILE) || error == Errno(ENFILE); }

}  // namespace

InodeKey InodeKey::Of(const FileStatus& status, const BackingDevice& device) {
  InodeKey key;
  key.file_system = device.id;
  key.ino = status.stx_ino;
  if ((status.stx_mask & STATX_BTIME) != 0) {
    key.birth_ns = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  }
  return key;
}

bool Inode::UnchangedSinceLastOpen(const FileStatus& status) {
  constexpr int64_t kCoarseNs = 20'000'000;  // two ticks of the slowest clock (HZ=100)
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const int64_t age_ns = (now.tv_sec - status.stx_ctime.tv_sec) * 1'000'000'000 + now.tv_nsec -
                         status.stx_ctime.tv_nsec;
  const uint64_t stamp =
      absl::HashOf(status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec, status.stx_mtime.tv_sec,
                   status.stx_mtime.tv_nsec, status.stx_size) |
      1;
  return content_stamp_.exchange(age_ns > kCoarseNs ? stamp : 0, std::memory_order_relaxed) ==
         stamp;
}

// ---- PathFd ----

PathFd::PathFd(PathFd&& other) noexcept
    : lender_(std::exchange(other.lender_, nullptr)),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::move(other.owned_)) {}

PathFd::~PathFd() {
  if (lender_ != nullptr) InodeTable::GiveBack(lender_);
}

// ---- the table ----

InodeTable::InodeTable(UniqueFd root, const FileStatus& root_status, DeviceTable& devices,
                       uint64_t path_fd_limit)
    : devices_(devices), path_fd_limit_(path_fd_limit) {
  root_ = new Inode();
  root_->device_ = devices.AddOwn(root_status, root.get());
  root_->key_ = InodeKey::Of(root_status, *root_->device_);
  root_->type_ = root_status.stx_mode & S_IFMT;
  root_->path_fd_ = Pack(root.release(), 0);
  root_->keep_fd_ = true;
  root_->refs_ = 1;
  root_->nodeid_ = NodeId(slots_.Insert(root_));
  CHECK(root_->nodeid_ == kRootNodeId);
  ShardOf(root_->key_).inodes.emplace(root_->key_, root_);
  path_fds_ = 1;
}

InodeTable::~InodeTable() {
  const uint32_t end = slots_.end();
  for (uint32_t index = 1; index < end; ++index) {
    slots_.VisitSlot(index, [](Inode* inode) {
      UniqueFd(FdIn(inode->path_fd_.load())).reset();
      delete inode;
    });
  }
}

Inode* InodeTable::Lookup(const FileStatus& status, const DeviceRef& device, Inode* parent,
                          std::string_view name) {
  return FindOrInsert(status, device, parent, name);
}

Inode* InodeTable::LookupNameless(const FileStatus& status, const DeviceRef& device,
                                  UniqueFd path_fd) {
  Inode* inode = FindOrInsert(status, device, nullptr, {});
  if (inode == nullptr) return nullptr;
  inode->keep_fd_ = true;
  PathFd installed = Install(inode, std::move(path_fd));
  return inode;
}

Inode* InodeTable::FindOrInsert(const FileStatus& status, const DeviceRef& device, Inode* parent,
                                std::string_view name) {
  const InodeKey key = InodeKey::Of(status, *device);
  Inode* old_parent = nullptr;
  Inode* inode = nullptr;
  {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto [place, inserted] = shard.inodes.try_emplace(key, nullptr);
    if (inserted) {
      inode = new Inode();
      inode->key_ = key;
      inode->type_ = status.stx_mode & S_IFMT;
      inode->device_ = device;
      inode->nodeid_ = NodeId(slots_.Insert(inode));
      if (inode->nodeid_.value() == 0) {
        shard.inodes.erase(place);
        delete inode;
        return nullptr;
      }
      place->second = inode;
    }
    inode = place->second;
    ++inode->nlookup_;
    inode->refs_.fetch_add(1, std::memory_order_relaxed);
    if (parent != nullptr) SetLocation(shard, inode, parent, name, &old_parent);
  }
  if (old_parent != nullptr) Drop(old_parent, 1, false);
  inode->NoteSize(status.stx_size);
  return inode;
}

// The shard's mutex is held. `parent` is alive: the caller, or the kernel for the caller, holds it.
void InodeTable::SetLocation(Shard&, Inode* inode, Inode* parent, std::string_view name,
                             Inode** old_parent) {
  CHECK(name.size() <= kNameMax);
  if (inode == root_ || (inode->parent_ == parent && inode->name_ == name)) return;
  if (inode->parent_ != parent) {
    parent->refs_.fetch_add(1, std::memory_order_relaxed);
    *old_parent = std::exchange(inode->parent_, parent);
  }
  inode->name_.assign(name);
  inode->keep_fd_.store(false, std::memory_order_relaxed);
}

void InodeTable::MovedTo(Inode* inode, Inode* parent, std::string_view name) {
  Inode* old_parent = nullptr;
  {
    Shard& shard = ShardOf(inode->key_);
    const std::lock_guard lock(shard.mutex);
    SetLocation(shard, inode, parent, name, &old_parent);
  }
  if (old_parent != nullptr) Drop(old_parent, 1, false);
}

bool InodeTable::Forget(NodeId nodeid, uint64_t nlookup) {
  Inode* inode = Find(nodeid);
  if (inode == nullptr) return false;
  if (inode == root_) return true;
  uint64_t held;
  {
    const std::lock_guard lock(ShardOf(inode->key_).mutex);
    held = inode->nlookup_;
  }
  const bool counted = nlookup <= held;
  const uint64_t drop = counted ? nlookup : held;
  if (drop > 0) Drop(inode, drop, true);
  return counted;
}

void InodeTable::Drop(Inode* inode, uint64_t count, bool lookups) {
  while (inode != nullptr) {
    Inode* parent = nullptr;
    {
      Shard& shard = ShardOf(inode->key_);
      const std::lock_guard lock(shard.mutex);
      if (lookups) {
        // Two FORGETs at once can name more than there are; what is too much is dropped.
        count = std::min(count, inode->nlookup_);
        inode->nlookup_ -= count;
        if (count == 0) return;
      }
      const uint64_t before = inode->refs_.fetch_sub(count, std::memory_order_acq_rel);
      CHECK(before >= count);
      if (before != count) return;
      shard.inodes.erase(inode->key_);
      // A table keeps its size until told otherwise: what a walk over a large tree took is given
      // back.
      if (shard.inodes.capacity() > kSmallTable &&
          shard.inodes.size() < shard.inodes.capacity() / 8)
        shard.inodes.rehash(0);
      parent = inode->parent_;
    }
    slots_.Remove(inode->nodeid_.value());
    const int fd = FdIn(inode->path_fd_.exchange(0, std::memory_order_acq_rel));
    if (fd >= 0) {
      close(fd);
      path_fds_.fetch_sub(1, std::memory_order_relaxed);
    }
    delete inode;
    inode = parent;
    count = 1;
    lookups = false;
  }
}

Inode* InodeTable::FindHeld(const FileStatus& status, const BackingDevice& device) {
  const InodeKey key = InodeKey::Of(status, device);
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.inodes.find(key);
  if (found == shard.inodes.end()) return nullptr;
  found->second->refs_.fetch_add(1, std::memory_order_relaxed);
  return found->second;
}

Inode* InodeTable::KeepReachable(int parent_fd, const char* name, bool* newly) {
  Result<UniqueFd> fd = OpenPath(parent_fd, name);
  while (!fd.ok() && IsFull(fd.error()) && EvictPathFds() > 0) fd = OpenPath(parent_fd, name);
  if (!fd.ok()) return nullptr;
  const Result<FileStatus> status = StatusOf(fd->get(), AT_STATX_DONT_SYNC);
  if (!status.ok()) return nullptr;
  const Result<DeviceRef> device = devices_.Find(*status, fd->get(), "");
  if (!device.ok()) return nullptr;
  Inode* inode = FindHeld(*status, **device);
  if (inode == nullptr) return nullptr;
  *newly = !inode->keep_fd_.exchange(true, std::memory_order_relaxed);
  if (FdIn(inode->path_fd_.load(std::memory_order_relaxed)) < 0)
    PathFd kept = Install(inode, std::move(*fd));
  return inode;
}

// ---- ways to an inode ----

int InodeTable::Borrow(Inode* inode) {
  uint64_t packed = inode->path_fd_.load(std::memory_order_acquire);
  while (FdIn(packed) >= 0) {
    if (inode->path_fd_.compare_exchange_weak(packed, (packed + 1) | kUsedBit,
                                              std::memory_order_acq_rel))
      return FdIn(packed);
  }
  return -1;
}

void InodeTable::GiveBack(Inode* inode) { inode->path_fd_.fetch_sub(1, std::memory_order_release); }

Result<PathFd> InodeTable::Open(Inode* inode) { return OpenAtDepth(inode, 0); }

Result<PathFd> InodeTable::OpenAtDepth(Inode* inode, int depth) {
  const int fd = Borrow(inode);
  if (fd >= 0) return PathFd(inode, fd);
  return Reopen(inode, depth);
}

Inode* InodeTable::LocationOf(Inode* inode, char* name) {
  Shard& shard = ShardOf(inode->key_);
  const std::lock_guard lock(shard.mutex);
  Inode* parent = inode->parent_;
  if (parent == nullptr) return nullptr;
  parent->refs_.fetch_add(1, std::memory_order_relaxed);
  inode->name_.copy(name, kNameMax);
  name[inode->name_.size()] = '\0';
  return parent;
}

Result<FileStatus> InodeTable::Status(Inode* inode) {
  const int fd = Borrow(inode);
  if (fd >= 0) {
    const PathFd borrowed(inode, fd);
    return StatusOf(fd);
  }
  char name[kNameMax + 1];
  Inode* parent = LocationOf(inode, name);
  if (parent == nullptr) return Errno(ESTALE);
  Result<FileStatus> status = Errno(ESTALE);
  {
    const Result<PathFd> directory = Open(parent);
    status = directory.ok() ? StatusAt(directory->get(), name) : directory.error();
    if (status.ok()) {
      const Outcome same = Verify(inode, *status, directory->get(), name);
      if (!same.ok()) status = same.error();
    }
  }
  Release(parent);
  if (!status.ok()) return MovedAway(status.error());
  return status;
}

Outcome InodeTable::Verify(const Inode* inode, const FileStatus& status, int dir_fd,
                           const char* name) {
  if (!devices_.IsOf(*inode->device_, status)) {
    const Result<DeviceRef> device = devices_.Find(status, dir_fd, name);
    if (!device.ok()) return device.error();
    if (*device != inode->device_) return Errno(ESTALE);
  }
  return InodeKey::Of(status, *inode->device_) == inode->key_ ? Ok() : Errno(ESTALE);
}

Result<PathFd> InodeTable::Reopen(Inode* inode, int depth) {
  if (depth >= kMaxReopenDepth) return Errno(ESTALE);
  char name[kNameMax + 1];
  Inode* parent = LocationOf(inode, name);
  if (parent == nullptr) return Errno(ESTALE);
  Result<UniqueFd> fd = Errno(ESTALE);
  {
    Result<PathFd> parent_fd = OpenAtDepth(parent, depth + 1);
    if (parent_fd.ok()) {
      fd = OpenPath(parent_fd->get(), name);
      while (!fd.ok() && IsFull(fd.error()) && EvictPathFds() > 0)
        fd = OpenPath(parent_fd->get(), name);
    } else {
      fd = parent_fd.error();
    }
  }
  Release(parent);
  if (!fd.ok()) return MovedAway(fd.error());
  const Result<FileStatus> status = StatusOf(fd->get());
  if (!status.ok()) return status.error();
  const Outcome same = Verify(inode, *status, fd->get(), "");
  if (!same.ok()) return same.error();
  return Install(inode, std::move(*fd));
}

PathFd InodeTable::Install(Inode* inode, UniqueFd fd) {
  if (path_fds_.load(std::memory_order_relaxed) >= path_fd_limit_ && EvictPathFds() == 0 &&
      !inode->keep_fd_.load(std::memory_order_relaxed)) {
    return PathFd(std::move(fd));
  }
  uint64_t none = inode->path_fd_.load(std::memory_order_relaxed);
  while (FdIn(none) < 0) {
    if (inode->path_fd_.compare_exchange_weak(none, Pack(fd.get(), 1 | kUsedBit),
                                              std::memory_order_acq_rel)) {
      path_fds_.fetch_add(1, std::memory_order_relaxed);
      return PathFd(inode, fd.release());
    }
  }
  const int borrowed = Borrow(inode);  // another thread was first
  if (borrowed >= 0) return PathFd(inode, borrowed);
  return PathFd(std::move(fd));
}

// A clock: an unused descriptor that was used since the last round gets another round.
int InodeTable::EvictPathFds() {
  const uint32_t end = slots_.end();
  int evicted = 0;
  for (uint64_t step = 0; step < 2ULL * end && evicted < kPathFdEvictBatch; ++step) {
    const uint32_t index = evict_hand_.fetch_add(1, std::memory_order_relaxed) % end;
    int fd = -1;
    slots_.VisitSlot(index, [&fd](Inode* inode) { fd = TakeIdleFd(inode); });
    if (fd < 0) continue;
    close(fd);
    path_fds_.fetch_sub(1, std::memory_order_relaxed);
    ++evicted;
  }
  return evicted;
}

// The descriptor of an inode that nobody uses and that can be reached otherwise; -1 when there is
// none to take.
int InodeTable::TakeIdleFd(Inode* inode) {
  uint64_t packed = inode->path_fd_.load(std::memory_order_relaxed);
  if (FdIn(packed) < 0 || (packed & kUsersMask) != 0 ||
      inode->keep_fd_.load(std::memory_order_relaxed))
    return -1;
  if ((packed & kUsedBit) != 0) {
    inode->path_fd_.compare_exchange_strong(packed, packed & ~kUsedBit, std::memory_order_relaxed);
    return -1;
  }
  if (!inode->path_fd_.compare_exchange_strong(packed, 0, std::memory_order_acq_rel)) return -1;
  return FdIn(packed);
}

}  // namespace shuntfs
