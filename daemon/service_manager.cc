#include "daemon/service_manager.h"

#include <time.h>

#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "core/base/log.h"

#ifdef SHUNTFS_HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace shuntfs {

bool HasServiceManager() {
#ifdef SHUNTFS_HAVE_LIBSYSTEMD
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return socket != nullptr && *socket != '\0';
#else
  return false;
#endif
}

void TellServiceManager([[maybe_unused]] const std::string& lines) {
#ifdef SHUNTFS_HAVE_LIBSYSTEMD
  const int result = sd_notify(/*unset_environment=*/0, lines.c_str());
  if (result < 0) {
    errno = -result;
    PLOG(WARNING) << "the service manager cannot be told " << lines;
  }
#endif
}

void TellServiceManagerOfReload() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t now_us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  TellServiceManager(absl::StrFormat("RELOADING=1\nMONOTONIC_USEC=%d", now_us));
}

std::chrono::microseconds WatchdogPeriod() {
#ifdef SHUNTFS_HAVE_LIBSYSTEMD
  uint64_t period_us = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &period_us) > 0)
    return std::chrono::microseconds(period_us);
#endif
  return std::chrono::microseconds(0);
}

}  // namespace shuntfs
