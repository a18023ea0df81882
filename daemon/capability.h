// Which capabilities this process holds, and what they let it do.
//
// Floor 4. Any thread; about the calling thread.
#ifndef SHUNTFS_DAEMON_CAPABILITY_H_
#define SHUNTFS_DAEMON_CAPABILITY_H_

namespace shuntfs {

// `capability`: a CAP_* of linux/capability.h. Whether it is effective for the whole system: within
// a user namespace of its own, a process holds all of them, which there count for little.
bool HasCapability(int capability);

// Whether it may take the identity of whoever asks it for something: an ordinary user may not, nor
// root without CAP_SETUID or CAP_SETGID, nor the root of a user namespace that denies setgroups(2).
bool CanActForOthers();

// Whether it may call mount(2) itself, within a user namespace of its own too.
bool CanMount();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CAPABILITY_H_
