#include "daemon/compose.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "core/base/unique_fd.h"
#include "io/ring.h"

namespace shuntfs {
namespace {

constexpr const char* kEnableUring = "/sys/module/fuse/parameters/enable_uring";

// A mode of a later kernel that this version has no code for.
ModeProbe NotServed(const std::string& mode, const std::string& needs) {
  return {mode, false, "it needs " + needs + ", and this version of shuntfs does not serve it", ""};
}

ModeProbe ProbePerEntry() {
  ModeProbe probe{"per-entry", false, "", ""};
  std::ifstream parameter(kEnableUring);
  char enabled = '\0';
  if (!(parameter >> enabled)) {
    probe.reason = "this kernel has no FUSE over io_uring (Linux 6.14 has)";
    probe.remedy = "boot Linux 6.14 or later, or load the fuse module";
    return probe;
  }
  if (enabled != 'Y' && enabled != '1') {
    probe.reason = "FUSE over io_uring is switched off";
    probe.remedy = std::string("echo Y > ") + kEnableUring;
    return probe;
  }
  Ring ring;
  const UniqueFd any(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Outcome opened = ring.Open({1, any.get()});
  if (!opened.ok()) {
    probe.reason =
        std::string("io_uring is not allowed here: ") + std::strerror(opened.error().value());
    probe.remedy = "sysctl kernel.io_uring_disabled=0";
    return probe;
  }
  probe.available = true;
  probe.reason = "FUSE over io_uring is enabled, and rings can be made";
  return probe;
}

ModeProbe ProbeDevice() {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid()) return {"device", true, "/dev/fuse can be opened", ""};
  return {"device", false, std::string("/dev/fuse cannot be opened: ") + std::strerror(errno),
          "modprobe fuse, and give access to /dev/fuse"};
}

}  // namespace

std::vector<ModeProbe> ProbeModes() {
  ModeProbe device = ProbeDevice();
  ModeProbe per_entry = ProbePerEntry();
  if (!device.available) {
    per_entry.available = false;
    per_entry.reason = device.reason;
    per_entry.remedy = device.remedy;
  }
  return {
      NotServed("zero-copy", "Linux 7.3 and CAP_SYS_ADMIN"),
      NotServed("buffer-pool", "Linux 7.3"),
      per_entry,
      device,
      NotServed("kernel", "FUSE passthrough (Linux 6.9) and CAP_SYS_ADMIN"),
  };
}

}  // namespace shuntfs
