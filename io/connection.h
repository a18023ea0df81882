// The end of a mount's connection, as all its threads see it: why it ended, and whether it is to
// end.
//
// Floor 3. Thread-safe. The first reason counts.
#ifndef SHUNTFS_IO_CONNECTION_H_
#define SHUNTFS_IO_CONNECTION_H_

#include <sys/eventfd.h>

#include <atomic>
#include <mutex>
#include <string>

#include "core/base/errno.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

enum class EndReason {
  kNone,
  kUnmounted,  // the kernel ended it: unmounted, or aborted from outside
  kStopped,    // we were told to stop
  kBroken,     // something that cannot go on; `what` says it
};

class Connection {
 public:
  static Result<UniqueFd> MakeEvent() {
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return Errno::Last();
    return UniqueFd(fd);
  }
  explicit Connection(UniqueFd ended_event) : ended_(std::move(ended_event)) {}

  // Notes the end and makes ended_fd readable.
  void End(EndReason reason, const std::string& what = "") {
    const std::lock_guard lock(mutex_);
    if (reason_ == EndReason::kNone) {
      reason_ = reason;
      what_ = what;
    }
    eventfd_write(ended_.get(), 1);
  }
  void RequestStop() { stopping_.store(true); }
  bool stopping() const { return stopping_.load(); }
  int ended_fd() const { return ended_.get(); }
  EndReason reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }
  std::string what() const {
    const std::lock_guard lock(mutex_);
    return what_;
  }

 private:
  UniqueFd ended_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  EndReason reason_ = EndReason::kNone;
  std::string what_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_CONNECTION_H_
