#include "core/protocol/request.h"

#include <algorithm>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

using abi::Opcode;

// Names come with their terminators.
constexpr size_t kName = kNameMax + 1;
constexpr size_t kEntry = sizeof(abi::EntryOut);
// FUSE_CREATE_SUPP_GROUP with one group. Security contexts would be extensions too; INIT leaves
// them out.
constexpr size_t kExtensions = sizeof(abi::ExtHeader) + sizeof(abi::SuppGroups) + sizeof(uint32_t);
// The first argument of an operation that is answered ENOSYS counts as payload here (LK, 48 bytes).
constexpr size_t kRefused = abi::kUringOpInSize;

struct Payload {
  size_t in;
  size_t out;
};

constexpr std::array<OpcodeInfo, abi::kOpcodeEnd> MakeTable() {
  std::array<OpcodeInfo, abi::kOpcodeEnd> table{};
  const auto set = [&table](Opcode opcode, std::string_view name, size_t op_in_size,
                            Payload largest, bool has_reply = true) {
    table[static_cast<uint32_t>(opcode)] = {name, static_cast<uint16_t>(op_in_size), has_reply,
                                            static_cast<uint32_t>(largest.in),
                                            static_cast<uint32_t>(largest.out)};
  };
  set(Opcode::kLookup, "LOOKUP", 0, {kName, kEntry});
  set(Opcode::kForget, "FORGET", sizeof(abi::ForgetIn), {0, 0}, false);
  set(Opcode::kGetattr, "GETATTR", sizeof(abi::GetattrIn), {0, sizeof(abi::AttrOut)});
  set(Opcode::kSetattr, "SETATTR", sizeof(abi::SetattrIn), {0, sizeof(abi::AttrOut)});
  set(Opcode::kReadlink, "READLINK", 0, {0, kPathMax});
  set(Opcode::kSymlink, "SYMLINK", 0, {kName + kPathMax + kExtensions, kEntry});
  set(Opcode::kMknod, "MKNOD", sizeof(abi::MknodIn), {kName + kExtensions, kEntry});
  set(Opcode::kMkdir, "MKDIR", sizeof(abi::MkdirIn), {kName + kExtensions, kEntry});
  set(Opcode::kUnlink, "UNLINK", 0, {kName, 0});
  set(Opcode::kRmdir, "RMDIR", 0, {kName, 0});
  set(Opcode::kRename, "RENAME", sizeof(abi::RenameIn), {2 * kName, 0});
  set(Opcode::kLink, "LINK", sizeof(abi::LinkIn), {kName, kEntry});
  set(Opcode::kOpen, "OPEN", sizeof(abi::OpenIn), {0, sizeof(abi::OpenOut)});
  set(Opcode::kRead, "READ", sizeof(abi::ReadIn), {0, 0});
  set(Opcode::kWrite, "WRITE", sizeof(abi::WriteIn), {0, sizeof(abi::WriteOut)});
  set(Opcode::kStatfs, "STATFS", 0, {0, sizeof(abi::StatfsOut)});
  set(Opcode::kRelease, "RELEASE", sizeof(abi::ReleaseIn), {0, 0});
  set(Opcode::kFsync, "FSYNC", sizeof(abi::FsyncIn), {0, 0});
  set(Opcode::kSetxattr, "SETXATTR", sizeof(abi::SetxattrIn), {kName + kXattrValueMax, 0});
  set(Opcode::kGetxattr, "GETXATTR", sizeof(abi::GetxattrIn), {kName, kXattrValueMax});
  set(Opcode::kListxattr, "LISTXATTR", sizeof(abi::GetxattrIn), {0, kXattrValueMax});
  set(Opcode::kRemovexattr, "REMOVEXATTR", 0, {kName, 0});
  set(Opcode::kFlush, "FLUSH", sizeof(abi::FlushIn), {0, 0});
  set(Opcode::kInit, "INIT", 0, {sizeof(abi::InitIn), sizeof(abi::InitOut)});
  set(Opcode::kOpendir, "OPENDIR", sizeof(abi::OpenIn), {0, sizeof(abi::OpenOut)});
  set(Opcode::kReaddir, "READDIR", sizeof(abi::ReadIn), {0, 0});
  set(Opcode::kReleasedir, "RELEASEDIR", sizeof(abi::ReleaseIn), {0, 0});
  set(Opcode::kFsyncdir, "FSYNCDIR", sizeof(abi::FsyncIn), {0, 0});
  set(Opcode::kGetlk, "GETLK", 0, {kRefused, 0});
  set(Opcode::kSetlk, "SETLK", 0, {kRefused, 0});
  set(Opcode::kSetlkw, "SETLKW", 0, {kRefused, 0});
  set(Opcode::kAccess, "ACCESS", sizeof(abi::AccessIn), {0, 0});
  set(Opcode::kCreate, "CREATE", sizeof(abi::CreateIn),
      {kName + kExtensions, kEntry + sizeof(abi::OpenOut)});
  set(Opcode::kInterrupt, "INTERRUPT", sizeof(abi::InterruptIn), {0, 0}, false);
  set(Opcode::kBmap, "BMAP", 0, {kRefused, 0});
  set(Opcode::kDestroy, "DESTROY", 0, {0, 0});
  set(Opcode::kIoctl, "IOCTL", sizeof(abi::IoctlIn),
      {kIoctlArgumentMax, sizeof(abi::IoctlOut) + kIoctlArgumentMax});
  set(Opcode::kPoll, "POLL", 0, {kRefused, 0});
  set(Opcode::kNotifyReply, "NOTIFY_REPLY", 0, {0, 0});
  set(Opcode::kBatchForget, "BATCH_FORGET", sizeof(abi::BatchForgetIn), {0, 0}, false);
  set(Opcode::kFallocate, "FALLOCATE", sizeof(abi::FallocateIn), {0, 0});
  set(Opcode::kReaddirplus, "READDIRPLUS", sizeof(abi::ReadIn), {0, 0});
  set(Opcode::kRename2, "RENAME2", sizeof(abi::Rename2In), {2 * kName, 0});
  set(Opcode::kLseek, "LSEEK", sizeof(abi::LseekIn), {0, sizeof(abi::LseekOut)});
  set(Opcode::kCopyFileRange, "COPY_FILE_RANGE", sizeof(abi::CopyFileRangeIn),
      {0, sizeof(abi::WriteOut)});
  set(Opcode::kSetupmapping, "SETUPMAPPING", 0, {kRefused, 0});
  set(Opcode::kRemovemapping, "REMOVEMAPPING", 0, {kRefused, 0});
  set(Opcode::kSyncfs, "SYNCFS", sizeof(abi::SyncfsIn), {0, 0});
  set(Opcode::kTmpfile, "TMPFILE", sizeof(abi::CreateIn),
      {kName + kExtensions, kEntry + sizeof(abi::OpenOut)});
  set(Opcode::kStatx, "STATX", sizeof(abi::StatxIn), {0, sizeof(abi::StatxOut)});
  set(Opcode::kCopyFileRange64, "COPY_FILE_RANGE_64", sizeof(abi::CopyFileRangeIn),
      {0, sizeof(abi::CopyFileRangeOut)});
  return table;
}

constexpr std::array<OpcodeInfo, abi::kOpcodeEnd> kOpcodes = MakeTable();
constexpr OpcodeInfo kNoOpcode{};

constexpr uint32_t LargestPlainPayload() {
  uint32_t largest = 0;
  for (const OpcodeInfo& info : kOpcodes)
    largest = std::max({largest, info.max_payload_in, info.max_payload_out});
  return largest;
}
static_assert(LargestPlainPayload() <= kMinPayloadBytes,
              "a request that fits no payload area stops the queue, on older kernels the kernel");

// Cuts the request extensions off the end of the payload.
Outcome SplitExtensions(Request* request) {
  const size_t bytes = size_t{request->header.total_extlen} * 8;
  if (bytes > request->payload.size()) return Errno(EINVAL);
  request->extensions = request->payload.last(bytes);
  request->payload = request->payload.first(request->payload.size() - bytes);
  return Ok();
}

}  // namespace

const OpcodeInfo& InfoOf(uint32_t opcode) {
  return opcode < kOpcodes.size() ? kOpcodes[opcode] : kNoOpcode;
}

std::optional<uint32_t> Request::supplementary_group() const {
  std::span<const std::byte> rest = extensions;
  while (rest.size() >= sizeof(abi::ExtHeader)) {
    abi::ExtHeader ext;
    std::memcpy(&ext, rest.data(), sizeof(ext));
    if (ext.size < sizeof(ext) || ext.size > rest.size()) return std::nullopt;
    if (ext.type == abi::kExtGroups) {
      const std::span<const std::byte> body = rest.first(ext.size).subspan(sizeof(ext));
      uint32_t words[2];
      if (body.size() < sizeof(words)) return std::nullopt;
      std::memcpy(words, body.data(), sizeof(words));
      if (words[0] != 1)
        return std::nullopt;  // the kernel sends the one that matches the parent's group
      return words[1];
    }
    rest = rest.subspan(ext.size);
  }
  return std::nullopt;
}

Result<Unit> DecodeMessage(std::span<std::byte> message, const WireFormat& format, Request* out) {
  if (message.size() < sizeof(abi::InHeader)) return Errno(EINVAL);
  std::memcpy(&out->header, message.data(), sizeof(abi::InHeader));
  if (out->header.len != message.size()) return Errno(EINVAL);
  out->zero_copy = false;
  std::span<std::byte> body = message.subspan(sizeof(abi::InHeader));
  size_t op_in_size = InfoOf(out->header.opcode).op_in_size;
  if (out->opcode() == Opcode::kSetxattr && !format.setxattr_ext)
    op_in_size = abi::kCompatSetxattrInSize;
  if (body.size() < op_in_size) return Errno(EINVAL);
  out->op_in.fill(std::byte{0});
  std::memcpy(out->op_in.data(), body.data(), op_in_size);
  out->payload = body.subspan(op_in_size);
  return SplitExtensions(out);
}

Result<Unit> DecodeRingEntry(const abi::UringReqHeader& header, std::span<std::byte> payload,
                             uint32_t payload_bytes, Request* out) {
  std::memcpy(&out->header, header.in_out, sizeof(abi::InHeader));
  std::memcpy(out->op_in.data(), header.op_in, sizeof(header.op_in));
  out->zero_copy = (header.ring_ent_in_out.flags & abi::kUringEntZeroCopy) != 0;
  out->zero_copy_bytes = out->zero_copy ? payload_bytes : 0;
  if (out->zero_copy) {
    // What has no pages to share has nothing to be zero-copied.
    if (out->opcode() != Opcode::kRead && out->opcode() != Opcode::kWrite) return Errno(EINVAL);
    payload_bytes = 0;
  }
  if (payload_bytes > payload.size()) return Errno(EINVAL);
  out->payload = payload.first(payload_bytes);
  return SplitExtensions(out);
}

Result<std::string_view> PayloadReader::String() {
  const void* end = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
  if (end == nullptr) return Errno(EINVAL);
  const auto length = static_cast<size_t>(static_cast<const std::byte*>(end) - rest_.data());
  const std::string_view text(reinterpret_cast<const char*>(rest_.data()), length);
  rest_ = rest_.subspan(length + 1);
  return text;
}

Result<std::string_view> PayloadReader::Name() {
  Result<std::string_view> name = String();
  if (!name.ok()) return name;
  if (name->size() > kNameMax) return Errno(ENAMETOOLONG);
  if (name->empty() || *name == "." || *name == ".." || name->find('/') != std::string_view::npos) {
    return Errno(EINVAL);
  }
  return name;
}

}  // namespace shuntfs
