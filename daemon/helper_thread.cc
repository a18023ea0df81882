#include "daemon/helper_thread.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "core/base/log.h"
#include "io/start_thread.h"

namespace shuntfs {

HelperThread::HelperThread() : done_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  PLOG_IF(ERROR, !done_.valid()) << "eventfd";
}

HelperThread::~HelperThread() {
  if (!thread_.joinable()) return;
  // Only on the way to _exit: the descriptor stays open so that the job's end signals nobody else's
  // file.
  thread_.detach();
  static_cast<void>(done_.release());
}

void HelperThread::Run(std::function<void()> job) {
  CHECK(idle()) << "the helper runs one job at a time";
  const auto run = [job = std::move(job), fd = done_.get()] {
    job();
    const uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
  };
  Result<std::thread> thread = StartThread(run);
  if (thread.ok()) {
    thread_ = std::move(*thread);
  } else {
    LOG(WARNING) << "no thread is to be had for a job that may block; it is done here";
    run();
  }
}

void HelperThread::Collect() {
  uint64_t count = 0;
  if (read(done_.get(), &count, sizeof(count)) != static_cast<ssize_t>(sizeof(count))) return;
  if (thread_.joinable()) thread_.join();
}

bool RunWithin(std::function<void()> job, int timeout_ms) {
  HelperThread helper;
  helper.Run(std::move(job));
  pollfd done{helper.poll_fd(), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&done, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  helper.Collect();
  return helper.idle();
}

}  // namespace shuntfs
