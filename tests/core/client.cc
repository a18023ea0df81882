#include "tests/core/client.h"

#include <fcntl.h>

namespace shuntfs {
namespace {

std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

FileSystemOptions Client::Unprivileged() {
  FileSystemOptions options;
  options.privileged = false;
  return options;
}

Client::Client(const std::string& source, const FileSystemOptions& options) {
  UniqueFd root(open(source.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Result<std::unique_ptr<FileSystem>> fs = FileSystem::Create(std::move(root), options);
  Result<ThreadIdentity> identity = ThreadIdentity::Adopt(options.privileged);
  if (!fs.ok() || !identity.ok()) {
    ADD_FAILURE() << "no file system on " << source;
    abort();
  }
  fs_ = std::move(*fs);
  identity_ = *identity;
}

Action Client::Dispatch(abi::Opcode opcode, uint64_t nodeid, std::string_view op_in,
                        std::string_view payload) {
  // Exactly as long as the payload, so that a sanitizer sees every byte read behind it.
  const std::span<const std::byte> bytes = AsBytes(payload);
  payload_ = std::vector<std::byte>(bytes.begin(), bytes.end());
  Request request;
  request.header.len = static_cast<uint32_t>(sizeof(abi::InHeader) + op_in.size() + payload.size());
  request.header.opcode = static_cast<uint32_t>(opcode);
  request.header.unique = next_unique_;
  next_unique_ += 2;
  request.header.nodeid = nodeid;
  request.header.uid = uid_;
  request.header.gid = gid_;
  if (!op_in.empty()) std::memcpy(request.op_in.data(), op_in.data(), op_in.size());
  request.payload = payload_;
  std::optional<Interrupts::Watch> watch;
  if (may_block_) watch.emplace(fs_->interrupts(), request.unique());
  Call call{request, reply_, *identity_, counters_, may_block_, watch ? &*watch : nullptr};
  return fs_->Dispatch(call);
}

uint64_t Client::Lookup(uint64_t parent, std::string_view name) {
  const Action action = Send(abi::Opcode::kLookup, parent, Text(name));
  EXPECT_TRUE(Answered(action, sizeof(abi::EntryOut))) << "LOOKUP of " << name;
  return action.error == Errno(0) ? Reply<abi::EntryOut>().nodeid : 0;
}

uint64_t Client::Walk(std::string_view path) {
  uint64_t nodeid = kRootNodeId.value();
  while (nodeid != 0 && !path.empty()) {
    const size_t slash = path.find('/');
    nodeid = Lookup(nodeid, path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return nodeid;
}

uint64_t Client::Open(uint64_t nodeid, uint32_t flags) {
  const Action action = Send(abi::Opcode::kOpen, nodeid, abi::OpenIn{flags, 0});
  EXPECT_TRUE(Answered(action, sizeof(abi::OpenOut))) << "OPEN";
  return action.error == Errno(0) ? Reply<abi::OpenOut>().fh : 0;
}

uint64_t Client::OpenDirectory(uint64_t nodeid) {
  const Action action = Send(abi::Opcode::kOpendir, nodeid, abi::OpenIn{O_DIRECTORY, 0});
  EXPECT_TRUE(Answered(action, sizeof(abi::OpenOut))) << "OPENDIR";
  return action.error == Errno(0) ? Reply<abi::OpenOut>().fh : 0;
}

Result<abi::Attr> Client::Getattr(uint64_t nodeid) {
  const Action action = Send(abi::Opcode::kGetattr, nodeid, abi::GetattrIn{});
  if (action.error != Errno(0)) return action.error;
  EXPECT_TRUE(Answered(action, sizeof(abi::AttrOut)));
  return Reply<abi::AttrOut>().attr;
}

}  // namespace shuntfs
