// Reading requests from /dev/fuse and writing replies to it.
//
// Floor 3. One object per thread: a descriptor of the connection (the mount's own, or a clone of
// it) and a buffer each for the request and the reply, mapped once and used for every request.
#ifndef SHUNTFS_IO_FUSE_DEVICE_H_
#define SHUNTFS_IO_FUSE_DEVICE_H_

#include <cstdint>
#include <span>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"
#include "core/data_io.h"
#include "core/protocol/abi.h"
#include "core/protocol/request.h"
#include "io/memory_region.h"

namespace shuntfs {

class FuseDevice {
 public:
  // `fd` is borrowed. `max_payload_bytes`: the largest data of a request or reply.
  static Result<FuseDevice> Create(int fd, uint32_t max_payload_bytes);
  // Another descriptor of the same connection, for another thread (FUSE_DEV_IOC_CLONE).
  static Result<UniqueFd> Clone(int fd);

  // Waits for a message. EINTR: a signal came. ENODEV: the connection is gone. ENOENT: the request
  // was taken back; ask again.
  Result<std::span<std::byte>> Read();

  // Gives the memory of the last message back, all but its beginning: after the rare ones that are
  // long and not data, of which every thread would otherwise keep a copy.
  void ReleaseMessage();

  // The area for a reply's arguments, page-aligned.
  std::span<std::byte> reply_area() const { return reply_; }
  // Answers `unique` with `action`, whose arguments lie in reply_area(). ENOENT: nobody waits any
  // more.
  Outcome Reply(uint64_t unique, const Action& action);
  // The same from an area of the caller's, before which kReplyHeaderBytes are free.
  static constexpr size_t kReplyHeaderBytes = sizeof(abi::OutHeader);
  static Outcome Reply(int fd, uint64_t unique, const Action& action, std::byte* area);

  int fd() const { return fd_; }

 private:
  FuseDevice(int fd, MemoryRegion region, uint32_t max_payload_bytes);

  int fd_;
  MemoryRegion region_;
  std::span<std::byte> request_;
  std::span<std::byte> reply_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_FUSE_DEVICE_H_
