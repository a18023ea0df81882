// One file, changed and read in random ways, and the bytes that it must hold.
//
// Every way to reach the content is mixed with every other: buffered and direct descriptors, an
// appending one, a mapping that lives through truncations, preallocation, holes, copies within the
// file, dropped caches, reopening. After each step that changes something the model is changed
// alike, and each read is compared with it. fsync is followed by a comparison with the backing
// file, read past the mount.
//
// Owner: tests/integrity; the exerciser owns descriptors and mapping. Thread: one.
// Errors: Run() says what differed, and what led there.
#ifndef SHUNTFS_TESTS_INTEGRITY_FILE_EXERCISER_H_
#define SHUNTFS_TESTS_INTEGRITY_FILE_EXERCISER_H_

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace shuntfs::tests {

class FileExerciser {
 public:
  struct Options {
    std::string path;
    // The same file past the mount; empty if there is none to compare with.
    std::string backing_path;
    uint64_t seed = 1;
    uint64_t operations = 5000;
    int64_t max_length_bytes = 1 << 20;
  };

  explicit FileExerciser(const Options& options);
  ~FileExerciser();
  FileExerciser(const FileExerciser&) = delete;
  FileExerciser& operator=(const FileExerciser&) = delete;

  // Empty when everything agreed.
  std::string Run();

 private:
  using Bytes = std::vector<unsigned char>;

  struct Range {
    int64_t offset;
    int64_t length;
  };

  void OpenAll(bool create);
  void CloseAll();
  void Step();
  void ReadBuffered();
  void WriteBuffered();
  void WriteVector();
  void Append();
  void ReadDirect();
  void WriteDirect();
  void ReadMapped();
  void WriteMapped();
  void Truncate();
  void Allocate(int flags, const char* name);
  void CopyWithin();
  void SyncAndCompare();
  void DropCache();
  void CheckSize();

  int64_t Uniform(int64_t low, int64_t high);
  Range AnyRange();
  Range AlignedRange();
  Range RangeInside();
  int AnyDescriptor();
  Bytes Fill(int64_t length);
  void Store(int64_t offset, const Bytes& bytes);
  void Compare(const char* what, int64_t offset, const unsigned char* actual, int64_t length);
  void Log(const char* what, Range range);
  void Fail(const std::string& what);
  void FailWithErrno(const char* call);
  int64_t size() const { return static_cast<int64_t>(model_.size()); }

  const Options options_;
  std::mt19937_64 random_;
  Bytes model_;
  int first_fd_ = -1;
  int second_fd_ = -1;
  int append_fd_ = -1;
  int direct_fd_ = -1;
  unsigned char* mapping_ = nullptr;
  unsigned char* aligned_buffer_ = nullptr;
  bool zero_range_works_ = true;
  uint64_t step_ = 0;
  std::deque<std::string> log_;
  std::string failure_;
};

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_FILE_EXERCISER_H_
