// LOOKUP, FORGET, BATCH_FORGET.
#include "core/ops.h"
#include "core/reply.h"

namespace shuntfs {

Action OpLookup(FileSystem& fs, Call& call) {
  Inode* parent = fs.inodes().Find(call.request.nodeid());
  if (parent == nullptr) return Action::Error(Errno(ESTALE));
  const Result<std::string_view> name = PayloadReader(call.request.payload).Name();
  if (!name.ok()) return Action::Error(name.error());
  std::optional<Result<abi::EntryOut>> found;
  {
    const Result<PathFd> directory = fs.inodes().Open(parent);
    if (!directory.ok()) return Action::Error(directory.error());
    found = LookupEntry(fs, call, parent, directory->get(), name->data());
  }
  if (!found) return Action::Offload();
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
