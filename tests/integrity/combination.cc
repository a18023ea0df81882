#include "tests/integrity/combination.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/integrity/pattern.h"

namespace shuntfs::tests {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr int64_t kPageBytes = 4096;
constexpr int64_t kOddBytes = 13;        // what an unaligned range and buffer begin behind a page
constexpr int64_t kFileBytes = 8 << 20;  // room for every range
constexpr int kRaceRounds = 4;

struct Freed {
  void operator()(unsigned char* memory) const { std::free(memory); }
};

class Trial {
 public:
  Trial(const Combination& combination, uint64_t number, const std::string& dir,
        const std::string& backing)
      : combination_(combination),
        path_(dir + "/file" + std::to_string(number)),
        backing_path_(backing + "/file" + std::to_string(number)),
        before_(2 * number),
        written_(2 * number + 1),
        offset_(2 * kPageBytes + (combination.aligned ? 0 : kOddBytes)),
        memory_(static_cast<unsigned char*>(
            std::aligned_alloc(kPageBytes, static_cast<size_t>(kFileBytes)))),
        buffer_(memory_.get() + (combination.aligned ? 0 : kOddBytes)) {}

  ~Trial() {
    if (mapping_ != nullptr) munmap(mapping_, kFileBytes);
    if (fd_ >= 0) close(fd_);
    if (direct_fd_ >= 0) close(direct_fd_);
    unlink(path_.c_str());
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  std::string Run() {
    Prepare();
    if (combination_.place == Place::kRacingTruncate) {
      Race();
    } else {
      Read();
      Write();
      CompareAll("after the write");
      DropCache();
      CompareAll("with nothing cached");
    }
    CompareBacking();
    return failure_;
  }

 private:
  int64_t end() const { return offset_ + combination_.bytes; }
  int64_t size() const { return static_cast<int64_t>(model_.size()); }

  // Makes the file past the mount, and opens it in the mount.
  void Prepare() {
    int64_t length = end() + kPageBytes + kOddBytes;
    if (combination_.place == Place::kAcrossEnd) length = offset_ + combination_.bytes / 2;
    if (combination_.place == Place::kBeyondEnd) length = offset_ - kPageBytes - kOddBytes;
    model_ = before_.Bytes(0, length);
    const int64_t hole = offset_ + combination_.bytes / 4;
    const int64_t hole_end = offset_ + combination_.bytes * 3 / 4;
    const bool has_hole = combination_.place == Place::kAcrossHole;
    if (has_hole) std::fill(model_.begin() + hole, model_.begin() + hole_end, 0);

    const int fd = open(backing_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return FailWithErrno("making the file");
    const int64_t first = has_hole ? hole : length;
    const int64_t second = has_hole ? hole_end : length;
    if (ftruncate(fd, length) != 0 || pwrite(fd, model_.data(), Size(first), 0) != first ||
        pwrite(fd, model_.data() + second, Size(length - second), second) != length - second) {
      FailWithErrno("filling the file");
    }
    close(fd);

    fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    direct_fd_ = open(path_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd_ < 0 || direct_fd_ < 0) return FailWithErrno("open");
    void* const mapping = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (mapping == MAP_FAILED) return FailWithErrno("mmap");
    mapping_ = static_cast<unsigned char*>(mapping);
  }

  // ---- against the model ----

  void Read() {
    if (!failure_.empty()) return;
    const int64_t expected = std::clamp(size() - offset_, int64_t{0}, combination_.bytes);
    if (combination_.access == Access::kMapped) {
      // To the end of the last page, behind the end of the file, there are zeros.
      const int64_t mapped = (size() + kPageBytes - 1) / kPageBytes * kPageBytes;
      const int64_t length = std::clamp(mapped - offset_, int64_t{0}, combination_.bytes);
      Bytes right = model_;
      right.resize(Size(std::max(mapped, end())));
      Compare("mapped read", mapping_ + offset_, right.data() + offset_, length);
      return;
    }
    const ssize_t count = pread(Descriptor(), buffer_, Size(combination_.bytes), offset_);
    if (count < 0) return FailWithErrno("read");
    if (count != expected) {
      return Fail("read gives " + std::to_string(count) + " bytes, not " +
                  std::to_string(expected));
    }
    Compare("read", buffer_, model_.data() + offset_, count);
  }

  void Write() {
    if (!failure_.empty()) return;
    if (size() < end()) model_.resize(Size(end()));
    written_.Fill(offset_, model_.data() + offset_, combination_.bytes);
    if (combination_.access == Access::kMapped) {
      if (ftruncate(fd_, size()) != 0) return FailWithErrno("truncate");
      written_.Fill(offset_, mapping_ + offset_, combination_.bytes);
      if (msync(mapping_, kFileBytes, MS_SYNC) != 0) FailWithErrno("msync");
      return;
    }
    written_.Fill(offset_, buffer_, combination_.bytes);
    const ssize_t count = pwrite(Descriptor(), buffer_, Size(combination_.bytes), offset_);
    if (count < 0) return FailWithErrno("write");
    if (count != combination_.bytes) Fail("write takes " + std::to_string(count) + " bytes");
  }

  void CompareAll(const char* when) {
    if (!failure_.empty()) return;
    struct stat attributes = {};
    if (fstat(fd_, &attributes) != 0) return FailWithErrno("fstat");
    CompareContent(when, fd_, attributes.st_size);
  }

  void DropCache() {
    if (!failure_.empty()) return;
    // Only clean pages go, and only those that nobody maps.
    munmap(mapping_, kFileBytes);
    mapping_ = nullptr;
    if (fsync(fd_) != 0) return FailWithErrno("fsync");
    if (posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED) != 0) Fail("fadvise");
  }

  void CompareBacking() {
    if (!failure_.empty()) return;
    const int fd = open(backing_path_.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat attributes = {};
    if (fd < 0 || fstat(fd, &attributes) != 0) return FailWithErrno("opening the backing file");
    CompareContent("in the backing file", fd, attributes.st_size);
    close(fd);
  }

  void CompareContent(const char* when, int fd, int64_t reported) {
    Bytes bytes(Size(kFileBytes));
    const ssize_t count = pread(fd, bytes.data(), bytes.size(), 0);
    if (count != size() || reported != size()) {
      return Fail(std::string(when) + " there are " + std::to_string(count) +
                  " bytes, fstat says " + std::to_string(reported) + ", should be " +
                  std::to_string(size()));
    }
    Compare(when, bytes.data(), model_.data(), count);
  }

  void Compare(const char* what, const unsigned char* actual, const unsigned char* right,
               int64_t length) {
    if (length == 0 || std::memcmp(actual, right, Size(length)) == 0) return;
    const auto at = std::mismatch(actual, actual + length, right).first - actual;
    Fail(std::string(what) + ": byte " + std::to_string(at) + " of " + std::to_string(length) +
         " is " + std::to_string(actual[at]) + " instead of " + std::to_string(right[at]));
  }

  // ---- against another thread that truncates ----

  // What is read is what was there, or a zero where the end has been; never anything else. What is
  // written is what was there, so both hold throughout.
  void Race() {
    if (!failure_.empty()) return;
    const int64_t full = size();
    const int64_t cut = offset_ + combination_.bytes / 2;
    std::atomic<uint64_t> truncations{0};
    std::atomic<bool> stop{false};
    std::atomic<int> error{0};
    std::thread truncator([this, full, cut, &truncations, &stop, &error] {
      while (!stop) {
        if (ftruncate(fd_, cut) != 0 || ftruncate(fd_, full) != 0) error = errno;
        ++truncations;
      }
    });
    for (int round = 0; round < kRaceRounds && failure_.empty(); ++round) {
      const uint64_t begun = truncations;
      do {  // until the end has moved meanwhile
        ReadInRace();
        WriteInRace();
      } while (failure_.empty() && error == 0 && truncations == begun);
    }
    stop = true;
    truncator.join();
    if (error != 0) Fail("truncate, in the race: errno " + std::to_string(error));
    TakeOver(full);
  }

  void ReadInRace() {
    std::memset(buffer_, 0, Size(combination_.bytes));
    if (combination_.access == Access::kMapped) {
      ReadMappedInRace();
    } else if (pread(Descriptor(), buffer_, Size(combination_.bytes), offset_) < 0) {
      return FailWithErrno("read, in the race");
    }
    // What a short read left of the buffer as well.
    CheckForeign("read, in the race", offset_, buffer_, combination_.bytes);
  }

  void WriteInRace() {
    before_.Fill(offset_, buffer_, combination_.bytes);
    if (combination_.access == Access::kMapped) return WriteMappedInRace();
    const ssize_t count = pwrite(Descriptor(), buffer_, Size(combination_.bytes), offset_);
    if (count != combination_.bytes) FailWithErrno("write, in the race");
  }

  // A load behind the end would end the process; a system call that meets the same page says
  // EFAULT.
  void ReadMappedInRace() {
    const int scratch = Scratch();
    const ssize_t count = pwrite(scratch, mapping_ + offset_, Size(combination_.bytes), 0);
    if (count < 0 && errno != EFAULT) FailWithErrno("mapped read, in the race");
    if (count > 0 && pread(scratch, buffer_, Size(count), 0) != count)
      FailWithErrno("scratch file");
    close(scratch);
  }

  void WriteMappedInRace() {
    const int scratch = Scratch();
    if (pwrite(scratch, buffer_, Size(combination_.bytes), 0) != combination_.bytes)
      FailWithErrno("scratch file");
    const ssize_t count = pread(scratch, mapping_ + offset_, Size(combination_.bytes), 0);
    if (count < 0 && errno != EFAULT) FailWithErrno("mapped write, in the race");
    close(scratch);
  }

  int Scratch() {
    const int fd = memfd_create("combination", MFD_CLOEXEC);
    if (fd < 0) FailWithErrno("memfd_create");
    return fd;
  }

  // What is in the file after the race is the model of the comparisons that follow.
  void TakeOver(int64_t full) {
    DropCache();
    if (!failure_.empty()) return;
    model_.assign(Size(kFileBytes), 0);
    const ssize_t count = pread(fd_, model_.data(), model_.size(), 0);
    if (count < full) return Fail("after the race there are " + std::to_string(count) + " bytes");
    model_.resize(Size(count));
    CheckForeign("after the race", 0, model_.data(), count);
  }

  void CheckForeign(const char* what, int64_t offset, const unsigned char* bytes, int64_t length) {
    const int64_t foreign = before_.FirstForeign(offset, bytes, length);
    if (foreign < 0) return;
    Fail(std::string(what) + ": byte " + std::to_string(foreign) + " of " + std::to_string(length) +
         ", " + std::to_string(bytes[foreign]) + ", was never there");
  }

  // ----

  int Descriptor() const { return combination_.access == Access::kDirect ? direct_fd_ : fd_; }
  static size_t Size(int64_t length) { return static_cast<size_t>(length); }

  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }
  void FailWithErrno(const char* what) {
    Fail(std::string(what) + " failed or was short, errno " + strerrorname_np(errno));
  }

  const Combination combination_;
  const std::string path_;
  const std::string backing_path_;
  const Pattern before_;
  const Pattern written_;
  const int64_t offset_;
  const std::unique_ptr<unsigned char, Freed> memory_;
  unsigned char* const buffer_;
  Bytes model_;
  int fd_ = -1;
  int direct_fd_ = -1;
  unsigned char* mapping_ = nullptr;
  std::string failure_;
};

}  // namespace

std::string Describe(const Combination& combination) {
  static constexpr const char* kAccessNames[] = {"buffered", "direct", "mapped"};
  static constexpr const char* kPlaceNames[] = {"inside", "across the end", "beyond the end",
                                                "across a hole", "racing truncate"};
  return std::string(kAccessNames[static_cast<size_t>(combination.access)]) +
         (combination.aligned ? ", aligned, " : ", not aligned, ") +
         std::to_string(combination.bytes) + " bytes, " +
         kPlaceNames[static_cast<size_t>(combination.place)];
}

std::string Check(const Combination& combination, uint64_t number, const std::string& dir,
                  const std::string& backing) {
  return Trial(combination, number, dir, backing).Run();
}

}  // namespace shuntfs::tests
