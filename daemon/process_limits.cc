#include "daemon/process_limits.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string_view>

#include "config/values.h"
#include "core/base/log.h"
#include "core/base/unique_fd.h"

namespace shuntfs {
namespace {

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

std::optional<rlim_t> NrOpen() {
  const UniqueFd fd(open("/proc/sys/fs/nr_open", O_RDONLY | O_CLOEXEC));
  std::array<char, 32> buffer;
  const ssize_t count = fd.valid() ? read(fd.get(), buffer.data(), buffer.size()) : -1;
  if (count <= 0) return std::nullopt;
  std::string_view text(buffer.data(), static_cast<size_t>(count));
  text = text.substr(0, text.find('\n'));
  return ParseCount(text);
}

}  // namespace

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t nr_open = NrOpen().value_or(limit.rlim_max);
  if (nr_open > limit.rlim_max) {
    const rlimit higher{nr_open, nr_open};
    if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return;
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) PLOG(WARNING) << "the descriptor limit stays";
}

void BecomeIoFlusher() {
  if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
    VLOG(1) << "PR_SET_IO_FLUSHER needs CAP_SYS_RESOURCE and a kernel that has it";
  }
}

}  // namespace shuntfs
