// A file with a pattern of its own, and a client that reads and writes it in random ways: buffered,
// direct and mapped, in sizes from one byte to several requests, at odd places, past its end.
//
// The client writes nothing but the pattern, so whatever it reads is the pattern or a hole's zero,
// however often it was killed in the middle of a write, and whoever else uses the mount. What a
// short read leaves of the buffer is looked at as well.
//
// Owner: tests/integrity; the file owns its descriptors and mapping. Thread: one.
// Errors: Step() says how it went; message() has the first failure.
#ifndef SHUNTFS_TESTS_INTEGRITY_OWN_FILE_H_
#define SHUNTFS_TESTS_INTEGRITY_OWN_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <random>
#include <string>

#include "tests/integrity/pattern.h"

namespace shuntfs::tests {

class OwnFile {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kEnded,  // the file system said that it has gone
    kFailed,
  };

  static constexpr int64_t kMaxFileBytes = 8 << 20;

  OwnFile(std::string path, uint64_t number, uint64_t seed);
  ~OwnFile();
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  // Opens the file, which is made when there is none.
  Outcome Open();
  // One operation that asks something of the daemon.
  Outcome Step();
  // Reads the whole file, with nothing cached.
  Outcome CheckAll();

  const std::string& message() const { return message_; }

 private:
  Outcome ReadDirect();
  Outcome ReadBuffered();
  Outcome ReadMapped();
  Outcome Write(int fd, const char* what);
  Outcome Truncate();
  Outcome DropCache();

  int64_t Uniform(int64_t low, int64_t high);
  int64_t AnyLength();
  int64_t AnyOffset();
  // A place in the buffer, at an odd address in half of the cases.
  unsigned char* AnyMemory();
  Outcome Check(const char* what, int64_t offset, const unsigned char* bytes, int64_t length);
  // Fewer bytes than there are: right when an error cut the call off, which `rest`, what the same
  // call for the rest gave, tells then.
  Outcome Short(const char* what, int64_t offset, int64_t expected, int64_t count, ssize_t rest);
  Outcome Error(const char* what);
  Outcome Fail(const std::string& what);

  const std::string path_;
  const Pattern pattern_;
  std::mt19937_64 random_;
  unsigned char* buffer_;
  int buffered_fd_ = -1;
  int direct_fd_ = -1;
  unsigned char* mapping_ = nullptr;
  int64_t size_ = 0;
  std::string message_;
};

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_OWN_FILE_H_
