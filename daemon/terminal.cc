#include "daemon/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>

namespace shuntfs {
namespace {

constexpr char kEnter[] = "\033[?1049h\033[?25l";  // the other screen, no cursor
constexpr char kLeave[] = "\033[?25h\033[?1049l";

bool WriteAll(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

UniqueFd WatchSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);  // told by write(2)
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

Terminal::Terminal() : signals_(WatchSignals()) {
  on_screen_ = isatty(STDOUT_FILENO) != 0;
  keys_ = on_screen_ && isatty(STDIN_FILENO) != 0;
  termios mode;
  if (keys_ && tcgetattr(STDIN_FILENO, &mode) == 0) {
    saved_ = mode;
    mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  }
  if (on_screen_) WriteAll(kEnter);
}

Terminal::~Terminal() {
  if (on_screen_) WriteAll(kLeave);
  if (saved_) tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
}

FrameSize Terminal::size() const {
  winsize window{};
  if (!on_screen_) {
    constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();
    return {kUnlimited, kUnlimited};
  }
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0)
    return {};
  return {window.ws_row, window.ws_col};
}

bool Terminal::Show(const std::vector<std::string>& frame) {
  std::string text = on_screen_ ? "\033[H" : "";
  for (size_t i = 0; i < frame.size(); ++i) {
    // On a screen each line's old rest is cleared, and the last line does not scroll.
    if (on_screen_ && i > 0) text += "\n";
    text += frame[i] + (on_screen_ ? "\033[K" : "\n");
  }
  return WriteAll(text + (on_screen_ ? "\033[J" : "\n"));
}

Terminal::Event Terminal::Wait(int timeout_ms) {
  std::array<pollfd, 2> fds = {
      {{signals_.get(), POLLIN, 0}, {keys_ ? STDIN_FILENO : -1, POLLIN, 0}}};
  if (poll(fds.data(), fds.size(), timeout_ms) <= 0) return Event::kTimeout;
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo != SIGWINCH) return Event::kQuit;
  }
  if (fds[1].revents == 0) return Event::kResized;
  char key = 0;
  if (read(STDIN_FILENO, &key, 1) != 1) return Event::kQuit;
  return key == 'q' || key == 'Q' ? Event::kQuit : Event::kResized;
}

}  // namespace shuntfs
