#include "core/protocol/init.h"

#include <algorithm>
#include <cstring>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

constexpr uint32_t kPageBytes = 4096;

// Taken whenever the kernel offers them. Not here on purpose: POSIX_LOCKS and FLOCK_LOCKS (the
// kernel keeps the locks of the mount itself, and a blocking lock never reaches us), SUBMOUNTS
// (virtiofs only).
constexpr uint64_t kAlways =
    abi::kInitAsyncRead | abi::kInitAtomicOTrunc | abi::kInitBigWrites | abi::kInitDontMask |
    abi::kInitHasIoctlDir | abi::kInitAutoInvalData | abi::kInitDoReaddirplus |
    abi::kInitReaddirplusAuto | abi::kInitAsyncDio | abi::kInitParallelDirops | abi::kInitPosixAcl |
    abi::kInitMaxPages | abi::kInitCacheSymlinks | abi::kInitHandleKillprivV2 |
    abi::kInitSetxattrExt | abi::kInitExt | abi::kInitCreateSuppGroup |
    abi::kInitDirectIoAllowMmap | abi::kInitExportSupport;

}  // namespace

RequestSizes SizesOf(uint32_t wished_bytes, uint32_t max_pages_limit) {
  // Zero is no limit that the kernel takes.
  const uint32_t limit = std::clamp(max_pages_limit, 1U, 65535U);
  const uint32_t pages = std::clamp(wished_bytes / kPageBytes, 1U, limit);
  const uint32_t data_bytes = pages * kPageBytes;
  return {static_cast<uint16_t>(pages), data_bytes, std::max(data_bytes, kMinPayloadBytes)};
}

InitResult NegotiateInit(std::span<const std::byte> init_in, const InitWishes& wishes) {
  InitResult result;
  if (init_in.size() < abi::kCompatInitInSize) {
    result.error =
        "the kernel's INIT request is too short (" + std::to_string(init_in.size()) + " bytes)";
    return result;
  }
  abi::InitIn in{};
  std::memcpy(&in, init_in.data(), std::min(sizeof(in), init_in.size()));
  if (in.major != abi::kKernelVersion || in.minor < abi::kMinKernelMinorVersion) {
    result.error = "this kernel speaks FUSE " + std::to_string(in.major) + "." +
                   std::to_string(in.minor) + "; 7." + std::to_string(abi::kMinKernelMinorVersion) +
                   " (Linux 5.4) or later is needed";
    return result;
  }

  InitAgreement& agreed = result.agreement;
  agreed.kernel_flags = in.flags;
  if ((in.flags & abi::kInitExt) != 0) agreed.kernel_flags |= uint64_t{in.flags2} << 32;
  agreed.kernel_minor = in.minor;

  uint64_t wanted = kAlways;
  if (!wishes.posix_acl) wanted &= ~uint64_t{abi::kInitPosixAcl};
  if (wishes.writeback_cache) wanted |= abi::kInitWritebackCache;
  if (wishes.over_io_uring) wanted |= abi::kInitOverIoUring;
  // The kernel drops one of the two, so we never ask for both (fs/fuse/inode.c,
  // process_init_reply).
  if (wishes.passthrough_depth != 0 && !wishes.writeback_cache) wanted |= abi::kInitPassthrough;
  if (wishes.request_timeout_s != 0) wanted |= abi::kInitRequestTimeout;
  agreed.flags = wanted & agreed.kernel_flags;
  agreed.over_io_uring = (agreed.flags & abi::kInitOverIoUring) != 0;
  agreed.passthrough = (agreed.flags & abi::kInitPassthrough) != 0;
  agreed.format.setxattr_ext = (agreed.flags & abi::kInitSetxattrExt) != 0;

  agreed.sizes = SizesOf(wishes.max_write_bytes, wishes.max_pages_limit);

  abi::InitOut& out = agreed.reply;
  out.major = abi::kKernelVersion;
  out.minor = std::min(in.minor, abi::kKernelMinorVersion);
  out.max_readahead = wishes.max_readahead_bytes;
  out.flags = static_cast<uint32_t>(agreed.flags);
  out.flags2 = static_cast<uint32_t>(agreed.flags >> 32);
  out.max_background = wishes.max_background;
  out.congestion_threshold = wishes.congestion_threshold != 0
                                 ? wishes.congestion_threshold
                                 : static_cast<uint16_t>(wishes.max_background * 3 / 4);
  out.max_write = agreed.sizes.payload_bytes;
  out.time_gran = 1;
  out.max_stack_depth = agreed.passthrough ? wishes.passthrough_depth : 0;
  out.max_pages = agreed.sizes.max_pages;
  if ((agreed.flags & abi::kInitRequestTimeout) != 0)
    out.request_timeout = wishes.request_timeout_s;
  agreed.reply_bytes = sizeof(out);
  return result;
}

}  // namespace shuntfs
