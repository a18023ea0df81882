// Which capabilities this process holds.
//
// Floor 4. Any thread; about the calling thread.
#ifndef SHUNTFS_DAEMON_CAPABILITY_H_
#define SHUNTFS_DAEMON_CAPABILITY_H_

namespace shuntfs {

// `capability`: a CAP_* of linux/capability.h. Whether it is effective.
bool HasCapability(int capability);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CAPABILITY_H_
