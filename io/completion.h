// What a completion means: pure functions of the command and its result.
//
// Floor 3. The errnos are those of fs/fuse/dev_uring.c, each seen by experiment
// (docs/kernel_interface.md).
#ifndef SHUNTFS_IO_COMPLETION_H_
#define SHUNTFS_IO_COMPLETION_H_

#include <cstdint>

namespace shuntfs {

enum class RingCommand : uint8_t { kRegister, kCommitAndFetch };

enum class CommandVerdict : uint8_t {
  kRequest,    // a request lies in the entry
  kRetry,      // nothing happened: submit the same again
  kEntryGone,  // the connection has ended; the entry is ours no more
  kBroken,     // the kernel refuses the entry: the mount cannot go on
};

// `res` is the completion's result.
CommandVerdict JudgeCommand(RingCommand command, int res);

enum class TransferVerdict : uint8_t {
  kDone,   // everything, the end of the file, or an error
  kMore,   // submit the rest
  kRetry,  // nothing was moved: submit the same again
};

// `done` bytes of `bytes` were moved before, and the rest was submitted `retries` times again since
// any was moved; the completion says `res`. A backing file system can answer EAGAIN or EINTR
// to every request, so both are retried a limited number of times.
TransferVerdict JudgeTransfer(uint32_t done, uint32_t bytes, uint32_t retries, int res);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_COMPLETION_H_
