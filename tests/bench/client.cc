// The workloads of the benchmark, as one program that costs little itself.
//
//   bench_client WORKLOAD --dir=DIR [--native=DIR] [--file=NAME] [--jobs=N] [--depth=N]
//                [--block=BYTES] [--ms=N] [--files=N] [--cpu=N] [--keep-cache]
//
// Each job is a process. Prints one line of JSON: operations, bytes, seconds, p50_ns, p99_ns, and
// how often the jobs moved between CPUs.
//
//   on the file NAME in DIR (default f0):
//     read         random direct reads, DEPTH at a time
//     directwrite  direct writes from the first block to the last, again and again
//     coldread     buffered sequential reads, the page cache dropped before each pass
//     write        buffered sequential writes, an fsync after each pass
//     randwrite    buffered random writes and an fsync at the end
//     open         open and close
//     fstat        fstat of the open file (a GETATTR, where attributes are not cached)
//     stat         stat by name (a LOOKUP, where names are not cached)
//   in DIR, of which --native is the same directory on the backing file system, where the mount
//   does not see what is prepared:
//     create       new files
//     coldstat     stat of files that the mount has not seen
//     unlink       unlink of files that the mount has not seen
//     list         readdir of directories that the mount has not seen, and lstat of all in them
#include <getopt.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "tests/bench/meter.h"
#include "tests/bench/workload.h"

namespace shuntfs::bench {
namespace {

struct ClientOptions {
  WorkloadOptions work;
  std::string workload;
  int jobs = 1;
  int cpu = -1;
};

bool Parse(int argc, char** argv, ClientOptions* options) {
  enum { kDir = 1, kNative, kFile, kJobs, kDepth, kBlock, kMs, kFiles, kCpu, kKeepCache };
  static const option kLong[] = {{"dir", required_argument, nullptr, kDir},
                                 {"native", required_argument, nullptr, kNative},
                                 {"file", required_argument, nullptr, kFile},
                                 {"jobs", required_argument, nullptr, kJobs},
                                 {"depth", required_argument, nullptr, kDepth},
                                 {"block", required_argument, nullptr, kBlock},
                                 {"ms", required_argument, nullptr, kMs},
                                 {"files", required_argument, nullptr, kFiles},
                                 {"cpu", required_argument, nullptr, kCpu},
                                 {"keep-cache", no_argument, nullptr, kKeepCache},
                                 {nullptr, 0, nullptr, 0}};
  WorkloadOptions& work = options->work;
  for (int choice; (choice = getopt_long(argc, argv, "", kLong, nullptr)) != -1;) {
    switch (choice) {
      case kDir:
        work.dir = optarg;
        break;
      case kNative:
        work.native = optarg;
        break;
      case kFile:
        work.file = optarg;
        break;
      case kJobs:
        options->jobs = std::atoi(optarg);
        break;
      case kDepth:
        work.depth = std::atoi(optarg);
        break;
      case kBlock:
        work.block_bytes = std::strtoul(optarg, nullptr, 0);
        break;
      case kMs:
        work.duration_ms = std::atol(optarg);
        break;
      case kFiles:
        work.files = std::atoi(optarg);
        break;
      case kCpu:
        options->cpu = std::atoi(optarg);
        break;
      case kKeepCache:
        work.keep_cache = true;
        break;
      default:
        return false;
    }
  }
  if (optind + 1 != argc) return false;
  options->workload = argv[optind];
  if (work.native.empty()) work.native = work.dir;
  return !work.dir.empty() && options->jobs > 0 && work.depth > 0 && work.block_bytes > 0 &&
         work.files > 0;
}

struct Shared {
  std::atomic<int> arrived{0};
};

void Print(const Meter& total) {
  const double seconds = static_cast<double>(total.elapsed_ns()) / 1e9;
  std::printf(
      "{\"operations\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"per_second\":%.1f,"
      "\"p50_ns\":%llu,\"p99_ns\":%llu,\"cpu_changes\":%llu}\n",
      static_cast<unsigned long long>(total.operations()),
      static_cast<unsigned long long>(total.bytes()), seconds,
      static_cast<double>(total.operations()) / seconds,
      static_cast<unsigned long long>(total.latencies().PercentileNs(0.5)),
      static_cast<unsigned long long>(total.latencies().PercentileNs(0.99)),
      static_cast<unsigned long long>(total.cpu_changes()));
}

int Main(int argc, char** argv) {
  ClientOptions options;
  const bool parsed = Parse(argc, argv, &options);
  const Workload* workload = FindDataWorkload(options.workload);
  if (workload == nullptr) workload = FindNameWorkload(options.workload);
  if (!parsed || workload == nullptr) {
    std::fputs("usage: bench_client WORKLOAD --dir=DIR [OPTIONS]; see the head of client.cc\n",
               stderr);
    return 1;
  }
  const size_t jobs = static_cast<size_t>(options.jobs);
  void* memory = mmap(nullptr, sizeof(Shared) + (jobs + 1) * sizeof(Meter), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Die("mmap", errno);
  auto* meters = static_cast<Meter*>(memory);
  for (size_t i = 0; i <= jobs; ++i) new (&meters[i]) Meter();
  auto* shared = new (&meters[jobs + 1]) Shared();
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(options.cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) Die("sched_setaffinity", errno);
  }
  for (int i = 0; i < options.jobs; ++i) {
    const pid_t child = fork();
    if (child < 0) Die("fork", errno);
    if (child == 0) {
      WorkloadOptions work = options.work;
      work.job = i;
      if (workload->prepare != nullptr) workload->prepare(work);
      shared->arrived.fetch_add(1);
      while (shared->arrived.load() < options.jobs) sched_yield();
      Meter* meter = &meters[i];
      meter->Start(work.duration_ms);
      workload->run(work, meter);
      if (meter->elapsed_ns() == 0) meter->Stop();
      _exit(0);
    }
  }
  int failed = 0;
  for (int i = 0, status = 0; i < options.jobs; ++i) {
    if (wait(&status) < 0 || status != 0) failed = 1;
  }
  if (failed != 0) return 1;
  Meter* total = &meters[jobs];
  for (size_t i = 0; i < jobs; ++i) total->Merge(meters[i]);
  Print(*total);
  return 0;
}

}  // namespace

void Die(const std::string& what, int error) {
  std::fprintf(stderr, "bench_client: %s: %s\n", what.c_str(), std::strerror(error));
  _exit(1);
}

}  // namespace shuntfs::bench

int main(int argc, char** argv) { return shuntfs::bench::Main(argc, argv); }
