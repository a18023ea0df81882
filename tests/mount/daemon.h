// One shuntfs daemon as the tests see it: started in the foreground as a child, asked for its
// status document, ended by SIGTERM.
//
// Floor: tests. Owner: the object owns the child; the destructor ends it without grace.
// Threads: the test's main thread. Errors: as texts, empty for success.
#ifndef SHUNTFS_TESTS_MOUNT_DAEMON_H_
#define SHUNTFS_TESTS_MOUNT_DAEMON_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shuntfs::mount_test {

struct OperationCount {
  uint64_t count = 0;
  uint64_t errors = 0;
};

// The part of the status document that tests look at.
struct DaemonStatus {
  std::string source;
  std::string mountpoint;
  std::string data_path;
  pid_t pid = -1;
  std::map<std::string, std::string> reasons;
  std::map<std::string, OperationCount> operations;
  std::map<std::string, uint64_t> io;
  std::map<std::string, double> resources;
  uint64_t ring_requests = 0;
  uint64_t device_requests = 0;
  uint64_t offloaded = 0;  // to the slow pool
  uint64_t refused_waits = 0;
  uint64_t slow_pool_busy = 0;     // threads
  uint64_t slow_pool_waiting = 0;  // requests without one
  uint64_t handed_over = 0;        // to another worker
  uint64_t stay_commits = 0;       // whose caller was kept on its CPU
  uint64_t notices = 0;            // to the kernel, of what it caches
  uint64_t linked_reads = 0;       // sent to the kernel together with their answer

  uint64_t Count(const std::string& operation) const;
  uint64_t Errors(const std::string& operation) const;
  uint64_t Io(const std::string& name) const;
};

class Daemon {
 public:
  Daemon() = default;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // Mounts `source` at `target` and waits until the mount answers.
  std::string Start(const std::string& source, const std::string& target,
                    const std::string& options);
  // SIGTERM; the daemon must unmount and exit 0. (tests/lifecycle has `shuntfs umount`.)
  std::string Stop();
  std::string Status(DaemonStatus* status) const;
  // What the daemon wrote to stderr so far.
  std::string Log() const;

  pid_t pid() const { return pid_; }
  int connection() const { return connection_; }
  bool running() const { return pid_ > 0; }

 private:
  bool HasExited() const;
  void ForceEnd();

  pid_t pid_ = -1;
  int connection_ = -1;
  int log_fd_ = -1;
  std::string target_;
};

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_DAEMON_H_
