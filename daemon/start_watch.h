// Looks after a start that may hang: the kernel, a backing file system or a bug of ours could keep
// it for ever, while signals are blocked and nobody listens yet.
//
// Floor 4. Made and destroyed on the main thread, around what it watches; its own thread calls
// `give_up`, which must not return.
#ifndef SHUNTFS_DAEMON_START_WATCH_H_
#define SHUNTFS_DAEMON_START_WATCH_H_

#include <functional>
#include <string>
#include <thread>

#include "core/base/unique_fd.h"

namespace shuntfs {

class StartWatch {
 public:
  struct Limits {
    int start_timeout_ms = 30 * 1000;
    // After a signal the start may still finish by itself, and the signal is then taken in order.
    int signal_grace_ms = 2 * 1000;
  };

  StartWatch(int signal_fd, const Limits& limits,
             std::function<void(const std::string& reason)> give_up);
  // The start is over in time.
  ~StartWatch();
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;

 private:
  void Watch(int signal_fd, const Limits& limits);

  UniqueFd over_;
  std::function<void(const std::string& reason)> give_up_;
  std::thread thread_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_START_WATCH_H_
