// Control sockets that killed daemons left behind.
//
// Floor 4. Any thread; asks each daemon of this user whether it listens.
#ifndef SHUNTFS_DAEMON_DEAD_SOCKETS_H_
#define SHUNTFS_DAEMON_DEAD_SOCKETS_H_

namespace shuntfs {

// Takes away those of this user at which nobody listens. The places of others are theirs. A socket
// has its name only from the moment it is listened at, so that no daemon that starts is meant.
void RemoveDeadSockets();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_DEAD_SOCKETS_H_
