#include "core/file_closer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/sys/file_status.h"

namespace shuntfs {
namespace {

// Whether closing `fd` may free so much space that it takes its time.
bool MayFreeMuch(int fd) {
  const Result<FileStatus> status = StatusOf(fd, AT_STATX_DONT_SYNC);
  if (!status.ok() || status->stx_nlink != 0 || !S_ISREG(status->stx_mode)) return false;
  return std::max<uint64_t>(status->stx_size, status->stx_blocks * 512) > kLargeFileBytes;
}

}  // namespace

void FileCloser::Close(UniqueFd fd, bool may_wait) const {
  if (!later_ || !fd.valid()) return;
  if (may_wait)
    later_(std::move(fd), WaitsFor::kServer);
  else if (MayFreeMuch(fd.get()))
    later_(std::move(fd), WaitsFor::kItsWork);
}

}  // namespace shuntfs
