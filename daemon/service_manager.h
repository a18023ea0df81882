// The service manager (systemd) that started this process, if one did: what it is told, and what it
// expects. The only file that knows libsystemd; without NOTIFY_SOCKET, or built without the
// library, nothing happens.
//
// Floor 4. Any thread.
#ifndef SHUNTFS_DAEMON_SERVICE_MANAGER_H_
#define SHUNTFS_DAEMON_SERVICE_MANAGER_H_

#include <chrono>
#include <string>

namespace shuntfs {

// Whether one listens.
bool HasServiceManager();

// One or more lines NAME=VALUE of sd_notify(3).
void TellServiceManager(const std::string& lines);

// The configuration is being read anew; the next READY=1 ends that. Both forms of Type=notify
// understand it.
void TellServiceManagerOfReload();

// Within what time it wants to hear WATCHDOG=1 again and again; 0: it does not.
std::chrono::microseconds WatchdogPeriod();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_SERVICE_MANAGER_H_
