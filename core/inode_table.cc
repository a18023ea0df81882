#include "core/inode_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

constexpr size_t kSmallTable = 255;

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

InodeKey InodeKey::Of(const FileStatus& status, const BackingDevice& device, int dir_fd,
                      const char* name) {
  InodeKey key;
  key.file_system = device.id;
  key.ino = status.stx_ino;
  key.type = status.stx_mode & S_IFMT;
  if (device.birth_changes) return key;
  if ((status.stx_mask & STATX_BTIME) != 0) {
    key.birth_ns = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  } else if (device.has_handles) {
    const Result<SourceHandle> handle = SourceHandle::Of(dir_fd, name);
    if (handle.ok()) key.handle_hash = handle->Hash() | 1;
  }
  return key;
}

namespace {

// The span within which two changes can leave a file the same times. The kernel's clock ticks every
// 10 ms at most (HZ=100). File systems that store whole seconds (ext4 with inodes of 128 bytes), or
// every other one (vfat), show no nanoseconds.
int64_t TimeGranularityNs(const FileStatus& status) {
  constexpr int64_t kTickNs = 20'000'000;
  constexpr int64_t kWholeSecondsNs = 2'000'000'000;
  return status.stx_ctime.tv_nsec == 0 ? kWholeSecondsNs + kTickNs : kTickNs;
}

}  // namespace

bool Inode::UnchangedSinceLastOpen(const FileStatus& status) {
  if (device_->may_block) return false;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const int64_t age_ns = (now.tv_sec - status.stx_ctime.tv_sec) * 1'000'000'000 + now.tv_nsec -
                         status.stx_ctime.tv_nsec;
  const uint64_t stamp =
      absl::HashOf(status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec, status.stx_mtime.tv_sec,
                   status.stx_mtime.tv_nsec, status.stx_size) |
      1;
  return content_stamp_.exchange(age_ns > TimeGranularityNs(status) ? stamp : 0,
                                 std::memory_order_relaxed) == stamp;
}

// ---- PathFd ----

PathFd::PathFd(PathFd&& other) noexcept
    : lender_(std::exchange(other.lender_, nullptr)),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::move(other.owned_)) {}

PathFd& PathFd::operator=(PathFd&& other) noexcept {
  PathFd old(std::move(*this));
  lender_ = std::exchange(other.lender_, nullptr);
  fd_ = std::exchange(other.fd_, -1);
  owned_ = std::move(other.owned_);
  return *this;
}

PathFd::~PathFd() {
  if (lender_ != nullptr) lender_->path_fd_.GiveBack();
}

// ---- the table ----

InodeTable::InodeTable(UniqueFd root, const FileStatus& root_status, DeviceTable& devices,
                       const Options& options)
    : devices_(devices),
      path_fd_limit_(options.path_fd_limit),
      opens_handles_(options.opens_handles),
      remembered_(options.remembered_limit) {
  root_ = new Inode();
  root_->device_ = devices.AddOwn(root_status, root.get());
  root_->key_ = InodeKey::Of(root_status, *root_->device_, root.get(), "");
  CHECK(root_->path_fd_.Install(root.release()));
  root_->path_fd_.GiveBack();
  root_->path_fd_.SetPin(Pin::kAlways);
  root_->refs_ = 1;
  held_count_ = 1;
  root_->nodeid_ = NodeId(slots_.Insert(root_));
  CHECK(root_->nodeid_ == kRootNodeId);
  ShardOf(root_->key_).inodes.emplace(root_->key_, root_);
  path_fds_ = 1;
}

InodeTable::~InodeTable() {
  const uint32_t end = slots_.end();
  for (uint32_t index = 1; index < end; ++index) {
    slots_.VisitSlot(index, [](Inode* inode) {
      UniqueFd(inode->path_fd_.TakeAll()).reset();
      delete inode;
    });
  }
}

Inode* InodeTable::Lookup(const FileStatus& status, const DeviceRef& device, Inode* parent,
                          const char* name, int fd, bool is_file) {
  const char* const below_fd = is_file ? "" : name;
  const InodeKey key = InodeKey::Of(status, *device, fd, below_fd);
  const Found found = FindOrInsert(key, status, device, parent, name);
  if (found.made && opens_handles_ && device->has_handles) {
    // If it is another file's by now, it leads to no inode of this key and is not used.
    Result<SourceHandle> handle = SourceHandle::Of(fd, below_fd);
    if (handle.ok())
      found.inode->handle_.store(new SourceHandle(std::move(*handle)), std::memory_order_release);
  }
  return found.inode;
}

Inode* InodeTable::LookupNameless(const FileStatus& status, const DeviceRef& device,
                                  UniqueFd path_fd) {
  const InodeKey key = InodeKey::Of(status, *device, path_fd.get(), "");
  Inode* inode = FindOrInsert(key, status, device, nullptr, {}).inode;
  if (inode == nullptr) return nullptr;
  inode->path_fd_.SetPin(Pin::kAlways);
  PathFd installed = Install(inode, std::move(path_fd));
  return inode;
}

InodeTable::Found InodeTable::FindOrInsert(const InodeKey& key, const FileStatus& status,
                                           const DeviceRef& device, Inode* parent,
                                           std::string_view name) {
  Inode* old_parent = nullptr;
  Inode* inode = nullptr;
  bool made = false;
  bool moves = false;
  {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto [place, inserted] = shard.inodes.try_emplace(key, nullptr);
    made = inserted;
    if (inserted) {
      inode = new Inode();
      inode->key_ = key;
      inode->device_ = device;
      inode->nodeid_ = NodeId(slots_.Insert(inode));
      if (inode->nodeid_.value() == 0) {
        shard.inodes.erase(place);
        delete inode;
        return {};
      }
      place->second = inode;
    }
    inode = place->second;
    AddLookup(inode);
    // A new inode is not an ancestor of any other yet.
    moves =
        !inserted && parent != nullptr && inode->key_.type == S_IFDIR && inode->parent_ != parent;
    const bool has_names = inode->key_.type != S_IFDIR && status.stx_nlink > 1;
    if (parent != nullptr && !moves) old_parent = SetLocation(inode, parent, name, has_names);
  }
  if (moves) MoveDirectory(inode, parent, name);
  if (old_parent != nullptr) Drop(old_parent, 1);
  if (parent != nullptr) ReconsiderPin(inode);
  inode->NoteMode(status.stx_mode);
  return {inode, made};
}

// `parent` is alive: the caller, or the kernel for the caller, holds it.
Inode* InodeTable::SetLocation(Inode* inode, Inode* parent, std::string_view name,
                               bool keep_other) {
  CHECK(name.size() <= kNameMax);
  if (inode == root_ || (inode->parent_ == parent && inode->name_ == name)) return nullptr;
  parent->refs_.fetch_add(1, std::memory_order_relaxed);
  InodeLocation old{std::exchange(inode->parent_, parent), std::move(inode->name_)};
  inode->name_.assign(name);
  if (keep_other && old.parent != nullptr) {
    if (inode->other_ == nullptr) inode->other_ = std::make_unique<InodeLocation>();
    std::swap(*inode->other_, old);
  }
  return old.parent;
}

bool InodeTable::LoseLocation(Inode* inode, const Inode* parent, std::string_view name) {
  Inode* released = nullptr;
  bool lost = false;
  {
    const std::lock_guard lock(ShardOf(inode->key_).mutex);
    lost = inode->parent_ == parent && inode->name_ == name;
    const bool had_other = inode->other_ != nullptr;
    if (lost && had_other) {
      released = std::exchange(inode->parent_, inode->other_->parent);
      inode->name_ = std::move(inode->other_->name);
      inode->other_.reset();
    } else if (had_other && inode->other_->parent == parent && inode->other_->name == name) {
      released = inode->other_->parent;
      inode->other_.reset();
    }
  }
  if (released != nullptr) Drop(released, 1);
  return lost;
}

// Only under `moves_mutex_` does a directory get another parent, so the chain that is walked here
// stays as it is, and each member is held by the one below it.
void InodeTable::MoveDirectory(Inode* inode, Inode* parent, std::string_view name) {
  if (inode == root_ || inode == parent) return;
  Inode* released[2] = {nullptr, nullptr};
  {
    const std::lock_guard moving(moves_mutex_);
    for (Inode* at = parent; at != nullptr;) {
      const std::lock_guard lock(ShardOf(at->key_).mutex);
      if (at->parent_ != inode) {
        at = at->parent_;
        continue;
      }
      // SRC has moved it out of `inode` since, or `inode` could not be found below it now.
      released[0] = std::exchange(at->parent_, nullptr);
      at->path_fd_.SetPin(Pin::kPreferred);
      break;
    }
    const std::lock_guard lock(ShardOf(inode->key_).mutex);
    released[1] = SetLocation(inode, parent, name, /*keep_other=*/false);
  }
  for (Inode* old_parent : released) {
    if (old_parent != nullptr) Drop(old_parent, 1);
  }
}

// The name is looked up once more: the lookup that set the location may have seen the entry before
// a removal that has pinned the descriptor.
void InodeTable::ReconsiderPin(Inode* inode) {
  if (inode == root_ || inode->path_fd_.pin() == Pin::kNone) return;
  const uint32_t version = inode->path_fd_.version();
  char name[kNameMax + 1];
  Inode* parent = LocationOf(inode, name);
  if (parent == nullptr) return;
  bool found = false;
  {
    const Result<PathFd> directory = Open(parent);
    if (directory.ok()) {
      const Result<FileStatus> status = StatusAt(directory->get(), name, AT_STATX_DONT_SYNC);
      found = status.ok() && Verify(inode, *status, directory->get(), name).ok();
    }
  }
  Release(parent);
  if (found) inode->path_fd_.Unpin(version);
}

void InodeTable::MovedTo(Inode* inode, Inode* parent, std::string_view name) {
  Inode* old_parent = nullptr;
  bool moves = false;
  {
    const std::lock_guard lock(ShardOf(inode->key_).mutex);
    moves = inode->key_.type == S_IFDIR && inode->parent_ != parent;
    if (!moves) old_parent = SetLocation(inode, parent, name, /*keep_other=*/false);
  }
  if (moves) MoveDirectory(inode, parent, name);
  if (old_parent != nullptr) Drop(old_parent, 1);
  ReconsiderPin(inode);
}

// While the table of slots keeps the inode from being removed, a reference is added if there is one
// left: without any, somebody is about to free it.
Inode* InodeTable::Hold(NodeId nodeid) {
  Inode* held = nullptr;
  slots_.VisitId(nodeid.value(), [&held](Inode* inode) {
    uint64_t refs = inode->refs_.load(std::memory_order_relaxed);
    while (refs != 0 && !inode->refs_.compare_exchange_weak(refs, refs + 1)) {
    }
    if (refs != 0) held = inode;
  });
  return held;
}

void InodeTable::AddLookup(Inode* inode) {
  if (inode->nlookup_++ == 0) held_count_.fetch_add(1, std::memory_order_relaxed);
  inode->refs_.fetch_add(1, std::memory_order_relaxed);
}

void InodeTable::CountLookup(Inode* inode) {
  if (inode == root_) return;
  const std::lock_guard lock(ShardOf(inode->key_).mutex);
  AddLookup(inode);
}

Inode* InodeTable::ParentOf(Inode* inode) {
  if (inode == root_) return nullptr;
  if (StatusByLocation(inode).ok()) {
    char name[kNameMax + 1];
    return LocationOf(inode, name);
  }
  // It was moved in SRC: what is above it now counts if the kernel holds that, so that nothing
  // outside SRC is reached.
  const Result<PathFd> path = Open(inode);
  if (!path.ok()) return nullptr;
  const Result<FileStatus> status = StatusAt(path->get(), "..");
  if (!status.ok()) return nullptr;
  const Result<DeviceRef> device = devices_.Find(*status, path->get(), "..");
  return device.ok() ? FindHeld(*status, **device, path->get(), "..") : nullptr;
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
  if (drop > 0) DropLookups(inode, drop);
  return counted;
}

void InodeTable::DropLookups(Inode* inode, uint64_t count) {
  bool remembers = false;
  {
    const std::lock_guard lock(ShardOf(inode->key_).mutex);
    // Two FORGETs at once can name more than there are; what is too much is dropped.
    count = std::min(count, inode->nlookup_);
    if (count == 0) return;
    inode->nlookup_ -= count;
    if (inode->nlookup_ == 0) {
      held_count_.fetch_sub(1, std::memory_order_relaxed);
      // A file that has no name any more is let go, with its descriptor.
      remembers = !inode->remembered_ && inode->key_.outlives_the_number() &&
                  inode->path_fd_.pin() != Pin::kAlways;
      if (remembers) {
        inode->remembered_ = true;
        inode->refs_.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }
  if (remembers) Remember(inode);
  Drop(inode, count);
}

void InodeTable::Remember(Inode* inode) {
  // The first call notes that it is idle, the second takes it.
  for (int round = 0; round < 2; ++round) {
    const int fd = inode->path_fd_.TakeIdle(Pin::kPreferred);
    if (fd < 0) continue;
    closer_.Close(UniqueFd(fd));
    path_fds_.fetch_sub(1, std::memory_order_relaxed);
  }
  const NodeId oldest = remembered_.Add(inode->nodeid_);
  if (oldest.value() == 0) return;
  Inode* gone = Find(oldest);
  {
    const std::lock_guard lock(ShardOf(gone->key_).mutex);
    gone->remembered_ = false;
  }
  Release(gone);
}

void InodeTable::Drop(Inode* inode, uint64_t count) {
  while (inode != nullptr) {
    Inode* parent = nullptr;
    Inode* other_parent = nullptr;
    {
      Shard& shard = ShardOf(inode->key_);
      const std::lock_guard lock(shard.mutex);
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
      if (inode->other_ != nullptr) other_parent = inode->other_->parent;
    }
    // Only files have another location, and no file is a parent: this goes no deeper.
    if (other_parent != nullptr) Drop(other_parent, 1);
    slots_.Remove(inode->nodeid_.value());
    const int fd = inode->path_fd_.TakeAll();
    if (fd >= 0) {
      closer_.Close(UniqueFd(fd));
      path_fds_.fetch_sub(1, std::memory_order_relaxed);
    }
    delete inode;
    inode = parent;
    count = 1;
  }
}

Inode* InodeTable::FindHeld(const FileStatus& status, const BackingDevice& device, int dir_fd,
                            const char* name) {
  const InodeKey key = InodeKey::Of(status, device, dir_fd, name);
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.inodes.find(key);
  if (found == shard.inodes.end() || (found->second->nlookup_ == 0 && found->second != root_))
    return nullptr;
  found->second->refs_.fetch_add(1, std::memory_order_relaxed);
  return found->second;
}

Inode* InodeTable::BeginRemoval(int parent_fd, const char* name, UniqueFd* other) {
  Result<UniqueFd> fd = OpenPath(parent_fd, name);
  while (!fd.ok() && IsFull(fd.error()) && EvictPathFds() > 0) fd = OpenPath(parent_fd, name);
  if (!fd.ok()) return nullptr;
  const Result<FileStatus> status = StatusOf(fd->get(), AT_STATX_DONT_SYNC);
  if (!status.ok()) return nullptr;
  const Result<DeviceRef> device = devices_.Find(*status, fd->get(), "");
  if (!device.ok()) return nullptr;
  Inode* inode = FindHeld(*status, **device, fd->get(), "");
  if (inode != nullptr && !inode->path_fd_.BeginRemoval()) Release(std::exchange(inode, nullptr));
  if (inode == nullptr) {
    *other = std::move(*fd);
    return nullptr;
  }
  if (!inode->path_fd_.has_fd()) PathFd kept = Install(inode, std::move(*fd));
  return inode;
}

void InodeTable::EndRemoval(Inode* inode, bool removed, const Inode* parent,
                            std::string_view name) {
  Pin pin = Pin::kNone;
  if (removed) {
    bool last = inode->key_.type == S_IFDIR;
    if (!last) {
      const Result<FileStatus> status = Status(inode);
      last = !status.ok() || status->stx_nlink == 0;
    }
    if (last) {
      pin = Pin::kAlways;
    } else if (LoseLocation(inode, parent, name)) {
      pin = Pin::kPreferred;
    }
  }
  inode->path_fd_.EndRemoval(pin);
  if (pin == Pin::kPreferred) ReconsiderPin(inode);
  Release(inode);
}

// ---- ways to an inode ----

Result<PathFd> InodeTable::Open(Inode* inode) {
  const int fd = inode->path_fd_.Borrow();
  if (fd >= 0) return PathFd(inode, fd);
  Result<PathFd> path = OpenByLocation(inode);
  if (!path.ok() && path.error() == Errno(ESTALE)) return OpenElsewhere(inode);
  return path;
}

void InodeTable::AddOpenFd(Inode* inode, int fd) {
  const std::lock_guard lock(ShardOf(inode->key_).mutex);
  if (inode->open_fds_ == nullptr) inode->open_fds_ = std::make_unique<std::vector<int>>();
  inode->open_fds_->push_back(fd);
}

void InodeTable::RemoveOpenFd(Inode* inode, int fd) {
  const std::lock_guard lock(ShardOf(inode->key_).mutex);
  if (inode->open_fds_ == nullptr) return;
  const auto at = std::find(inode->open_fds_->begin(), inode->open_fds_->end(), fd);
  if (at == inode->open_fds_->end()) return;
  *at = inode->open_fds_->back();
  inode->open_fds_->pop_back();
  if (inode->open_fds_->empty()) inode->open_fds_.reset();
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
  const int fd = inode->path_fd_.Borrow();
  if (fd >= 0) {
    const PathFd borrowed(inode, fd);
    return StatusOf(fd);
  }
  Result<FileStatus> status = StatusByLocation(inode);
  if (status.ok() || status.error() != Errno(ESTALE)) return status;
  const Result<PathFd> path = OpenElsewhere(inode);
  if (!path.ok()) return path.error();
  return StatusOf(path->get());
}

Outcome InodeTable::Enter(Inode* directory) {
  if (!directory->device_->mounts_on_demand) return Ok();
  char name[kNameMax + 1];
  Inode* parent = LocationOf(directory, name);
  if (parent == nullptr) return Ok();
  Result<FileStatus> status = Errno(ESTALE);
  {
    const Result<PathFd> above = Open(parent);
    if (above.ok()) {
      // O_DIRECTORY is what makes the kernel mount (fs/namei.c, follow_automount).
      const UniqueFd entered(openat(above->get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
      status = entered.valid() ? StatusOf(entered.get()) : Result<FileStatus>(Errno::Last());
    }
  }
  Release(parent);
  if (!status.ok()) return status.error();
  return devices_.IsOf(*directory->device_, *status) ? Ok() : Errno(ESTALE);
}

Result<FileStatus> InodeTable::StatusByLocation(Inode* inode) {
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
  const InodeKey key = InodeKey::Of(status, *inode->device_, dir_fd, name);
  return key == inode->key_ ? Ok() : Errno(ESTALE);
}

Result<PathFd> InodeTable::OpenByLocation(Inode* inode) {
  struct Step {
    Inode* inode;
    Inode* parent;  // with a reference
    std::string name;
  };
  std::vector<Step> steps;  // from the inode upwards
  Result<PathFd> reached = Errno(ESTALE);
  for (Inode* at = inode; !reached.ok(); at = steps.back().parent) {
    char name[kNameMax + 1];
    Inode* parent = LocationOf(at, name);
    if (parent == nullptr) break;
    steps.push_back({at, parent, name});
    if (const int fd = parent->path_fd_.Borrow(); fd >= 0) reached = PathFd(parent, fd);
  }
  for (auto step = steps.rbegin(); step != steps.rend() && reached.ok(); ++step) {
    Result<PathFd> next = OpenStep(step->inode, reached->get(), step->name.c_str());
    reached = std::move(next);
  }
  for (const Step& step : steps) Release(step.parent);
  return reached;
}

Result<PathFd> InodeTable::OpenStep(Inode* inode, int parent_fd, const char* name) {
  Result<UniqueFd> fd = OpenPath(parent_fd, name);
  while (!fd.ok() && IsFull(fd.error()) && EvictPathFds() > 0) fd = OpenPath(parent_fd, name);
  if (!fd.ok()) return MovedAway(fd.error());
  const Result<FileStatus> status = StatusOf(fd->get());
  if (!status.ok()) return status.error();
  const Outcome same = Verify(inode, *status, fd->get(), "");
  if (!same.ok()) return same.error();
  return Install(inode, std::move(*fd));
}

Result<PathFd> InodeTable::OpenElsewhere(Inode* inode) {
  Result<UniqueFd> fd = OpenByOpenFd(inode);
  if (!fd.ok()) fd = OpenByHandle(inode);
  if (!fd.ok()) return IsFull(fd.error()) ? fd.error() : Errno(ESTALE);
  const Result<FileStatus> status = StatusOf(fd->get());
  if (!status.ok()) return status.error();
  const Outcome same = Verify(inode, *status, fd->get(), "");
  if (!same.ok()) return same.error();
  return Install(inode, std::move(*fd));
}

Result<UniqueFd> InodeTable::OpenByOpenFd(Inode* inode) {
  const std::lock_guard lock(ShardOf(inode->key_).mutex);
  if (inode->open_fds_ == nullptr) return Errno(ESTALE);
  // Not a duplicate: it would keep the file open for writing when its user has closed it.
  const int fd =
      openat(ProcFdDirectory(), FdName(inode->open_fds_->back()).c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return Errno::Last();
  return UniqueFd(fd);
}

Result<UniqueFd> InodeTable::OpenByHandle(Inode* inode) {
  const SourceHandle* handle = inode->handle_.load(std::memory_order_acquire);
  if (handle == nullptr) return Errno(ESTALE);
  const Result<PathFd> directory = DirectoryOnMountOf(inode);
  if (!directory.ok()) return directory.error();
  Result<UniqueFd> fd = handle->Open(directory->get());
  while (!fd.ok() && IsFull(fd.error()) && EvictPathFds() > 0) fd = handle->Open(directory->get());
  return fd;
}

Result<PathFd> InodeTable::DirectoryOnMountOf(Inode* inode) {
  const uint64_t mount_id = inode->device_->mount_id;
  if (mount_id == root_->device_->mount_id) return Open(root_);
  char name[kNameMax + 1];
  Inode* top = nullptr;  // with a reference
  Inode* at = LocationOf(inode, name);
  while (at != nullptr && at->device_->mount_id == mount_id) {
    if (top != nullptr) Release(top);
    top = at;
    at = LocationOf(top, name);
  }
  if (at != nullptr) Release(at);
  if (top == nullptr) return Errno(ESTALE);
  const int borrowed = top->path_fd_.Borrow();
  Result<UniqueFd> fd = Errno(ESTALE);
  {
    Result<PathFd> path = borrowed >= 0 ? PathFd(top, borrowed) : OpenByLocation(top);
    fd = path.ok() ? OpenPath(path->get(), ".") : path.error();
  }
  Release(top);
  if (!fd.ok()) return fd.error();
  return PathFd(std::move(*fd));
}

PathFd InodeTable::Install(Inode* inode, UniqueFd fd) {
  const bool full = path_fds_.load(std::memory_order_relaxed) >= path_fd_limit_;
  if (full && EvictPathFds() == 0 && !inode->path_fd_.must_keep()) return PathFd(std::move(fd));
  if (inode->path_fd_.Install(fd.get())) {
    path_fds_.fetch_add(1, std::memory_order_relaxed);
    cached_.Add(inode->nodeid_);
    cached_.Arm();
    return PathFd(inode, fd.release());
  }
  const int borrowed = inode->path_fd_.Borrow();  // another thread was first
  if (borrowed >= 0) return PathFd(inode, borrowed);
  return PathFd(std::move(fd));
}

int InodeTable::EvictPathFds() {
  const int evicted = EvictPathFds(Pin::kNone);
  return evicted > 0 ? evicted : EvictPathFds(Pin::kPreferred);
}

// An unused descriptor that was used since the last round gets another round.
int InodeTable::EvictPathFds(Pin weakest) {
  int evicted = 0;
  for (size_t step = 2 * cached_.size(); step > 0 && evicted < kPathFdEvictBatch; --step) {
    const NodeId nodeid = cached_.Take();
    if (nodeid.value() == 0) break;
    const Aged aged = Age(nodeid, weakest);
    if (aged.fd >= 0) ++evicted;
    if (aged.cached) cached_.Add(nodeid);
  }
  return evicted;
}

void InodeTable::CloseIdlePathFds() {
  cached_.Disarm();
  bool more = false;
  for (size_t left = cached_.size(); left > 0; --left) {
    const NodeId nodeid = cached_.Take();
    if (nodeid.value() == 0) break;
    const Aged aged = Age(nodeid, Pin::kNone);
    if (!aged.cached) continue;
    cached_.Add(nodeid);
    more = more || !aged.pinned;
  }
  if (more) cached_.Arm();
}

InodeTable::Aged InodeTable::Age(NodeId nodeid, Pin weakest) {
  Aged aged;
  slots_.VisitId(nodeid.value(), [weakest, &aged](Inode* inode) {
    aged.fd = inode->path_fd_.TakeIdle(weakest);
    aged.cached = inode->path_fd_.has_fd();
    aged.pinned = inode->path_fd_.pin() != Pin::kNone;
  });
  if (aged.fd >= 0) {
    closer_.Close(UniqueFd(aged.fd));
    path_fds_.fetch_sub(1, std::memory_order_relaxed);
  }
  return aged;
}

}  // namespace shuntfs
