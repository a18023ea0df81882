// Reads or writes a file directly, a fixed number of times between the markers that the plugin
// knows.
//
//   client FILE read|write BYTES OPERATIONS REGIONS
//
// The file must be as large as one region's operations, BYTES * OPERATIONS. Each region passes over
// it once; one pass more comes first and warms up what the first requests of a connection need.
// Exit status 1 when an operation does not transfer all of its bytes.
//
// Floor: tests.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/guest/count/markers.h"

namespace {

struct Job {
  int fd;
  bool write;
  char* buffer;
  size_t bytes;
  long operations;
};

// Whether every operation of one pass was complete.
bool Pass(const Job& job) {
  for (long i = 0; i < job.operations; ++i) {
    const off_t offset = i * static_cast<off_t>(job.bytes);
    const ssize_t done = job.write ? pwrite(job.fd, job.buffer, job.bytes, offset)
                                   : pread(job.fd, job.buffer, job.bytes, offset);
    if (done != static_cast<ssize_t>(job.bytes)) return false;
  }
  return true;
}

bool MarkedPass(const Job& job) {
  shuntfs::count::MarkBegin();
  const bool complete = Pass(job);
  shuntfs::count::MarkEnd();
  return complete;
}

// Ordinary pages, present from the start: what a program has that used its buffer before.
char* MakeBuffer(size_t bytes) {
  void* buffer = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (buffer == MAP_FAILED) return nullptr;
  madvise(buffer, bytes, MADV_NOHUGEPAGE);
  std::memset(buffer, 0x5a, bytes);
  return static_cast<char*>(buffer);
}

int Fail(const char* what) {
  std::fprintf(stderr, "client: %s: %s\n", what, std::strerror(errno));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: client FILE read|write BYTES OPERATIONS REGIONS\n", stderr);
    return 2;
  }
  Job job{};
  job.write = std::string_view(argv[2]) == "write";
  job.bytes = static_cast<size_t>(std::atol(argv[3]));
  job.operations = std::atol(argv[4]);
  const long regions = std::atol(argv[5]);
  job.fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
  if (job.fd < 0) return Fail(argv[1]);
  job.buffer = MakeBuffer(job.bytes);
  if (job.buffer == nullptr) return Fail("buffer");

  bool complete = Pass(job);
  for (long i = 0; i < regions && complete; ++i) complete = MarkedPass(job);
  if (!complete) return Fail(argv[2]);
  return 0;
}
