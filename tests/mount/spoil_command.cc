// Runs a program whose FUSE commands on io_uring reach the kernel spoiled: a kernel that refuses a
// step of the set-up, or that takes it and then sends nothing, at the moment that a test chooses.
//
//   spoil_command refuse|lose COMMAND QUEUE PROGRAM [ARGUMENTS...]
//
// COMMAND is the number of a FUSE_IO_URING_CMD_*, QUEUE the queue whose commands are meant.
// "refuse" names a queue that does not exist, so that the kernel answers EINVAL; "lose" makes the
// command a wait for nothing, which never completes. A process of its own is asked by the kernel
// before each io_uring_enter (seccomp_unotify(2)), looks through the submission queues of the
// caller, and ends with the program and all its children.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kSqeBytes = 128;
constexpr size_t kQueueAt = 64;  // the queue's number within the entry
constexpr uint16_t kNoQueue = 0xffff;

struct Spoil {
  bool lose = false;
  uint32_t command = 0;
  uint16_t queue = 0;
};

bool IsMeant(const Spoil& spoil, const unsigned char* entry) {
  const auto* sqe = reinterpret_cast<const io_uring_sqe*>(entry);
  uint16_t queue = 0;
  std::memcpy(&queue, entry + kQueueAt, sizeof(queue));
  return sqe->opcode == IORING_OP_URING_CMD && static_cast<uint32_t>(sqe->off) == spoil.command &&
         queue == spoil.queue;
}

void Change(const Spoil& spoil, unsigned char* entry) {
  if (!spoil.lose) {
    std::memcpy(entry + kQueueAt, &kNoQueue, sizeof(kNoQueue));
    return;
  }
  // Poll of the same file for nothing but its end.
  auto* sqe = reinterpret_cast<io_uring_sqe*>(entry);
  sqe->opcode = IORING_OP_POLL_ADD;
  sqe->off = sqe->addr = 0;
  sqe->len = 0;
  sqe->poll32_events = 0;
  sqe->buf_index = 0;
}

// The submission queues of a process, where they are mapped.
std::vector<std::pair<uint64_t, uint64_t>> QueuesOf(pid_t pid) {
  std::vector<std::pair<uint64_t, uint64_t>> found;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    unsigned long long offset = 0;
    if (line.find("[io_uring]") != std::string::npos &&
        std::sscanf(line.c_str(), "%llx-%llx %*s %llx", &begin, &end, &offset) == 3 &&
        offset == IORING_OFF_SQES) {
      found.emplace_back(begin, end);
    }
  }
  return found;
}

void SpoilQueuesOf(pid_t pid, const Spoil& spoil) {
  const int memory = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC);
  for (const auto& [begin, end] : QueuesOf(pid)) {
    std::vector<unsigned char> entries(end - begin);
    const auto at = static_cast<off_t>(begin);
    if (pread(memory, entries.data(), entries.size(), at) != static_cast<ssize_t>(entries.size()))
      continue;
    for (size_t i = 0; i + kSqeBytes <= entries.size(); i += kSqeBytes) {
      unsigned char* const entry = entries.data() + i;
      if (!IsMeant(spoil, entry)) continue;
      Change(spoil, entry);
      if (pwrite(memory, entry, kSqeBytes, at + static_cast<off_t>(i)) !=
          static_cast<ssize_t>(kSqeBytes))
        std::abort();
    }
  }
  close(memory);
}

// Until nobody is left who could be asked about.
void Supervise(int listener, const Spoil& spoil) {
  while (true) {
    pollfd asked{listener, POLLIN, 0};
    if (poll(&asked, 1, -1) < 0 || (asked.revents & POLLIN) == 0) return;
    seccomp_notif question{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0)
      continue;  // the caller was killed
    SpoilQueuesOf(static_cast<pid_t>(question.pid), spoil);
    seccomp_notif_resp answer{};
    answer.id = question.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int Listen() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof(filter) / sizeof(filter[0]), filter};
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

bool PassOn(int socket, int fd, int* received) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (received != nullptr) {
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == nullptr)
      return false;
    std::memcpy(received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(*received));
    return true;
  }
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(fd));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return sendmsg(socket, &message, 0) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || (std::strcmp(argv[1], "refuse") != 0 && std::strcmp(argv[1], "lose") != 0)) {
    std::fprintf(stderr, "usage: spoil_command refuse|lose COMMAND QUEUE PROGRAM...\n");
    return 2;
  }
  const Spoil spoil{std::strcmp(argv[1], "lose") == 0, static_cast<uint32_t>(std::atoi(argv[2])),
                    static_cast<uint16_t>(std::atoi(argv[3]))};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return 2;
  if (fork() == 0) {
    setsid();
    close(ends[0]);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(standard);
    int listener = -1;
    if (PassOn(ends[1], -1, &listener)) Supervise(listener, spoil);
    return 0;
  }
  const int listener = Listen();
  if (listener < 0 || !PassOn(ends[0], listener, nullptr)) {
    std::perror("spoil_command: the filter cannot be installed");
    return 2;
  }
  close(listener);
  execv(argv[4], argv + 4);
  std::perror(argv[4]);
  return 2;
}
