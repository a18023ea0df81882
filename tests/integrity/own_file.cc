#include "tests/integrity/own_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace shuntfs::tests {
namespace {

constexpr int64_t kPageBytes = 4096;
// Several of the largest requests, so that one call needs several slices of a pool at once.
constexpr int64_t kMaxLengthBytes = 4 << 20;

// What a client sees of a file system whose daemon ended or whose connection was aborted.
bool TellsOfTheEnd(int error) {
  return error == ENOTCONN || error == ECONNABORTED || error == EIO || error == ECANCELED;
}

}  // namespace

OwnFile::OwnFile(std::string path, uint64_t number, uint64_t seed)
    : path_(std::move(path)),
      pattern_(number),
      random_(seed),
      buffer_(
          static_cast<unsigned char*>(std::aligned_alloc(kPageBytes, kMaxFileBytes + kPageBytes))) {
}

OwnFile::~OwnFile() {
  if (mapping_ != nullptr) munmap(mapping_, kMaxFileBytes);
  if (buffered_fd_ >= 0) close(buffered_fd_);
  if (direct_fd_ >= 0) close(direct_fd_);
  std::free(buffer_);
}

OwnFile::Outcome OwnFile::Open() {
  buffered_fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (buffered_fd_ < 0) return Error("open");
  direct_fd_ = open(path_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  if (direct_fd_ < 0) return Error("open for direct I/O");
  void* const mapping = mmap(nullptr, kMaxFileBytes, PROT_READ, MAP_SHARED, buffered_fd_, 0);
  if (mapping == MAP_FAILED) return Error("mmap");
  mapping_ = static_cast<unsigned char*>(mapping);
  struct stat attributes = {};
  if (fstat(buffered_fd_, &attributes) != 0) return Error("fstat");
  size_ = attributes.st_size;
  return Outcome::kDone;
}

OwnFile::Outcome OwnFile::Step() {
  switch (Uniform(0, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return ReadDirect();
    case 4:
    case 5:
    case 6:
      return ReadBuffered();
    case 7:
      return ReadMapped();
    case 8:
    case 9:
    case 10:
      return Write(buffered_fd_, "buffered write");
    case 11:
    case 12:
    case 13:
    case 14:
      return Write(direct_fd_, "direct write");
    default:
      return Truncate();
  }
}

OwnFile::Outcome OwnFile::CheckAll() {
  if (const Outcome dropped = DropCache(); dropped != Outcome::kDone) return dropped;
  std::memset(buffer_, 0, kMaxFileBytes);
  const ssize_t count = pread(buffered_fd_, buffer_, kMaxFileBytes, 0);
  if (count < 0) return Error("reading all of it");
  if (count != size_) {
    return Fail("has " + std::to_string(count) + " bytes, not " + std::to_string(size_));
  }
  return Check("reading all of it", 0, buffer_, count);
}

OwnFile::Outcome OwnFile::ReadDirect() {
  const int64_t offset = AnyOffset();
  const int64_t length = AnyLength();
  unsigned char* const bytes = AnyMemory();
  std::memset(bytes, 0, static_cast<size_t>(length));
  const ssize_t count = pread(direct_fd_, bytes, static_cast<size_t>(length), offset);
  if (count < 0) return Error("direct read");
  const int64_t expected = std::clamp(size_ - offset, int64_t{0}, length);
  if (const Outcome checked = Check("direct read", offset, bytes, length);
      checked != Outcome::kDone || count == expected) {
    return checked;
  }
  return Short("direct read", offset, expected, count,
               pread(direct_fd_, bytes, static_cast<size_t>(length), offset + count));
}

OwnFile::Outcome OwnFile::ReadBuffered() {
  if (const Outcome dropped = DropCache(); dropped != Outcome::kDone) return dropped;
  const int64_t offset = AnyOffset();
  const int64_t length = AnyLength();
  unsigned char* const bytes = AnyMemory();
  std::memset(bytes, 0, static_cast<size_t>(length));
  const ssize_t count = pread(buffered_fd_, bytes, static_cast<size_t>(length), offset);
  if (count < 0) return Error("buffered read");
  const int64_t expected = std::clamp(size_ - offset, int64_t{0}, length);
  if (const Outcome checked = Check("buffered read", offset, bytes, length);
      checked != Outcome::kDone || count == expected) {
    return checked;
  }
  return Short("buffered read", offset, expected, count,
               pread(buffered_fd_, bytes, static_cast<size_t>(length), offset + count));
}

OwnFile::Outcome OwnFile::ReadMapped() {
  if (const Outcome dropped = DropCache(); dropped != Outcome::kDone) return dropped;
  const int64_t offset = std::min(AnyOffset(), size_);
  const int64_t length = std::min(AnyLength(), size_ - offset);
  if (length == 0) return Outcome::kDone;
  // Through a pipe's eyes: a system call says EFAULT where a load would end the process, because
  // the file system has gone.
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error("pipe");
  Outcome outcome = Outcome::kDone;
  int64_t done = 0;
  while (done < length && outcome == Outcome::kDone) {
    const ssize_t in = write(ends[1], mapping_ + offset + done, static_cast<size_t>(length - done));
    if (in <= 0) {
      if (errno == EFAULT) errno = EIO;
      outcome = Error("mapped read");
      break;
    }
    if (read(ends[0], buffer_, static_cast<size_t>(in)) != in) {
      outcome = Fail("the pipe lost bytes");
      break;
    }
    outcome = Check("mapped read", offset + done, buffer_, in);
    done += in;
  }
  close(ends[0]);
  close(ends[1]);
  return outcome;
}

OwnFile::Outcome OwnFile::Write(int fd, const char* what) {
  const int64_t length = AnyLength();
  const int64_t offset = std::min(AnyOffset(), kMaxFileBytes - length);
  unsigned char* const bytes = AnyMemory();
  pattern_.Fill(offset, bytes, length);
  const ssize_t count = pwrite(fd, bytes, static_cast<size_t>(length), offset);
  if (count < 0) return Error(what);
  if (count < length) {
    return Short(what, offset, length, count,
                 pwrite(fd, bytes + count, static_cast<size_t>(length - count), offset + count));
  }
  size_ = std::max(size_, offset + length);
  return Outcome::kDone;
}

OwnFile::Outcome OwnFile::Truncate() {
  // Mostly a little, so that there is something to read.
  const int64_t lost = Uniform(0, 9) == 0 ? size_ : std::min<int64_t>(size_, Uniform(1, 20000));
  if (ftruncate(buffered_fd_, size_ - lost) != 0) return Error("truncate");
  size_ -= lost;
  return Outcome::kDone;
}

OwnFile::Outcome OwnFile::DropCache() {
  const int error = posix_fadvise(buffered_fd_, 0, 0, POSIX_FADV_DONTNEED);
  errno = error;
  return error == 0 ? Outcome::kDone : Error("fadvise");
}

int64_t OwnFile::Uniform(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random_() % (static_cast<uint64_t>(high - low) + 1));
}

int64_t OwnFile::AnyLength() {
  switch (Uniform(0, 19)) {
    case 0:
      return kMaxLengthBytes;
    case 1:
      return Uniform(1, kMaxLengthBytes);
    case 2:
    case 3:
    case 4:
    case 5:
      return Uniform(1, 32) * kPageBytes;
    case 6:
    case 7:
    case 8:
      return Uniform(1, 300000);
    default:
      return Uniform(1, 2 * kPageBytes);
  }
}

int64_t OwnFile::AnyOffset() {
  // Often across the end.
  const int64_t last = std::min(size_ + 2 * kPageBytes, kMaxFileBytes);
  const int64_t first = Uniform(0, 2) == 0 ? std::max<int64_t>(0, size_ - 3 * kPageBytes) : 0;
  const int64_t offset = Uniform(first, last);
  return Uniform(0, 1) == 0 ? offset : offset / kPageBytes * kPageBytes;
}

unsigned char* OwnFile::AnyMemory() {
  return buffer_ + (Uniform(0, 1) == 0 ? 0 : Uniform(1, kPageBytes - 1));
}

OwnFile::Outcome OwnFile::Check(const char* what, int64_t offset, const unsigned char* bytes,
                                int64_t length) {
  const int64_t foreign = pattern_.FirstForeign(offset, bytes, length);
  if (foreign < 0) return Outcome::kDone;
  char first[32];
  std::snprintf(first, sizeof(first), "%#04x", bytes[foreign]);
  return Fail(std::string(what) + " of " + std::to_string(length) + " bytes at " +
              std::to_string(offset) + ": byte " + std::to_string(foreign) + ", " + first +
              ", is not of this file");
}

OwnFile::Outcome OwnFile::Short(const char* what, int64_t offset, int64_t expected, int64_t count,
                                ssize_t rest) {
  if (rest < 0) return Error(what);
  return Fail(std::string(what) + " at " + std::to_string(offset) + " gives " +
              std::to_string(count) + " bytes, not " + std::to_string(expected));
}

OwnFile::Outcome OwnFile::Error(const char* what) {
  const int error = errno;
  message_ = path_ + ": " + what + ": " + strerrorname_np(error);
  return TellsOfTheEnd(error) ? Outcome::kEnded : Outcome::kFailed;
}

OwnFile::Outcome OwnFile::Fail(const std::string& what) {
  message_ = path_ + ": " + what;
  return Outcome::kFailed;
}

}  // namespace shuntfs::tests
