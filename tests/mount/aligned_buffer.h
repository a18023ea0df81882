// Memory that O_DIRECT accepts everywhere.
//
// Floor: tests. Owner: the object owns the memory. Threads: no shared state.
#ifndef SHUNTFS_TESTS_MOUNT_ALIGNED_BUFFER_H_
#define SHUNTFS_TESTS_MOUNT_ALIGNED_BUFFER_H_

#include <cstdlib>
#include <memory>
#include <string>

namespace shuntfs::mount_test {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignmentBytes = 4096;

  // `size` bytes, a multiple of kAlignmentBytes.
  explicit AlignedBuffer(size_t size)
      : size_(size),
        data_(static_cast<char*>(std::aligned_alloc(kAlignmentBytes, size)), &std::free) {}
  char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::string text() const { return std::string(data_.get(), size_); }

 private:
  size_t size_;
  std::unique_ptr<char, decltype(&std::free)> data_;
};

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_ALIGNED_BUFFER_H_
