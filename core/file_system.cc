#include "core/file_system.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/caller.h"
#include "core/hidden_spelling.h"
#include "core/ops.h"
#include "core/reply.h"
#include "core/sys/proc_fd.h"
#include "core/sys/pseudo_file_systems.h"

namespace shuntfs {
namespace {

using abi::Opcode;

struct Entry {
  Handler handler = nullptr;
  // The handler only looks up what it was given and leaves the waiting to its transfer, takes no
  // inode at all, or asks for a thread that may block itself.
  bool never_blocks = false;
};

// The one table of operations. What is not here answers ENOSYS, and the kernel does not ask again:
// BMAP, POLL, and the locks, which the kernel keeps itself.
constexpr std::array<Entry, abi::kOpcodeEnd> MakeTable() {
  std::array<Entry, abi::kOpcodeEnd> table{};
  const auto set = [&table](Opcode opcode, Handler handler, bool never_blocks = false) {
    table[static_cast<uint32_t>(opcode)] = {handler, never_blocks};
  };
  set(Opcode::kLookup, OpLookup, true);  // decides itself: the kernel may not hold the inode
  set(Opcode::kForget, OpForget, true);
  set(Opcode::kBatchForget, OpBatchForget, true);
  set(Opcode::kGetattr, OpGetattr);
  set(Opcode::kStatx, OpStatx);
  set(Opcode::kSetattr, OpSetattr);
  set(Opcode::kAccess, OpAccess);
  set(Opcode::kReadlink, OpReadlink);
  set(Opcode::kSymlink, OpSymlink);
  set(Opcode::kMknod, OpMknod);
  set(Opcode::kMkdir, OpMkdir);
  set(Opcode::kUnlink, OpUnlink);
  set(Opcode::kRmdir, OpRmdir);
  set(Opcode::kRename, OpRename);
  set(Opcode::kRename2, OpRename2);
  set(Opcode::kLink, OpLink);
  set(Opcode::kOpen, OpOpen);
  set(Opcode::kCreate, OpCreate);
  set(Opcode::kTmpfile, OpTmpfile);
  set(Opcode::kRead, OpRead, true);
  set(Opcode::kWrite, OpWrite, true);
  set(Opcode::kFlush, OpFlush);
  set(Opcode::kRelease, OpRelease, true);
  set(Opcode::kFsync, OpFsync, true);
  set(Opcode::kStatfs, OpStatfs);
  set(Opcode::kSyncfs, OpSyncfs);
  set(Opcode::kSetxattr, OpSetxattr);
  set(Opcode::kGetxattr, OpGetxattr);
  set(Opcode::kListxattr, OpListxattr);
  set(Opcode::kRemovexattr, OpRemovexattr);
  set(Opcode::kOpendir, OpOpendir);
  set(Opcode::kReaddir, OpReaddir);
  set(Opcode::kReaddirplus, OpReaddirplus);
  set(Opcode::kReleasedir, OpRelease, true);
  set(Opcode::kFsyncdir, OpFsync, true);
  set(Opcode::kFallocate, OpFallocate);
  set(Opcode::kLseek, OpLseek);
  set(Opcode::kCopyFileRange, OpCopyFileRange);
  set(Opcode::kCopyFileRange64, OpCopyFileRange64);
  set(Opcode::kIoctl, OpIoctl);
  set(Opcode::kInterrupt, OpInterrupt, true);
  set(Opcode::kDestroy, OpDestroy, true);
  return table;
}

constexpr std::array<Entry, abi::kOpcodeEnd> kTable = MakeTable();

// Whether the caller in effect may make something in the directory that the request is about.
Outcome MayMake(FileSystem& fs, const Request& request) {
  Inode* directory = fs.inodes().Find(request.nodeid());
  if (directory == nullptr) return Errno(ESTALE);
  const Result<PathFd> path = fs.inodes().Open(directory);
  if (!path.ok()) return path.error();
  return FromSyscall(
      faccessat(ProcFdDirectory(), FdName(path->get()).c_str(), W_OK | X_OK, AT_EACCESS));
}

// The handler behind the policy.
Action RunUnder(const Policy& policy, Handler handler, FileSystem& fs, Call& call) {
  const Outcome admitted = policy.Admit(call.request);
  if (!admitted.ok()) return Action::Error(admitted.error());
  if (policy.hides_names()) {
    if (const auto refused = RefuseHiddenSpelling(fs, policy, call)) return *refused;
  }
  const std::optional<Caller> caller = policy.CheckedAs(call.request);
  if (!caller) return handler(fs, call);
  const std::vector<gid_t> groups = GroupsInSource(fs, call.request);
  const bool for_another = policy.MakesForAnother(call.request);
  {
    const CallerScope scope(call.identity, *caller, CallerScope::Checks::kByBacking, groups);
    if (!scope.outcome().ok()) return Action::Error(scope.outcome().error());
    if (!for_another) return handler(fs, call);
    const Outcome may = MayMake(fs, call.request);
    if (!may.ok()) return Action::Error(may.error());
  }
  return handler(fs, call);
}

}  // namespace

CacheTimeout CacheTimeout::FromSeconds(double seconds) {
  const double whole = std::floor(seconds);
  return {static_cast<uint64_t>(whole), static_cast<uint32_t>((seconds - whole) * 1e9)};
}

FileSystem::FileSystem(const FileSystemOptions& options)
    : options_(options),
      policy_(options.policy.any() ? std::make_unique<const Policy>(options.policy) : nullptr),
      entry_timeout_(options.timeouts.entry),
      attr_timeout_(options.timeouts.attr),
      negative_timeout_(options.timeouts.negative) {}

void FileSystem::SetTimeouts(const CacheTimeouts& timeouts) {
  entry_timeout_.set(timeouts.entry);
  attr_timeout_.set(timeouts.attr);
  negative_timeout_.set(timeouts.negative);
}

Result<std::unique_ptr<FileSystem>> FileSystem::Create(UniqueFd source,
                                                       const FileSystemOptions& options) {
  if (ProcFdDirectory() < 0) return Errno::Last();
  const Result<FileStatus> status = StatusOf(source.get());
  if (!status.ok()) return status.error();
  const Result<std::string_view> pseudo_type = PseudoTypeAt(source.get(), "");
  if (!pseudo_type.ok()) return pseudo_type.error();
  if (!pseudo_type->empty() && !options.allow_pseudo_filesystems) return Errno(EACCES);
  std::unique_ptr<FileSystem> fs(new FileSystem(options));
  while (fs->generation_ == 0) {
    if (getrandom(&fs->generation_, sizeof(fs->generation_), 0) < 0 && errno != EINTR)
      return Errno::Last();
  }
  fs->devices_ = std::make_unique<DeviceTable>(options.read_policy, options.write_policy);
  InodeTable::Options table;
  table.path_fd_limit = options.path_fd_limit;
  table.opens_handles = options.privileged;
  fs->inodes_ = std::make_unique<InodeTable>(std::move(source), *status, *fs->devices_, table);
  return fs;
}

Action FileSystem::Dispatch(Call& call) {
  const uint32_t opcode = call.request.header.opcode;
  if (opcode >= abi::kOpcodeEnd) return Action::Error(Errno(ENOSYS));
  const Entry& entry = kTable[opcode];
  if (entry.handler == nullptr) return Action::Error(Errno(ENOSYS));
  if (!call.may_block && !entry.never_blocks) {
    const Inode* inode = inodes_->Find(call.request.nodeid());
    if (inode != nullptr && inode->device().may_block) return Action::Offload(WaitsFor::kServer);
  }
  if (policy_ != nullptr) return RunUnder(*policy_, entry.handler, *this, call);
  return entry.handler(*this, call);
}

Action FileSystem::FinishTransfer(const Call& call, const Transfer& transfer, int64_t result) {
  if (result < 0) return Action::Error(Errno(static_cast<int>(-result)));
  if (transfer.kind == Transfer::Kind::kRead) return Action::Reply(static_cast<size_t>(result));
  if (transfer.kind != Transfer::Kind::kWrite) return Action::Reply();
  SetIdMayBeGone(call.request.nodeid(), call.counters);
  Call answered = call;
  return ReplyWith(answered, abi::WriteOut{static_cast<uint32_t>(result), 0});
}

void FileSystem::AttributesChanged(NodeId nodeid, Counters& counters) {
  if (notices_ != nullptr) notices_->DropAttributes(nodeid, counters);
}

void FileSystem::SetIdMayBeGone(NodeId nodeid, Counters& counters) {
  const Inode* inode = inodes_->Find(nodeid);
  if (inode != nullptr && inode->set_id_seen()) AttributesChanged(nodeid, counters);
}

void FileSystem::CountReply(Counters& counters, const Request& request, const Action& action,
                            uint64_t latency_ns) {
  const uint32_t opcode = request.header.opcode;
  if (opcode >= abi::kOpcodeEnd) return;
  Counters::Operation& operation = counters.operations[opcode];
  operation.count.Add();
  operation.latency.Record(latency_ns);
  if (action.error.value() == 0) return;
  operation.errors.Add();
  counters.errnos[std::min(static_cast<size_t>(action.error.value()), kErrnoEnd - 1)].Add();
}

void FileSystem::UncountReply(Counters& counters, const Request& request, uint64_t latency_ns) {
  const uint32_t opcode = request.header.opcode;
  if (opcode >= abi::kOpcodeEnd) return;
  counters.operations[opcode].count.Remove();
  counters.operations[opcode].latency.Remove(latency_ns);
}

}  // namespace shuntfs
