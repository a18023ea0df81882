#include "tests/integrity/file_exerciser.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace shuntfs::tests {
namespace {

// What direct I/O asks of offsets, lengths and memory on every common device.
constexpr int64_t kDirectAlignment = 4096;
constexpr size_t kLogLines = 60;

}  // namespace

FileExerciser::FileExerciser(const Options& options)
    : options_(options),
      random_(options.seed),
      aligned_buffer_(static_cast<unsigned char*>(
          std::aligned_alloc(kDirectAlignment, static_cast<size_t>(options.max_length_bytes)))) {}

FileExerciser::~FileExerciser() {
  CloseAll();
  std::free(aligned_buffer_);
}

std::string FileExerciser::Run() {
  OpenAll(/*create=*/true);
  for (step_ = 0; step_ < options_.operations && failure_.empty(); ++step_) {
    Step();
    CheckSize();
  }
  if (failure_.empty()) SyncAndCompare();
  if (failure_.empty()) return "";
  std::string report = "seed " + std::to_string(options_.seed) + ": " + failure_ + "\n";
  for (const std::string& line : log_) report += "  " + line + "\n";
  return report;
}

void FileExerciser::OpenAll(bool create) {
  const char* const path = options_.path.c_str();
  first_fd_ = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0644);
  second_fd_ = open(path, O_RDWR | O_CLOEXEC);
  append_fd_ = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  direct_fd_ = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
  if (first_fd_ < 0 || second_fd_ < 0 || append_fd_ < 0 || direct_fd_ < 0) {
    FailWithErrno("open");
    return;
  }
  // One mapping for the largest file; only what lies inside the file is touched.
  void* const mapping = mmap(nullptr, static_cast<size_t>(options_.max_length_bytes),
                             PROT_READ | PROT_WRITE, MAP_SHARED, second_fd_, 0);
  if (mapping == MAP_FAILED) {
    FailWithErrno("mmap");
    return;
  }
  mapping_ = static_cast<unsigned char*>(mapping);
}

void FileExerciser::CloseAll() {
  if (mapping_ != nullptr) munmap(mapping_, static_cast<size_t>(options_.max_length_bytes));
  mapping_ = nullptr;
  for (int* fd : {&first_fd_, &second_fd_, &append_fd_, &direct_fd_}) {
    // An error that only close can report (a failed flush) must not be lost.
    if (*fd >= 0 && close(*fd) != 0) FailWithErrno("close");
    *fd = -1;
  }
}

void FileExerciser::Step() {
  switch (Uniform(0, 31)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return ReadBuffered();
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
      return WriteBuffered();
    case 10:
      return WriteVector();
    case 11:
      return Append();
    case 12:
    case 13:
      return ReadDirect();
    case 14:
    case 15:
      return WriteDirect();
    case 16:
    case 17:
    case 18:
      return ReadMapped();
    case 19:
    case 20:
    case 21:
      return WriteMapped();
    case 22:
    case 23:
      return Truncate();
    case 24:
      return Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch hole");
    case 25:
      return Allocate(FALLOC_FL_ZERO_RANGE, "zero range");
    case 26:
      return Allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero range keeping size");
    case 27:
      return Allocate(Uniform(0, 1) == 0 ? 0 : FALLOC_FL_KEEP_SIZE, "allocate");
    case 28:
    case 29:
      return CopyWithin();
    case 30:
      return Uniform(0, 3) == 0 ? SyncAndCompare() : DropCache();
    default:
      if (Uniform(0, 3) != 0) return ReadBuffered();
      Log("close and reopen", {0, 0});
      CloseAll();
      if (failure_.empty()) OpenAll(/*create=*/false);
  }
}

void FileExerciser::ReadBuffered() {
  const Range range = AnyRange();
  Log("pread", range);
  Bytes bytes(static_cast<size_t>(range.length));
  const ssize_t count = pread(AnyDescriptor(), bytes.data(), bytes.size(), range.offset);
  if (count < 0) return FailWithErrno("pread");
  const int64_t expected = std::clamp(size() - range.offset, int64_t{0}, range.length);
  if (count != expected) {
    return Fail("pread returned " + std::to_string(count) + ", not " + std::to_string(expected));
  }
  Compare("pread", range.offset, bytes.data(), count);
}

void FileExerciser::WriteBuffered() {
  const Range range = AnyRange();
  Log("pwrite", range);
  const Bytes bytes = Fill(range.length);
  const ssize_t count = pwrite(AnyDescriptor(), bytes.data(), bytes.size(), range.offset);
  if (count != range.length) return FailWithErrno("pwrite");
  Store(range.offset, bytes);
}

void FileExerciser::WriteVector() {
  const Range range = AnyRange();
  Log("pwritev", range);
  Bytes bytes = Fill(range.length);
  const size_t cut = static_cast<size_t>(Uniform(0, range.length));
  const iovec parts[2] = {{bytes.data(), cut}, {bytes.data() + cut, bytes.size() - cut}};
  const ssize_t count = pwritev(AnyDescriptor(), parts, 2, range.offset);
  if (count != range.length) return FailWithErrno("pwritev");
  Store(range.offset, bytes);
}

void FileExerciser::Append() {
  const int64_t length = std::min(options_.max_length_bytes - size(), Uniform(1, 20000));
  if (length == 0) return;
  Log("append", {size(), length});
  const Bytes bytes = Fill(length);
  if (write(append_fd_, bytes.data(), bytes.size()) != length) return FailWithErrno("append");
  Store(size(), bytes);
}

void FileExerciser::ReadDirect() {
  const Range range = AlignedRange();
  Log("direct pread", range);
  const ssize_t count =
      pread(direct_fd_, aligned_buffer_, static_cast<size_t>(range.length), range.offset);
  if (count < 0) return FailWithErrno("direct pread");
  const int64_t expected = std::clamp(size() - range.offset, int64_t{0}, range.length);
  if (count != expected) {
    return Fail("direct pread returned " + std::to_string(count) + ", not " +
                std::to_string(expected));
  }
  Compare("direct pread", range.offset, aligned_buffer_, count);
}

void FileExerciser::WriteDirect() {
  const Range range = AlignedRange();
  Log("direct pwrite", range);
  const Bytes bytes = Fill(range.length);
  std::memcpy(aligned_buffer_, bytes.data(), bytes.size());
  const ssize_t count = pwrite(direct_fd_, aligned_buffer_, bytes.size(), range.offset);
  if (count != range.length) return FailWithErrno("direct pwrite");
  Store(range.offset, bytes);
}

void FileExerciser::ReadMapped() {
  const Range range = RangeInside();
  Log("mapped read", range);
  Compare("mapped read", range.offset, mapping_ + range.offset, range.length);
}

void FileExerciser::WriteMapped() {
  const Range range = RangeInside();
  Log("mapped write", range);
  const Bytes bytes = Fill(range.length);
  std::copy(bytes.begin(), bytes.end(), mapping_ + range.offset);
  Store(range.offset, bytes);
  if (Uniform(0, 4) == 0 &&
      msync(mapping_, static_cast<size_t>(options_.max_length_bytes), MS_SYNC) != 0) {
    FailWithErrno("msync");
  }
}

void FileExerciser::Truncate() {
  const int64_t length = Uniform(0, 9) == 0 ? 0 : AnyRange().offset;
  Log("truncate", {0, length});
  const int result =
      Uniform(0, 1) == 0 ? ftruncate(first_fd_, length) : truncate(options_.path.c_str(), length);
  if (result != 0) return FailWithErrno("truncate");
  model_.resize(static_cast<size_t>(length));
}

void FileExerciser::Allocate(int flags, const char* name) {
  const bool zeroes_range = (flags & FALLOC_FL_ZERO_RANGE) != 0;
  if (zeroes_range && !zero_range_works_) return;
  const Range range = AnyRange();
  Log(name, range);
  if (fallocate(AnyDescriptor(), flags, range.offset, range.length) != 0) {
    // tmpfs has no zero range.
    if (errno != EOPNOTSUPP || !zeroes_range) return FailWithErrno(name);
    zero_range_works_ = false;
    return;
  }
  const int64_t end = range.offset + range.length;
  if ((flags & FALLOC_FL_KEEP_SIZE) == 0 && end > size()) model_.resize(static_cast<size_t>(end));
  if ((flags & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE)) == 0) return;
  const int64_t last = std::min(end, size());
  if (range.offset < last) {
    std::fill(model_.begin() + range.offset, model_.begin() + last, static_cast<unsigned char>(0));
  }
}

void FileExerciser::CopyWithin() {
  const Range from = RangeInside();
  off_t to = Uniform(0, options_.max_length_bytes - from.length);
  // Overlapping ranges are refused by definition.
  if (std::abs(to - from.offset) < from.length || from.length == 0) return;
  Log("copy_file_range from", from);
  Log("copy_file_range to", {to, from.length});
  const Bytes bytes(model_.begin() + from.offset, model_.begin() + from.offset + from.length);
  const off_t start = to;
  off_t source = from.offset;
  int64_t left = from.length;
  while (left > 0) {
    const ssize_t count =
        copy_file_range(first_fd_, &source, second_fd_, &to, static_cast<size_t>(left), 0);
    if (count <= 0) return FailWithErrno("copy_file_range");
    left -= count;
  }
  Store(start, bytes);
}

void FileExerciser::SyncAndCompare() {
  Log("fsync and compare with the backing file", {0, size()});
  if (fsync(AnyDescriptor()) != 0) return FailWithErrno("fsync");
  if (options_.backing_path.empty()) return;
  const int fd = open(options_.backing_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FailWithErrno("opening the backing file");
  Bytes bytes(model_.size() + 1);
  const ssize_t count = pread(fd, bytes.data(), bytes.size(), 0);
  close(fd);
  if (count != size()) {
    return Fail("the backing file has " + std::to_string(count) + " bytes, not " +
                std::to_string(size()));
  }
  Compare("backing file", 0, bytes.data(), count);
}

void FileExerciser::DropCache() {
  Log("drop cached pages", {0, 0});
  // The kernel drops clean pages only, hence the fsync.
  if (fdatasync(first_fd_) != 0) return FailWithErrno("fdatasync");
  if (posix_fadvise(first_fd_, 0, 0, POSIX_FADV_DONTNEED) != 0) FailWithErrno("fadvise");
}

void FileExerciser::CheckSize() {
  if (!failure_.empty()) return;
  struct stat attributes = {};
  if (fstat(AnyDescriptor(), &attributes) != 0) return FailWithErrno("fstat");
  if (attributes.st_size != size()) {
    Fail("fstat says " + std::to_string(attributes.st_size) + " bytes, not " +
         std::to_string(size()));
  }
}

int64_t FileExerciser::Uniform(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random_() % (static_cast<uint64_t>(high - low) + 1));
}

FileExerciser::Range FileExerciser::AnyRange() {
  const int64_t longest = Uniform(0, 9) == 0 ? options_.max_length_bytes / 2 : 20000;
  const int64_t length = Uniform(1, std::min(longest, options_.max_length_bytes));
  // Mostly near what exists, so that files neither stay empty nor always reach their limit.
  const int64_t last = std::min(size() + 30000, options_.max_length_bytes - length);
  return {Uniform(0, last), length};
}

FileExerciser::Range FileExerciser::AlignedRange() {
  Range range = AnyRange();
  range.offset -= range.offset % kDirectAlignment;
  range.length += kDirectAlignment - 1;
  range.length -= range.length % kDirectAlignment;
  range.length = std::min(range.length, options_.max_length_bytes - range.offset);
  return range;
}

FileExerciser::Range FileExerciser::RangeInside() {
  if (size() == 0) return {0, 0};
  const int64_t offset = Uniform(0, size() - 1);
  return {offset, Uniform(1, std::min<int64_t>(size() - offset, 40000))};
}

int FileExerciser::AnyDescriptor() { return Uniform(0, 1) == 0 ? first_fd_ : second_fd_; }

FileExerciser::Bytes FileExerciser::Fill(int64_t length) {
  Bytes bytes(static_cast<size_t>(length));
  uint32_t state = static_cast<uint32_t>(random_()) | 1;
  for (unsigned char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<unsigned char>(state >> 24);
  }
  return bytes;
}

void FileExerciser::Store(int64_t offset, const Bytes& bytes) {
  if (offset + static_cast<int64_t>(bytes.size()) > size()) {
    model_.resize(static_cast<size_t>(offset) + bytes.size());
  }
  std::copy(bytes.begin(), bytes.end(), model_.begin() + offset);
}

void FileExerciser::Compare(const char* what, int64_t offset, const unsigned char* actual,
                            int64_t length) {
  if (length == 0 ||
      std::memcmp(actual, model_.data() + offset, static_cast<size_t>(length)) == 0) {
    return;
  }
  int64_t first = 0;
  int64_t wrong = 0;
  for (int64_t i = length - 1; i >= 0; --i) {
    if (actual[i] == model_[static_cast<size_t>(offset + i)]) continue;
    first = i;
    ++wrong;
  }
  char text[200];
  std::snprintf(text, sizeof(text),
                "%s: %lld of %lld bytes are wrong, the first at %#llx: %#04x instead of %#04x",
                what, static_cast<long long>(wrong), static_cast<long long>(length),
                static_cast<unsigned long long>(offset + first), actual[first],
                model_[static_cast<size_t>(offset + first)]);
  Fail(text);
}

void FileExerciser::Log(const char* what, Range range) {
  char text[160];
  std::snprintf(text, sizeof(text), "%llu: %s [%#llx, %#llx) of %#llx",
                static_cast<unsigned long long>(step_), what,
                static_cast<unsigned long long>(range.offset),
                static_cast<unsigned long long>(range.offset + range.length),
                static_cast<unsigned long long>(size()));
  log_.emplace_back(text);
  if (log_.size() > kLogLines) log_.pop_front();
}

void FileExerciser::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = "step " + std::to_string(step_) + ": " + what;
}

void FileExerciser::FailWithErrno(const char* call) {
  Fail(std::string(call) + " failed or was short, errno " + strerrorname_np(errno));
}

}  // namespace shuntfs::tests
