#include "io/completion.h"

#include <cerrno>

#include "core/base/limits.h"

namespace shuntfs {

CommandVerdict JudgeCommand(RingCommand command, int res) {
  switch (res) {
    case 0:
      return CommandVerdict::kRequest;
    case -EINTR:
      return CommandVerdict::kRetry;
    case -EAGAIN:
      // A REGISTER before INIT was answered gets this for ever; a COMMIT never should.
      return command == RingCommand::kCommitAndFetch ? CommandVerdict::kRetry
                                                     : CommandVerdict::kBroken;
    case -ENOTCONN:
    case -ECONNABORTED:
    case -ECANCELED:
    case -ENODEV:
      return CommandVerdict::kEntryGone;
    default:
      return CommandVerdict::kBroken;
  }
}

TransferVerdict JudgeTransfer(uint32_t done, uint32_t bytes, uint32_t retries, int res) {
  if (res == -EAGAIN && retries < kMaxWaitingRetries) return TransferVerdict::kRetry;
  if (res == -EINTR && retries < kMaxInterruptedRetries) return TransferVerdict::kRetry;
  if (res <= 0 || static_cast<uint32_t>(res) >= bytes - done) return TransferVerdict::kDone;
  return TransferVerdict::kMore;
}

}  // namespace shuntfs
