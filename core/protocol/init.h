// The INIT negotiation: what the kernel offers, what we take, what that makes of requests.
//
// Floor 1: a pure function of plain structs. Flags: include/uapi/linux/fuse.h, fs/fuse/inode.c
// (process_init_reply).
#ifndef SHUNTFS_CORE_PROTOCOL_INIT_H_
#define SHUNTFS_CORE_PROTOCOL_INIT_H_

#include <cstdint>
#include <span>
#include <string>

#include "core/protocol/abi.h"
#include "core/protocol/request.h"

namespace shuntfs {

// How large requests become. The kernel's own sum is the largest of max_write, max_pages pages and
// 8 KiB (fs/fuse/dev_uring.c, fuse_uring_create); it cuts pools into slices of that size, and wants
// no smaller area for an entry.
struct RequestSizes {
  uint16_t max_pages = 1;      // announced; holds READs and WRITEs to `data_bytes`
  uint32_t data_bytes = 0;     // the most of a READ, WRITE or READDIR
  uint32_t payload_bytes = 0;  // announced as max_write, so that the kernel's sum is this
};

// `wished_bytes` of data in whole pages, as far as fs.fuse.max_pages_limit goes, at least one page.
// Areas are never below kMinPayloadBytes, which the longest request without data fits into.
RequestSizes SizesOf(uint32_t wished_bytes, uint32_t max_pages_limit);

// What the mount would like.
struct InitWishes {
  bool over_io_uring = false;
  bool writeback_cache = false;
  bool posix_acl = true;  // the kernel checks permissions, by ACLs too
  // The kernel moves file data by itself: how deep our file system then counts as stacked, 1 or 2
  // (what lies below must be less deep). 0: it does not.
  uint32_t passthrough_depth = 0;
  uint32_t max_write_bytes = 1U << 20;  // the most data of one request
  uint32_t max_pages_limit = 256;       // fs.fuse.max_pages_limit of this kernel
  uint32_t max_readahead_bytes = 1U
                                 << 20;  // the kernel takes the lower of this and the bdi's window
  uint16_t max_background = 64;
  uint16_t congestion_threshold = 0;  // 0: three quarters of max_background
  uint16_t request_timeout_s = 0;     // 0: none
};

// What was agreed.
struct InitAgreement {
  abi::InitOut reply{};
  uint32_t reply_bytes = 0;
  WireFormat format;
  uint64_t kernel_flags = 0;  // everything the kernel offered
  uint64_t flags = 0;         // what both have
  uint32_t kernel_minor = 0;
  RequestSizes sizes;
  bool over_io_uring = false;
  bool passthrough = false;
};

// `error` is empty on success; otherwise a sentence on why this kernel cannot be served.
struct InitResult {
  InitAgreement agreement;
  std::string error;
};

InitResult NegotiateInit(std::span<const std::byte> init_in, const InitWishes& wishes);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_PROTOCOL_INIT_H_
