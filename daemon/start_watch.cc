#include "daemon/start_watch.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/strings/str_format.h"
#include "io/start_thread.h"

namespace shuntfs {
namespace {

using Clock = std::chrono::steady_clock;

// poll() that goes on after an interruption. `fds` and the result as poll's.
int PollFor(pollfd* fds, nfds_t count, int timeout_ms) {
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int ready = poll(fds, count, left < 0 ? 0 : static_cast<int>(left));
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

}  // namespace

StartWatch::StartWatch(int signal_fd, const Limits& limits,
                       std::function<void(const std::string& reason)> give_up)
    : over_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), give_up_(std::move(give_up)) {
  // Without a descriptor there is nothing to be told by; the start is then merely unwatched.
  if (!over_.valid()) return;
  // Nor without a thread.
  Result<std::thread> thread = StartThread([this, signal_fd, limits] { Watch(signal_fd, limits); });
  if (thread.ok()) thread_ = std::move(*thread);
}

StartWatch::~StartWatch() {
  if (!thread_.joinable()) return;
  eventfd_write(over_.get(), 1);
  thread_.join();
}

void StartWatch::Watch(int signal_fd, const Limits& limits) {
  std::array<pollfd, 2> fds = {{{over_.get(), POLLIN, 0}, {signal_fd, POLLIN, 0}}};
  const int ready = PollFor(fds.data(), fds.size(), limits.start_timeout_ms);
  if (fds[0].revents != 0) return;
  if (ready == 0) {
    give_up_(
        absl::StrFormat("the start did not finish within %d s", limits.start_timeout_ms / 1000));
    return;
  }
  if (PollFor(fds.data(), 1, limits.signal_grace_ms) == 0)
    give_up_("ended by a signal during the start");
}

}  // namespace shuntfs
