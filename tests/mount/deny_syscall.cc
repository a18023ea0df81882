// Runs a program for which one system call fails: what a container's filter, an exhausted machine
// or an older kernel would answer, at the moment that a test chooses.
//
//   deny_syscall NAME[:ARGUMENT=VALUE] ERRNO PROGRAM [ARGUMENTS...]
//
// ARGUMENT counts from 0; only calls with that value there fail. NAME and ERRNO are those of kCalls
// and of strerrorname_np. The filter stays with all children of the program.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Call {
  const char* name;
  unsigned number;
};

constexpr Call kCalls[] = {
    {"clone3", SYS_clone3},
    {"eventfd2", SYS_eventfd2},
    {"io_uring_enter", SYS_io_uring_enter},
    {"io_uring_register", SYS_io_uring_register},
    {"io_uring_setup", SYS_io_uring_setup},
    {"capset", SYS_capset},
};

struct Denial {
  unsigned number = 0;
  int argument = -1;
  unsigned value = 0;
  unsigned error = 0;
};

bool Parse(const std::string& call, const std::string& error, Denial* denial) {
  const size_t colon = call.find(':');
  const std::string name = call.substr(0, colon);
  bool known = false;
  for (const Call& each : kCalls) {
    if (name == each.name) {
      denial->number = each.number;
      known = true;
    }
  }
  if (colon != std::string::npos &&
      std::sscanf(call.c_str() + colon, ":%d=%u", &denial->argument, &denial->value) != 2) {
    return false;
  }
  for (unsigned number = 1; number < 200; ++number) {
    const char* const errno_name = strerrorname_np(static_cast<int>(number));
    if (errno_name != nullptr && error == errno_name) {
      denial->error = number;
    }
  }
  return known && denial->error != 0;
}

bool Install(const Denial& denial) {
  const auto load = [](size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
  };
  // Each test skips to the last line, which allows, unless it holds.
  std::vector<sock_filter> filter = {load(offsetof(seccomp_data, nr))};
  const unsigned char steps = denial.argument < 0 ? 1 : 3;
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denial.number, 0, steps));
  if (denial.argument >= 0) {
    filter.push_back(
        load(offsetof(seccomp_data, args) + sizeof(__u64) * static_cast<size_t>(denial.argument)));
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denial.value, 0, 1));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | denial.error));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Denial denial;
  if (argc < 4 || !Parse(argv[1], argv[2], &denial)) {
    std::fprintf(stderr, "usage: deny_syscall NAME[:ARGUMENT=VALUE] ERRNO PROGRAM...\n");
    return 2;
  }
  if (!Install(denial)) {
    std::perror("deny_syscall: the filter cannot be installed");
    return 2;
  }
  execv(argv[3], argv + 3);
  std::perror(argv[3]);
  return 2;
}
