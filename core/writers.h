// Counts of an inode's files that are open for writing.
//
// Floor 2. Thread-safe. While there is one that goes through the kernel's page cache, the kernel
// may hold data that the backing file does not have yet: stores through a shared mapping, which
// keeps its file open and is written back when it ends, and with the writeback cache every write.
// While there is one that the kernel passes through, attributes of the backing file change without
// a request.
#ifndef SHUNTFS_CORE_WRITERS_H_
#define SHUNTFS_CORE_WRITERS_H_

#include <atomic>
#include <cstdint>

namespace shuntfs {

class Writers {
 public:
  void Begin(bool passed_through) { CountOf(passed_through).fetch_add(1); }
  void End(bool passed_through) { CountOf(passed_through).fetch_sub(1); }
  bool cached() const { return cached_.load() > 0; }
  bool passed_through() const { return passed_through_.load() > 0; }

 private:
  std::atomic<uint32_t>& CountOf(bool passed_through) {
    return passed_through ? passed_through_ : cached_;
  }

  std::atomic<uint32_t> cached_{0};
  std::atomic<uint32_t> passed_through_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_WRITERS_H_
