// Several clients at once, each in a process and with a file of its own (own_file.h): does any of
// them ever see a byte that is not its own?
//
//   own_bytes --dir=DIR --backing=DIR [--clients=N] [--operations=N] [--kill-every=N] [--seed=N]
//   own_bytes --check --backing=DIR [--clients=N]
//
// --operations are those of all clients together; 0 goes on until the file system says that it has
// gone. With --kill-every, a client is killed at random, once in that many operations on average,
// and replaced. "ready" is printed when every client has worked. In the end the files are read once
// more, through the mount and past it. With --operations=0 they are not: a write that the end cut
// off may still be on its way to the file. --check reads them, when the daemon has gone.
//
// Exit status: 0 all bytes were their own, 1 something was wrong, 2 wrong usage.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integrity/own_file.h"

namespace shuntfs::tests {
namespace {

constexpr size_t kMaxClients = 64;
constexpr uint64_t kOperationsToBeReady = 4;
constexpr useconds_t kPollUs = 500;

struct Arguments {
  std::string dir;
  std::string backing;
  uint64_t clients = 6;
  uint64_t operations = 2000;
  uint64_t kill_every = 0;
  uint64_t seed = 1;
  bool check = false;
};

// What the clients tell their parent.
struct Shared {
  std::array<std::atomic<uint64_t>, kMaxClients> operations;
  std::atomic<bool> stop;
};

bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    char* end = nullptr;
    const uint64_t number = std::strtoull(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == '\0';
    if (argument == "--check") {
      arguments->check = true;
    } else if (name == "--dir") {
      arguments->dir = value;
    } else if (name == "--backing") {
      arguments->backing = value;
    } else if (name == "--clients" && is_number && number > 0 && number <= kMaxClients) {
      arguments->clients = number;
    } else if (name == "--operations" && is_number) {
      arguments->operations = number;
    } else if (name == "--kill-every" && is_number) {
      arguments->kill_every = number;
    } else if (name == "--seed" && is_number) {
      arguments->seed = number;
    } else {
      std::fprintf(stderr, "own_bytes: unknown or malformed argument %s\n", argv[i]);
      return false;
    }
  }
  const bool complete =
      (arguments->check || !arguments->dir.empty()) && !arguments->backing.empty();
  if (!complete)
    std::fprintf(stderr, "own_bytes: --backing=DIR is needed, and --dir=DIR or --check\n");
  return complete;
}

std::string NameOf(uint64_t client) { return "/own" + std::to_string(client); }

class Herd {
 public:
  explicit Herd(const Arguments& arguments)
      : arguments_(arguments), random_(arguments.seed), children_(arguments.clients) {
    void* const memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    shared_ = new (memory) Shared();
  }

  int Run() {
    for (uint64_t client = 0; client < arguments_.clients; ++client) Start(client);
    while (!failed_ && !AllReady() && CollectEnded()) usleep(kPollUs);
    std::printf("ready\n");
    std::fflush(stdout);
    uint64_t next_kill = NextKill(0);
    while (!failed_ && CollectEnded()) {
      const uint64_t done = Operations();
      if (arguments_.operations != 0 && done >= arguments_.operations) break;
      if (arguments_.kill_every != 0 && done >= next_kill) {
        KillOne();
        next_kill = NextKill(done);
      }
      usleep(kPollUs);
    }
    shared_->stop = true;
    for (uint64_t client = 0; client < arguments_.clients; ++client) Join(client);
    if (arguments_.operations != 0) {
      CheckFiles(arguments_.dir);
      CheckFiles(arguments_.backing);
    }
    std::printf("own_bytes: %llu operations, %llu clients killed, seed %llu: %s\n",
                static_cast<unsigned long long>(Operations()),
                static_cast<unsigned long long>(kills_),
                static_cast<unsigned long long>(arguments_.seed),
                failed_ ? "something was wrong" : "all bytes were their own");
    return failed_ ? 1 : 0;
  }

  int Check() {
    CheckFiles(arguments_.backing);
    return failed_ ? 1 : 0;
  }

 private:
  void Start(uint64_t client) {
    const uint64_t seed = random_();
    const pid_t child = fork();
    if (child == 0) _exit(Work(client, seed));
    if (child < 0) {
      std::perror("own_bytes: fork");
      failed_ = true;
    }
    children_[client] = child;
  }

  // The life of a client; its exit status.
  int Work(uint64_t client, uint64_t seed) {
    OwnFile file(arguments_.dir + NameOf(client), client + 1, seed);
    OwnFile::Outcome outcome = file.Open();
    while (outcome == OwnFile::Outcome::kDone && !shared_->stop) {
      outcome = file.Step();
      if (outcome == OwnFile::Outcome::kDone) ++shared_->operations[client];
    }
    if (outcome == OwnFile::Outcome::kDone) return 0;
    if (outcome == OwnFile::Outcome::kEnded && arguments_.operations == 0) return 0;
    std::fprintf(stderr, "own_bytes, seed %llu: %s\n",
                 static_cast<unsigned long long>(arguments_.seed), file.message().c_str());
    return 1;
  }

  bool AllReady() const {
    for (uint64_t client = 0; client < arguments_.clients; ++client) {
      if (shared_->operations[client] < kOperationsToBeReady) return false;
    }
    return true;
  }

  uint64_t Operations() const {
    uint64_t sum = 0;
    for (const std::atomic<uint64_t>& each : shared_->operations) sum += each;
    return sum;
  }

  uint64_t NextKill(uint64_t done) {
    if (arguments_.kill_every == 0) return 0;
    return done + 1 + random_() % (2 * arguments_.kill_every);
  }

  // Whether any client is still at work.
  bool CollectEnded() {
    bool any = false;
    for (uint64_t client = 0; client < arguments_.clients; ++client) {
      int status = 0;
      if (children_[client] > 0 && waitpid(children_[client], &status, WNOHANG) != 0) {
        if (status != 0) failed_ = true;
        children_[client] = -1;
      }
      any = any || children_[client] > 0;
    }
    return any;
  }

  void KillOne() {
    const uint64_t client = random_() % arguments_.clients;
    if (children_[client] <= 0) return;
    kill(children_[client], SIGKILL);
    int status = 0;
    waitpid(children_[client], &status, 0);
    if (!WIFSIGNALED(status) && status != 0) failed_ = true;
    ++kills_;
    Start(client);
  }

  void Join(uint64_t client) {
    int status = 0;
    if (children_[client] > 0 && waitpid(children_[client], &status, 0) > 0 && status != 0) {
      failed_ = true;
    }
    children_[client] = -1;
  }

  void CheckFiles(const std::string& dir) {
    for (uint64_t client = 0; client < arguments_.clients; ++client) {
      OwnFile file(dir + NameOf(client), client + 1, arguments_.seed);
      if (file.Open() == OwnFile::Outcome::kDone && file.CheckAll() == OwnFile::Outcome::kDone) {
        continue;
      }
      std::fprintf(stderr, "own_bytes, in the end: %s\n", file.message().c_str());
      failed_ = true;
    }
  }

  const Arguments& arguments_;
  std::mt19937_64 random_;
  std::vector<pid_t> children_;
  Shared* shared_;
  uint64_t kills_ = 0;
  bool failed_ = false;
};

}  // namespace
}  // namespace shuntfs::tests

int main(int argc, char** argv) {
  shuntfs::tests::Arguments arguments;
  if (!shuntfs::tests::Parse(argc, argv, &arguments)) return 2;
  shuntfs::tests::Herd herd(arguments);
  return arguments.check ? herd.Check() : herd.Run();
}
