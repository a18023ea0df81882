// A FUSE file system with one file whose reads carry whatever memory held: the floor of the ring
// transport, and the place to try where workers should run.
//
//   null_ring_server [switches] MNT      (see kUsage; needs root and fuse.enable_uring=Y)
//
// Prints "ready PID" when the mount answers, and one line of JSON with its counters at the end.
// Ends on SIGTERM, SIGINT, or when the connection goes away.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/null_ring_worker.h"

namespace shuntfs::bench {
namespace {

constexpr const char* kUsage =
    "usage: null_ring_server [SWITCHES] MNT\n"
    "  --ring=defer|coop|plain   completion mode of the rings (defer)\n"
    "  --unpinned                let the workers run on any CPU\n"
    "  --spin-us=N               poll so long before sleeping (0)\n"
    "  --share-us=N              hand half of a longer batch to another worker (0: never)\n"
    "  --entries=N               per queue (8)\n"
    "  --spill=N                 so many of them on the next worker's ring (0)\n"
    "  --file=PATH               take what is read from there\n"
    "  --readahead-kb=N          readahead window of the mount\n";

// INIT says it in the upper half of the flags.
constexpr auto kOverIoUring = static_cast<uint32_t>(abi::kInitOverIoUring >> 32);

volatile sig_atomic_t g_stop = 0;
void OnSignal(int) { g_stop = 1; }

// "0-3,8" has the highest number last; queues are numbered by possible CPU.
int PossibleCpus() {
  std::ifstream file("/sys/devices/system/cpu/possible");
  std::string text;
  std::getline(file, text);
  const size_t at = text.find_last_of("-,");
  return std::atoi(text.c_str() + (at == std::string::npos ? 0 : at + 1)) + 1;
}

bool ParseRing(std::string_view name, NullOptions* options) {
  using Ring = NullOptions::Ring;
  if (name == "defer") {
    options->ring = Ring::kDefer;
  } else if (name == "coop") {
    options->ring = Ring::kCoop;
  } else if (name == "plain") {
    options->ring = Ring::kPlain;
  } else {
    return false;
  }
  return true;
}

bool OpenData(const char* path, NullOptions* options) {
  options->data_fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (options->data_fd < 0 || fstat(options->data_fd, &st) != 0) {
    std::fprintf(stderr, "null_ring_server: cannot open %s: %s\n", path, std::strerror(errno));
    return false;
  }
  options->file_bytes = static_cast<uint64_t>(st.st_size);
  return true;
}

bool ParseOptions(int argc, char** argv, NullOptions* options, std::string* mountpoint) {
  enum { kRing = 1, kUnpinned, kSpin, kShare, kEntries, kSpill, kFile, kReadahead };
  static const option kLong[] = {{"ring", required_argument, nullptr, kRing},
                                 {"unpinned", no_argument, nullptr, kUnpinned},
                                 {"spin-us", required_argument, nullptr, kSpin},
                                 {"share-us", required_argument, nullptr, kShare},
                                 {"entries", required_argument, nullptr, kEntries},
                                 {"spill", required_argument, nullptr, kSpill},
                                 {"file", required_argument, nullptr, kFile},
                                 {"readahead-kb", required_argument, nullptr, kReadahead},
                                 {nullptr, 0, nullptr, 0}};
  for (int choice; (choice = getopt_long(argc, argv, "", kLong, nullptr)) != -1;) {
    const long number = optarg != nullptr ? std::strtol(optarg, nullptr, 0) : 0;
    switch (choice) {
      case kRing:
        if (!ParseRing(optarg, options)) return false;
        break;
      case kUnpinned:
        options->pin = false;
        break;
      case kSpin:
        options->spin_us = number;
        break;
      case kShare:
        options->share_us = number;
        break;
      case kEntries:
        options->entries = static_cast<int>(number);
        break;
      case kSpill:
        options->spill = static_cast<int>(number);
        break;
      case kFile:
        if (!OpenData(optarg, options)) return false;
        break;
      case kReadahead:
        options->readahead_kb = static_cast<int>(number);
        break;
      default:
        return false;
    }
  }
  if (optind + 1 != argc || options->entries < 1 || options->spill < 0 ||
      options->spill >= options->entries) {
    return false;
  }
  *mountpoint = argv[optind];
  return true;
}

int Fail(const char* what) {
  std::fprintf(stderr, "null_ring_server: %s: %s\n", what, std::strerror(errno));
  return 1;
}

// Takes INIT and answers it with the ring agreed. The device is read again only when the workers
// are up, since nothing but INIT can come before.
int Negotiate(int device_fd, std::vector<unsigned char>* buffer, const NullOptions& options) {
  if (read(device_fd, buffer->data(), buffer->size()) < ssize_t{sizeof(abi::InHeader)}) {
    return Fail("reading INIT");
  }
  abi::InHeader header;
  abi::InitIn in;
  std::memcpy(&header, buffer->data(), sizeof(header));
  std::memcpy(&in, buffer->data() + sizeof(header), sizeof(in));
  if ((in.flags2 & kOverIoUring) == 0) {
    std::fprintf(stderr,
                 "null_ring_server: the kernel offers no ring; as root: "
                 "echo Y > /sys/module/fuse/parameters/enable_uring\n");
    return 1;
  }
  struct {
    abi::OutHeader header;
    abi::InitOut body;
  } reply{};
  reply.header = {sizeof(reply), 0, header.unique};
  reply.body.major = 7;
  reply.body.minor = std::min<uint32_t>(in.minor, 42);
  reply.body.max_readahead = in.max_readahead;
  reply.body.flags = in.flags & static_cast<uint32_t>(
                                    abi::kInitAsyncRead | abi::kInitBigWrites | abi::kInitAsyncDio |
                                    abi::kInitParallelDirops | abi::kInitMaxPages | abi::kInitExt);
  reply.body.flags2 = kOverIoUring;
  reply.body.max_background = 64;
  reply.body.congestion_threshold = 64;
  reply.body.max_write = options.payload_bytes;
  reply.body.max_pages = static_cast<uint16_t>(options.payload_bytes / 4096);
  reply.body.time_gran = 1;
  if (write(device_fd, &reply, sizeof(reply)) != ssize_t{sizeof(reply)}) {
    return Fail("answering INIT");
  }
  return 0;
}

// FORGET and INTERRUPT keep coming through the device, and so may a request from before the ring.
void ServeDevice(int device_fd, std::vector<unsigned char>* buffer, const NullOptions& options) {
  std::vector<unsigned char> reply(sizeof(abi::OutHeader) + options.payload_bytes);
  while (g_stop == 0) {
    const ssize_t got = read(device_fd, buffer->data(), buffer->size());
    if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
    if (got < ssize_t{sizeof(abi::InHeader)}) return;
    abi::InHeader in;
    std::memcpy(&in, buffer->data(), sizeof(in));
    const auto opcode = static_cast<abi::Opcode>(in.opcode);
    if (opcode == abi::Opcode::kForget || opcode == abi::Opcode::kBatchForget ||
        opcode == abi::Opcode::kInterrupt)
      continue;
    const unsigned char* argument = buffer->data() + sizeof(in);
    std::memcpy(reply.data() + sizeof(abi::OutHeader), argument,
                std::min<size_t>(256, in.len - sizeof(in)));
    const int64_t result =
        AnswerRequest(in, argument, reply.data() + sizeof(abi::OutHeader), options);
    abi::OutHeader out{static_cast<uint32_t>(sizeof(out)), 0, in.unique};
    if (result < 0) {
      out.error = static_cast<int32_t>(result);
    } else {
      out.len += static_cast<uint32_t>(result);
    }
    std::memcpy(reply.data(), &out, sizeof(out));
    if (write(device_fd, reply.data(), out.len) < 0 && errno != ENOENT) return;
  }
}

// The kernel caps INIT's max_readahead at the window of the mount's bdi, so that is what to raise.
bool SetReadahead(const std::string& mountpoint, int kilobytes) {
  struct stat st;
  if (stat(mountpoint.c_str(), &st) != 0) return false;
  std::ofstream file("/sys/class/bdi/" + std::to_string(major(st.st_dev)) + ":" +
                     std::to_string(minor(st.st_dev)) + "/read_ahead_kb");
  file << kilobytes << std::flush;
  return file.good();
}

void Report(const std::vector<std::unique_ptr<NullRingWorker>>& workers) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  uint64_t waits = 0;
  uint64_t completions = 0;
  uint64_t handed = 0;
  std::string served;
  for (const auto& worker : workers) {
    waits += worker->waits();
    completions += worker->completions();
    handed += worker->handed();
    served += served.empty() ? "[" : ",[";
    for (size_t qid = 0; qid < worker->served().size(); ++qid) {
      served += (qid == 0 ? "" : ",") + std::to_string(worker->served()[qid]);
    }
    served += "]";
  }
  std::printf(
      "{\"requests\":%llu,\"waits\":%llu,\"handed\":%llu,\"voluntary_switches\":%ld,"
      "\"involuntary_switches\":%ld,\"served_by_worker_and_queue\":[%s]}\n",
      static_cast<unsigned long long>(completions), static_cast<unsigned long long>(waits),
      static_cast<unsigned long long>(handed), usage.ru_nvcsw, usage.ru_nivcsw, served.c_str());
}

int Main(int argc, char** argv) {
  NullOptions options;
  std::string mountpoint;
  if (!ParseOptions(argc, argv, &options, &mountpoint)) {
    std::fputs(kUsage, stderr);
    return 1;
  }
  struct sigaction action {};
  action.sa_handler = OnSignal;  // no SA_RESTART: the device read must return
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  const int device_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device_fd < 0) return Fail("cannot open /dev/fuse");
  const std::string data = "fd=" + std::to_string(device_fd) +
                           ",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
  if (mount("null", mountpoint.c_str(), "fuse.null_ring", MS_NOSUID | MS_NODEV, data.c_str()) !=
      0) {
    return Fail("mount");
  }
  std::vector<unsigned char> buffer(options.payload_bytes + size_t{8192});
  if (const int code = Negotiate(device_fd, &buffer, options); code != 0) {
    umount2(mountpoint.c_str(), MNT_DETACH);
    return code;
  }

  const int queues = PossibleCpus();
  std::vector<std::unique_ptr<NullRingWorker>> workers;
  for (int i = 0; i < queues; ++i) {
    workers.push_back(std::make_unique<NullRingWorker>(i, device_fd, options));
  }
  for (int qid = 0; qid < queues; ++qid) {
    workers[static_cast<size_t>(qid)]->AddEntries(static_cast<uint16_t>(qid),
                                                  options.entries - options.spill);
    workers[static_cast<size_t>((qid + 1) % queues)]->AddEntries(static_cast<uint16_t>(qid),
                                                                 options.spill);
  }
  if (options.spill == 0) {  // else every worker has some of every queue already
    std::vector<NullRingWorker*> peers;
    for (const auto& worker : workers) peers.push_back(worker.get());
    for (const auto& worker : workers) worker->SetPeers(peers);
  }
  // Threads inherit a full mask, so that a signal ends the device read of this one.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  std::vector<std::thread> threads;
  std::vector<std::string> problems(static_cast<size_t>(queues));
  std::atomic<int> ready{0};
  std::atomic<int> ended{0};
  for (int i = 0; i < queues; ++i) {
    threads.emplace_back([&, i] {
      problems[static_cast<size_t>(i)] = workers[static_cast<size_t>(i)]->Run(i, &ready);
      ended.fetch_add(1);
    });
    while (ready.load() <= i && ended.load() == 0) std::this_thread::yield();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (ended.load() == 0) {
    if (options.readahead_kb > 0 && !SetReadahead(mountpoint, options.readahead_kb)) {
      std::fprintf(stderr, "null_ring_server: the readahead window cannot be set\n");
    }
    std::printf("ready %d\n", getpid());
    std::fflush(stdout);
    ServeDevice(device_fd, &buffer, options);
  }
  umount2(mountpoint.c_str(), MNT_DETACH | MNT_FORCE);
  umount2(mountpoint.c_str(), MNT_DETACH);
  int code = 0;
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) {
    if (problem.empty()) continue;
    std::fprintf(stderr, "null_ring_server: %s\n", problem.c_str());
    code = 1;
  }
  Report(workers);
  return code;
}

}  // namespace
}  // namespace shuntfs::bench

int main(int argc, char** argv) { return shuntfs::bench::Main(argc, argv); }
