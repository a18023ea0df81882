// The terminal of a command that shows one screen after another, and the signals that end it.
//
// Floor 4. Main thread, one at a time. Puts the terminal back as it was when it goes, also on a
// signal. Without a terminal on stdout, screens are printed one below the other.
#ifndef SHUNTFS_DAEMON_TERMINAL_H_
#define SHUNTFS_DAEMON_TERMINAL_H_

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/unique_fd.h"
#include "daemon/watch_frame.h"

namespace shuntfs {

class Terminal {
 public:
  enum class Event { kTimeout, kResized, kQuit };

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Of the window; unlimited without one.
  FrameSize size() const;
  // False: nobody reads any more.
  bool Show(const std::vector<std::string>& frame);
  // Waits for that long, or until a key or a signal.
  Event Wait(int timeout_ms);

 private:
  bool on_screen_ = false;
  bool keys_ = false;  // stdin is a terminal too
  std::optional<termios> saved_;
  UniqueFd signals_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_TERMINAL_H_
