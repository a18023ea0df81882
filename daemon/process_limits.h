// What the daemon asks of the kernel for its own process before it serves.
//
// Floor 4. Main thread, before others exist: threads inherit it. Best effort; what fails is logged.
#ifndef SHUNTFS_DAEMON_PROCESS_LIMITS_H_
#define SHUNTFS_DAEMON_PROCESS_LIMITS_H_

namespace shuntfs {

// RLIMIT_NOFILE up to the hard limit; root's hard limit up to fs.nr_open.
void RaiseDescriptorLimit();

// PR_SET_IO_FLUSHER: memory that this process allocates is not waited for by writing back through
// itself.
void BecomeIoFlusher();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_PROCESS_LIMITS_H_
