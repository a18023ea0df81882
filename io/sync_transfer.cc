#include "io/sync_transfer.h"

#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

int64_t RunSync(const Transfer& transfer) {
  const int rc =
      transfer.kind == Transfer::Kind::kFsync ? fsync(transfer.fd) : fdatasync(transfer.fd);
  return rc == 0 ? 0 : -errno;
}

ssize_t MoveOnce(const Transfer& transfer, std::byte* at, size_t bytes, uint64_t offset) {
  if (transfer.kind == Transfer::Kind::kRead)
    return pread(transfer.fd, at, bytes, static_cast<off_t>(offset));
  if (transfer.rw_flags == 0) return pwrite(transfer.fd, at, bytes, static_cast<off_t>(offset));
  const iovec piece{at, bytes};
  return pwritev2(transfer.fd, &piece, 1, static_cast<off_t>(offset), transfer.rw_flags);
}

}  // namespace

int64_t RunTransfer(Transfer transfer, std::span<std::byte> payload, ThreadIdentity& identity,
                    Counters& counters) {
  if (transfer.kind == Transfer::Kind::kFsync || transfer.kind == Transfer::Kind::kFdatasync)
    return RunSync(transfer);
  const bool reads = transfer.kind == Transfer::Kind::kRead;
  if (!reads) identity.SetStripsSuid(transfer.strips_suid, transfer.group);
  uint32_t done = 0;
  uint32_t interrupted = 0;
  while (done < transfer.bytes) {
    const ssize_t n =
        MoveOnce(transfer, payload.data() + done, transfer.bytes - done, transfer.offset + done);
    if (n < 0 && errno == EINTR && ++interrupted <= kMaxInterruptedRetries) continue;
    if (n < 0 && FallBackToBuffered(&transfer, Errno::Last())) continue;
    if (n < 0 && done == 0) return -errno;
    if (n <= 0) break;
    done += static_cast<uint32_t>(n);
    interrupted = 0;
  }
  (reads ? counters.plain_read_bytes : counters.plain_write_bytes).Add(done);
  if (transfer.buffered_fd >= 0)
    (reads ? counters.direct_read_bytes : counters.direct_write_bytes).Add(done);
  return done;
}

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace shuntfs
