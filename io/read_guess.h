// Guesses whether the next read finds its data in memory, from the reads before it.
//
// Floor 3. Of one thread. A wrong guess costs one more entry into the kernel and a look at the page
// cache in vain; so after one the reads to come are believed to miss, the longer the more guesses
// in a row were wrong.
#ifndef SHUNTFS_IO_READ_GUESS_H_
#define SHUNTFS_IO_READ_GUESS_H_

#include <algorithm>
#include <cstdint>

namespace shuntfs {

class ReadGuess {
 public:
  static constexpr uint32_t kFirstPause = 8;
  static constexpr uint32_t kLongestPause = 4096;

  // Asked once per read.
  bool InMemory() {
    if (pause_left_ == 0) return true;
    --pause_left_;
    return false;
  }
  void WasRight() { next_pause_ = kFirstPause; }
  void WasWrong() {
    pause_left_ = next_pause_;
    next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  }

 private:
  uint32_t pause_left_ = 0;  // reads that are not guessed about
  uint32_t next_pause_ = kFirstPause;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_READ_GUESS_H_
