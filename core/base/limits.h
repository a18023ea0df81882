// Every limit of the daemon in one place, each with its reason.
//
// Floor 0.
#ifndef SHUNTFS_CORE_BASE_LIMITS_H_
#define SHUNTFS_CORE_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace shuntfs {

// NAME_MAX of Linux. The kernel sends no longer component; a longer one is answered ENAMETOOLONG.
inline constexpr size_t kNameMax = 255;

// XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux.
inline constexpr size_t kXattrValueMax = 65536;

// PATH_MAX of Linux, the terminator included: the target of a symbolic link.
inline constexpr size_t kPathMax = 4096;

// The longest argument that an ioctl number can state (_IOC_SIZEBITS, 14 bits).
inline constexpr size_t kIoctlArgumentMax = 16383;

// What Linux shows for an owner or group that has no number here (fs.overflowuid): "nobody".
inline constexpr uint32_t kOverflowId = 65534;

// Ranges of one id map; the kernel's own maps take 340.
inline constexpr size_t kMaxIdRanges = 340;

// One request never carries more than this beside its headers: 256 pages, the default of
// fs.fuse.max_pages_limit.
inline constexpr uint32_t kMaxWriteBytes = 1U << 20;
inline constexpr uint32_t kMinWriteBytes = 4096;

// No area for the payload of a request or reply is smaller, whatever max_write is, in whole pages:
// the longest extended attribute with the longest name takes 65,792 bytes. Before 7.3 the kernel
// stops with a BUG at a request that does not fit (fs/fuse/dev.c, fuse_copy_do). The table of
// operations is held against it at compile time (core/protocol/request.cc).
inline constexpr uint32_t kMinPayloadBytes = 68U << 10;

// The number of inode numbers, given to files of file systems mounted below SRC, that are
// remembered so that none is given twice (core/inode_numbers.h): 25 to 50 MB when all are taken.
inline constexpr size_t kMaxForeignNumbers = 1U << 20;

// Inodes that keep their nodeid after the kernel has forgotten them, so that file handles lead to
// them still: about 6 MB.
inline constexpr size_t kMaxRememberedInodes = 1U << 14;

// An open directory buffers this much of its listing, until the listing ends.
inline constexpr size_t kDirectoryBufferBytes = 32768;

// The most that all open directories may buffer between two requests: 512 listings under way.
// Beyond that a buffer is given back after each reply and read again for the next, so that programs
// that hold many directories open cost no memory.
inline constexpr uint64_t kMaxDirectoryBufferBytes = 16ULL << 20;

// Descriptors kept free for open files, rings, sockets and short-lived opens when inodes are cached
// by descriptor: the cache uses at most this share of RLIMIT_NOFILE.
inline constexpr uint64_t kPathFdShareNumerator = 1;
inline constexpr uint64_t kPathFdShareDenominator = 2;

// How many cached inode descriptors one run of the evicter gives back.
inline constexpr int kPathFdEvictBatch = 64;

// A cached inode descriptor that nobody has used for this long, and at most for twice as long, is
// closed: a file that is removed in SRC is then freed, and a file system below SRC can be
// unmounted.
inline constexpr int kPathFdIdleMs = 2000;

// Shrinking a file by more than this can take long enough to be felt by the other requests of the
// CPU, so the slow pool does it. ext4 frees about 1 GiB in 10 ms.
inline constexpr uint64_t kLargeFileBytes = 256ULL << 20;

// copy_file_range copies at most this much before it looks whether the caller was interrupted.
inline constexpr uint64_t kCopyChunkBytes = 64ULL << 20;

// A transfer that would have to wait (EAGAIN) is submitted again to a thread that may. A backing
// file system that answers EAGAIN there means it, so it is the answer.
inline constexpr uint32_t kMaxWaitingRetries = 1;

// A kernel worker that waits for a network or FUSE file system gives up (EINTR) when it is to start
// another worker, and nothing tells that from the answer of such a file system.
inline constexpr uint32_t kMaxInterruptedRetries = 8;

// The number of times that an open which finds no free descriptor has idle descriptors of cached
// inodes closed before it fails. A backing file system that answers EMFILE itself must not cost the
// whole cache.
inline constexpr int kMaxEvictRounds = 16;

// Requests that wait until the kernel has written its dirty pages back, at a time. The WRITEs come
// to the same queues, the smallest of which have 4 entries. A further request is answered without.
inline constexpr int kMaxWriteBacks = 2;

// Threads that run what may block for long, started on demand: as many requests can hang on a dead
// network file system before others wait for it.
inline constexpr int kSlowPoolThreads = 64;

// A request that may wait for ever and holds an entry beyond its user's share is refused after this
// long: a file system that answers at all has answered some of those before it by then.
inline constexpr int kMaxEntryWaitMs = 2000;

// Descriptors of large deleted files that wait to be closed by the slow pool.
inline constexpr int kMaxLateCloses = 1024;

// What one user's requests in device mode may take while they wait for a thread.
inline constexpr size_t kMaxUserBacklog = 4096;
inline constexpr size_t kMaxUserBacklogBytes = 64U << 20;

// An INTERRUPT that names no request in work is kept until this many others came: it can overtake
// its request, which is on its way to a thread.
inline constexpr size_t kMaxEarlyInterrupts = 4096;

// A thread whose wait is to end gets a signal each time.
inline constexpr int kInterruptIntervalMs = 10;

// Readers of /dev/fuse in device mode: grown on demand up to this many.
inline constexpr int kMaxDeviceThreads = 64;

// Whoever removes or evicts many files sends a FORGET for each, and each would wake a thread up,
// mostly on another CPU. So the next ones are gathered for this long; an INTERRUPT may wait with
// them.
inline constexpr int kGatherForgetsMs = 2;

// A line of code that logs more often than this in that time, because every request fails say, is
// held back until the time is over.
inline constexpr int kLogLinesPerPlace = 10;
inline constexpr int kLogIntervalSec = 30;

// Longest text of a log line. With what stands before it, it goes into a pipe in one piece
// (PIPE_BUF, 4096).
inline constexpr size_t kMaxLogBytes = 3072;

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_BASE_LIMITS_H_
