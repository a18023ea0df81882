// LOOKUP, FORGET, BATCH_FORGET.
#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {

namespace {

// A reference to an inode, given back at the end.
class HeldInode {
 public:
  HeldInode(InodeTable& inodes, Inode* inode) : inodes_(inodes), inode_(inode) {}
  ~HeldInode() {
    if (inode_ != nullptr) inodes_.Release(inode_);
  }
  HeldInode(const HeldInode&) = delete;
  HeldInode& operator=(const HeldInode&) = delete;
  Inode* get() const { return inode_; }

 private:
  InodeTable& inodes_;
  Inode* const inode_;
};

Action ReplyHeld(FileSystem& fs, Call& call, Inode* inode) {
  const Result<FileStatus> status = fs.inodes().Status(inode);
  if (!status.ok()) return Action::Error(status.error());
  fs.inodes().CountLookup(inode);
  return ReplyWith(call, EntryOf(fs, *inode, *status));
}

// The entry of an inode that the kernel knows by a file handle: of the inode itself (".") or of its
// directory ("..").
Action LookupByHandle(FileSystem& fs, Call& call, bool parent) {
  const HeldInode inode(fs.inodes(), fs.inodes().Hold(call.request.nodeid()));
  if (inode.get() == nullptr) return Action::Error(Errno(ESTALE));
  if (inode.get()->device().may_block && !call.may_block) return Action::Offload();
  if (!parent) return ReplyHeld(fs, call, inode.get());
  const HeldInode above(fs.inodes(), fs.inodes().ParentOf(inode.get()));
  if (above.get() == nullptr) return Action::Error(Errno(ESTALE));
  return ReplyHeld(fs, call, above.get());
}

}  // namespace

Action OpLookup(FileSystem& fs, Call& call) {
  const Result<std::string_view> given = PayloadReader(call.request.payload).String();
  if (given.ok() && (*given == "." || *given == ".."))
    return LookupByHandle(fs, call, /*parent=*/*given == "..");
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  if (parent->device().may_block && !call.may_block) return Action::Offload();
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  if (const Outcome entered = fs.inodes().Enter(parent); !entered.ok())
    return Action::Error(entered.error());
  std::optional<Result<abi::EntryOut>> found;
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    found = LookupEntry(fs, call, parent, directory->get(), name->data());
  }
  if (!found) return Action::Offload(WaitsFor::kServer);
  const Result<abi::EntryOut>& entry = *found;
  if (entry.ok()) return ReplyWith(call, *entry);
  const CacheTimeout timeout = fs.timeouts().negative;
  if (entry.error() == Errno(ENOENT) && !timeout.zero()) {
    abi::EntryOut nothing{};  // nodeid 0: the kernel may remember that there is no such name
    nothing.entry_valid = timeout.seconds;
    nothing.entry_valid_nsec = timeout.nanoseconds;
    return ReplyWith(call, nothing);
  }
  return Action::Error(entry.error());
}

Action OpForget(FileSystem& fs, Call& call) {
  if (!fs.inodes().Forget(call.request.nodeid(), call.request.As<abi::ForgetIn>().nlookup))
    call.counters.odd_forgets.Add();
  return Action::NoReply();
}

Action OpBatchForget(FileSystem& fs, Call& call) {
  const auto in = call.request.As<abi::BatchForgetIn>();
  std::span<const std::byte> rest = call.request.payload;
  for (uint32_t i = 0; i < in.count && rest.size() >= sizeof(abi::ForgetOne); ++i) {
    abi::ForgetOne one;
    std::memcpy(&one, rest.data(), sizeof(one));
    rest = rest.subspan(sizeof(one));
    if (!fs.inodes().Forget(NodeId(one.nodeid), one.nlookup)) call.counters.odd_forgets.Add();
  }
  return Action::NoReply();
}

}  // namespace shuntfs
