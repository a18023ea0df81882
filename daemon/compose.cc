#include "daemon/compose.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "core/base/unique_fd.h"
#include "core/protocol/abi.h"
#include "daemon/capability.h"
#include "daemon/kernel_offer.h"
#include "io/ring.h"

namespace shuntfs {
namespace {

constexpr const char* kEnableUring = "/sys/module/fuse/parameters/enable_uring";

ModeProbe Not(const std::string& mode, const std::string& reason, const std::string& remedy) {
  return {mode, false, reason, remedy};
}

// For a mode that one of the modes below it needs as well.
ModeProbe NotAs(const std::string& mode, const ModeProbe& lower) {
  return Not(mode, lower.reason, lower.remedy);
}

ModeProbe CannotAsk(const std::string& mode, Errno error) {
  return Not(mode,
             std::string("the kernel cannot be asked for it: ") + std::strerror(error.value()),
             "give the right to mount FUSE file systems");
}

ModeProbe ProbePerEntry() {
  const char* const mode = "per-entry";
  std::ifstream parameter(kEnableUring);
  char enabled = '\0';
  if (!(parameter >> enabled)) {
    return Not(mode, "this kernel has no FUSE over io_uring (Linux 6.14 has)",
               "boot Linux 6.14 or later, or load the fuse module");
  }
  if (enabled != 'Y' && enabled != '1') {
    return Not(mode, "FUSE over io_uring is switched off", std::string("echo Y > ") + kEnableUring);
  }
  Ring ring;
  const UniqueFd any(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Outcome opened = ring.Open({1, any.get()});
  if (!opened.ok()) {
    const Errno error = opened.error();
    const bool forbidden = error == Errno(EPERM) || error == Errno(ENOSYS);
    return Not(mode,
               std::string(forbidden ? "io_uring is not allowed here: " : "no ring can be made: ") +
                   std::strerror(error.value()),
               forbidden
                   ? "sysctl kernel.io_uring_disabled=0; in a container also a seccomp profile "
                     "that allows io_uring"
                   : "");
  }
  return {mode, true, "FUSE over io_uring is enabled, and rings can be made", ""};
}

ModeProbe ProbeBufferPool(const ModeProbe& per_entry, const Result<KernelOffer>& offer) {
  const char* const mode = "buffer-pool";
  if (!per_entry.available) return NotAs(mode, per_entry);
  if (!offer.ok() && geteuid() != 0) {
    return {mode, true,
            std::string("only a mount can tell, since the kernel cannot be asked before: ") +
                std::strerror(offer.error().value()),
            ""};
  }
  if (!offer.ok()) return CannotAsk(mode, offer.error());
  if ((offer->init_flags & abi::kInitHasIoUringBufpool) == 0)
    return Not(mode, "this kernel has no buffer pools (Linux 7.3 has)", "boot Linux 7.3 or later");
  return {mode, true, "the kernel offers buffer pools", ""};
}

ModeProbe ProbeZeroCopy(const ModeProbe& buffer_pool) {
  const char* const mode = "zero-copy";
  if (!buffer_pool.available) return NotAs(mode, buffer_pool);
  if (!HasCapability(CAP_SYS_ADMIN))
    return Not(mode, "the kernel lets only CAP_SYS_ADMIN share callers' pages",
               "mount as root, outside of user namespaces");
  return {mode, true, "the kernel offers buffer pools, and CAP_SYS_ADMIN is held", ""};
}

ModeProbe ProbeKernel(const ModeProbe& device, const Result<KernelOffer>& offer) {
  const char* const mode = "kernel";
  if (!device.available) return NotAs(mode, device);
  if (!HasCapability(CAP_SYS_ADMIN))
    return Not(mode, "the kernel takes backing files from CAP_SYS_ADMIN only",
               "mount as root, outside of user namespaces");
  if (!offer.ok()) return CannotAsk(mode, offer.error());
  if ((offer->init_flags & abi::kInitPassthrough) == 0)
    return Not(mode, "this kernel has no passthrough (Linux 6.9 has)", "boot Linux 6.9 or later");
  return {mode, true, "the kernel offers passthrough, and CAP_SYS_ADMIN is held", ""};
}

ModeProbe ProbeDevice() {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid()) return {"device", true, "/dev/fuse can be opened", ""};
  return {"device", false, std::string("/dev/fuse cannot be opened: ") + std::strerror(errno),
          "modprobe fuse, and give access to /dev/fuse"};
}

}  // namespace

std::vector<ModeProbe> ProbeModes() {
  const ModeProbe device = ProbeDevice();
  const ModeProbe per_entry = device.available ? ProbePerEntry() : NotAs("per-entry", device);
  const Result<KernelOffer> offer = device.available ? AskKernel() : Errno(ENODEV);
  const ModeProbe buffer_pool = ProbeBufferPool(per_entry, offer);
  return {
      ProbeZeroCopy(buffer_pool), buffer_pool, per_entry, device, ProbeKernel(device, offer),
  };
}

}  // namespace shuntfs
