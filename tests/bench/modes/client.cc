// Reads or writes a file directly, a fixed number of times between the markers that the plugin of
// ../counts knows, and tells how long that took.
//
//   client FILE read|write BYTES OPERATIONS REGIONS LAYOUT
//
// The file must be as large as one region's operations, BYTES * OPERATIONS. Each region passes over
// it once; one pass more comes first and warms up what the first requests of a connection need.
// LAYOUT says where in memory the buffer's pages are: in one huge page (huge), single ones side by
// side (ordered), or anywhere (scattered).
// Prints a line for each region: the nanoseconds that its operations took together. Exit status 1
// when an operation does not transfer all of its bytes, or there is no such buffer.
//
// Floor: tests.
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "tests/bench/modes/markers.h"

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = 2U << 20;

// Linux 6.1, which the headers of older libraries do not know.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct Job {
  int fd;
  bool write;
  char* buffer;
  size_t bytes;
  long operations;
};

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

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
  const int64_t start_ns = NowNs();
  shuntfs::count::MarkBegin();
  const bool complete = Pass(job);
  shuntfs::count::MarkEnd();
  std::printf("%lld\n", static_cast<long long>(NowNs() - start_ns));
  return complete;
}

char* MapMemory(size_t bytes, int advice) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, bytes, advice);  // EINVAL where there are no huge pages, nor need to avoid them
  return static_cast<char*>(memory);
}

// The first bytes of a huge page.
char* MakeHugeBuffer() {
  char* memory = MapMemory(2 * kHugePage, MADV_HUGEPAGE);
  if (memory == nullptr) return nullptr;
  memory += -reinterpret_cast<uintptr_t>(memory) % kHugePage;
  std::memset(memory, 0x5a, kHugePage);
  return madvise(memory, kHugePage, MADV_COLLAPSE) == 0 ? memory : nullptr;
}

// Single pages, neighbours as far as the kernel has some.
char* MakeOrderedBuffer(size_t bytes) {
  char* memory = MapMemory(bytes, MADV_NOHUGEPAGE);
  if (memory != nullptr) std::memset(memory, 0x5a, bytes);
  return memory;
}

// What a program has whose memory was used and freed many times. The kernel gives out neighbours
// one after the other, so these are touched in another order than they lie in, and others between.
char* MakeScatteredBuffer(size_t bytes) {
  constexpr size_t kOthers = 8;
  char* memory = MapMemory(bytes * kOthers, MADV_NOHUGEPAGE);
  if (memory == nullptr) return nullptr;
  std::vector<size_t> pages(bytes * kOthers / kPage);
  std::iota(pages.begin(), pages.end(), size_t{0});
  std::shuffle(pages.begin(), pages.end(), std::mt19937(1));  // the same every time
  for (const size_t page : pages) memory[page * kPage] = 0x5a;
  std::memset(memory, 0x5a, bytes);
  return memory;
}

char* MakeBuffer(std::string_view layout, size_t bytes) {
  if (layout == "huge" && bytes <= kHugePage) return MakeHugeBuffer();
  if (layout == "ordered") return MakeOrderedBuffer(bytes);
  if (layout == "scattered") return MakeScatteredBuffer(bytes);
  errno = EINVAL;
  return nullptr;
}

int Fail(const char* what) {
  std::fprintf(stderr, "client: %s: %s\n", what, std::strerror(errno));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs("usage: client FILE read|write BYTES OPERATIONS REGIONS LAYOUT\n", stderr);
    return 2;
  }
  Job job{};
  job.write = std::string_view(argv[2]) == "write";
  job.bytes = static_cast<size_t>(std::atol(argv[3]));
  job.operations = std::atol(argv[4]);
  const long regions = std::atol(argv[5]);
  job.fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
  if (job.fd < 0) return Fail(argv[1]);
  job.buffer = MakeBuffer(argv[6], job.bytes);
  if (job.buffer == nullptr) return Fail("buffer");

  bool complete = Pass(job);
  for (long i = 0; i < regions && complete; ++i) complete = MarkedPass(job);
  if (!complete) return Fail(argv[2]);
  return 0;
}
