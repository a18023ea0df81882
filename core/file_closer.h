// Closing of descriptors that may take long: the last one of a deleted file frees its space, and
// one of a network file system may wait for its server.
//
// Floor 2. Any thread. core/ starts no thread, so it is told who closes what takes long.
#ifndef SHUNTFS_CORE_FILE_CLOSER_H_
#define SHUNTFS_CORE_FILE_CLOSER_H_

#include <functional>
#include <utility>

#include "core/base/unique_fd.h"
#include "core/data_io.h"

namespace shuntfs {

class FileCloser {
 public:
  // Closes the descriptor soon, on a thread that may wait; or at once when there is none.
  using Later = std::function<void(UniqueFd, WaitsFor)>;

  // Before the first request. Without it everything is closed at once.
  void UseLater(Later later) { later_ = std::move(later); }

  // `may_wait`: of a file system that may never answer.
  void Close(UniqueFd fd, bool may_wait = false) const;

 private:
  Later later_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_FILE_CLOSER_H_
