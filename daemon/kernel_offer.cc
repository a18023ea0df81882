#include "daemon/kernel_offer.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "core/base/unique_fd.h"
#include "core/protocol/abi.h"

namespace shuntfs {
namespace {

constexpr int kInitTimeoutMs = 5000;
// The least that the kernel lets a server read with (FUSE_MIN_READ_BUFFER).
constexpr size_t kReadBytes = 8192;

Outcome SetString(const UniqueFd& context, const char* key, const std::string& value) {
  return FromSyscall(fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0));
}

// A FUSE superblock that is mounted nowhere; its server is whoever holds `device`.
Result<UniqueFd> MountNowhere(int device) {
  UniqueFd context(fsopen("fuse", FSOPEN_CLOEXEC));
  if (!context.valid()) return Errno::Last();
  const std::pair<const char*, std::string> options[] = {
      {"source", "shuntfs-probe"},
      {"fd", std::to_string(device)},
      {"rootmode", "40000"},
      {"user_id", std::to_string(geteuid())},
      {"group_id", std::to_string(getegid())},
  };
  for (const auto& [key, value] : options) {
    if (const Outcome done = SetString(context, key, value); !done.ok()) return done.error();
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return Errno::Last();
  UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount.valid()) return Errno::Last();
  return mount;
}

Result<KernelOffer> ReadOffer(int device) {
  pollfd ready{device, POLLIN, 0};
  if (poll(&ready, 1, kInitTimeoutMs) <= 0) return Errno(ETIMEDOUT);
  alignas(8) std::array<std::byte, kReadBytes> message;
  const ssize_t bytes = read(device, message.data(), message.size());
  if (bytes < 0) return Errno::Last();
  abi::InHeader header;
  abi::InitIn init{};
  if (static_cast<size_t>(bytes) < sizeof(header) + abi::kCompatInitInSize) return Errno(EPROTO);
  std::memcpy(&header, message.data(), sizeof(header));
  if (header.opcode != static_cast<uint32_t>(abi::Opcode::kInit)) return Errno(EPROTO);
  std::memcpy(&init, message.data() + sizeof(header),
              std::min(sizeof(init), static_cast<size_t>(bytes) - sizeof(header)));
  KernelOffer offer{init.flags, init.minor};
  if ((init.flags & abi::kInitExt) != 0) offer.init_flags |= uint64_t{init.flags2} << 32;
  return offer;
}

Result<KernelOffer> AskHere() {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) return Errno::Last();
  const Result<UniqueFd> mount = MountNowhere(device.get());
  if (!mount.ok()) return mount.error();
  return ReadOffer(device.get());
}

struct Report {
  int error = EIO;
  KernelOffer offer;
};

bool WriteWord(const char* path, const std::string& word) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  return file.valid() &&
         write(file.get(), word.data(), word.size()) == static_cast<ssize_t>(word.size());
}

// In a user namespace anybody may mount FUSE, as a user whom the namespace knows.
Report AskInNamespace() {
  const std::string user = std::to_string(geteuid());
  const std::string group = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return {errno, {}};
  if (!WriteWord("/proc/self/setgroups", "deny") ||
      !WriteWord("/proc/self/uid_map", "0 " + user + " 1") ||
      !WriteWord("/proc/self/gid_map", "0 " + group + " 1"))
    return {errno, {}};
  const Result<KernelOffer> offer = AskHere();
  return offer.ok() ? Report{0, *offer} : Report{offer.error().value(), {}};
}

Result<KernelOffer> AskFromChild() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Errno::Last();
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const pid_t child = fork();
  if (child < 0) return Errno::Last();
  if (child == 0) {
    const Report report = AskInNamespace();
    _exit(write(in.get(), &report, sizeof(report)) == sizeof(report) ? 0 : 1);
  }
  in.reset();
  Report report;
  const bool complete = read(out.get(), &report, sizeof(report)) == sizeof(report);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!complete) return Errno(EIO);
  if (report.error != 0) return Errno(report.error);
  return report.offer;
}

}  // namespace

Result<KernelOffer> AskKernel() { return geteuid() == 0 ? AskHere() : AskFromChild(); }

}  // namespace shuntfs
