// What FUSE of this kernel offers, asked for by a mount that nobody sees: INIT says it, no version
// does.
//
// Floor 4. Needs the right to mount; without it a child process asks in a user namespace of its
// own. Leaves nothing behind.
#ifndef SHUNTFS_DAEMON_KERNEL_OFFER_H_
#define SHUNTFS_DAEMON_KERNEL_OFFER_H_

#include <cstdint>

#include "core/base/errno.h"

namespace shuntfs {

struct KernelOffer {
  uint64_t init_flags = 0;  // abi::kInit*
  uint32_t minor = 0;       // of the protocol
};

// An error of open, fsopen, fsmount or read where no such mount can be made. ETIMEDOUT: it was
// made, and INIT did not come.
Result<KernelOffer> AskKernel();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_KERNEL_OFFER_H_
