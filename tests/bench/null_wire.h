// The few FUSE structures that a server with one file needs, written out from the kernel's
// interface.
//
// Floor: tests. The benchmark's floor must not depend on the code it is the yardstick of, so it has
// layouts of its own. Plain data, host byte order, no ownership, any thread.
#ifndef SHUNTFS_TESTS_BENCH_NULL_WIRE_H_
#define SHUNTFS_TESTS_BENCH_NULL_WIRE_H_

#include <cstdint>

namespace shuntfs::bench {

enum Opcode : uint32_t {
  kOpLookup = 1,
  kOpForget = 2,
  kOpGetattr = 3,
  kOpSetattr = 4,
  kOpOpen = 14,
  kOpRead = 15,
  kOpWrite = 16,
  kOpRelease = 18,
  kOpInit = 26,
  kOpOpendir = 27,
  kOpReleasedir = 29,
  kOpInterrupt = 36,
  kOpBatchForget = 42,
};

constexpr uint32_t kInitAsyncRead = 1u << 0;
constexpr uint32_t kInitBigWrites = 1u << 5;
constexpr uint32_t kInitAsyncDio = 1u << 15;
constexpr uint32_t kInitParallelDirops = 1u << 18;
constexpr uint32_t kInitMaxPages = 1u << 22;
constexpr uint32_t kInitExt = 1u << 30;
constexpr uint32_t kInit2OverIoUring = 1u << 9;

constexpr uint64_t kRootNode = 1;
constexpr uint64_t kFileNode = 2;

struct InHeader {
  uint32_t len;
  uint32_t opcode;
  uint64_t unique;
  uint64_t nodeid;
  uint32_t uid;
  uint32_t gid;
  uint32_t pid;
  uint16_t total_extlen;
  uint16_t padding;
};
static_assert(sizeof(InHeader) == 40);

struct OutHeader {
  uint32_t len;
  int32_t error;
  uint64_t unique;
};
static_assert(sizeof(OutHeader) == 16);

struct InitIn {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint32_t flags2;
  uint32_t unused[11];
};
static_assert(sizeof(InitIn) == 64);

struct InitOut {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint16_t max_background;
  uint16_t congestion_threshold;
  uint32_t max_write;
  uint32_t time_gran;
  uint16_t max_pages;
  uint16_t map_alignment;
  uint32_t flags2;
  uint32_t max_stack_depth;
  uint16_t request_timeout;
  uint16_t unused[11];
};
static_assert(sizeof(InitOut) == 64);

struct Attr {
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t times[3];
  uint32_t times_nsec[3];
  uint32_t mode;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint32_t rdev;
  uint32_t blksize;
  uint32_t flags;
};
static_assert(sizeof(Attr) == 88);

struct EntryOut {
  uint64_t nodeid;
  uint64_t generation;
  uint64_t entry_valid_s;
  uint64_t attr_valid_s;
  uint32_t entry_valid_nsec;
  uint32_t attr_valid_nsec;
  Attr attr;
};
static_assert(sizeof(EntryOut) == 128);

struct AttrOut {
  uint64_t attr_valid_s;
  uint32_t attr_valid_nsec;
  uint32_t padding;
  Attr attr;
};
static_assert(sizeof(AttrOut) == 104);

struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;
  int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);

struct ReadIn {
  uint64_t fh;
  uint64_t offset;
  uint32_t size;
  uint32_t read_flags;
  uint64_t lock_owner;
  uint32_t flags;
  uint32_t padding;
};
static_assert(sizeof(ReadIn) == 40);

struct WriteOut {
  uint32_t size;
  uint32_t padding;
};
static_assert(sizeof(WriteOut) == 8);

// What a ring entry shares with the kernel besides its payload.
struct RingHeader {
  union {
    InHeader in;
    OutHeader out;
    unsigned char in_out[128];
  };
  unsigned char op_in[128];
  uint64_t flags;
  uint64_t commit_id;
  uint32_t payload_bytes;
  uint32_t padding;
  uint64_t reserved;
};
static_assert(sizeof(RingHeader) == 288);

constexpr uint32_t kRingRegister = 1;
constexpr uint32_t kRingCommitAndFetch = 2;

// Sits at byte 48 of a 128-byte submission.
struct RingCommand {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t qid;
  unsigned char padding[6];
};
static_assert(sizeof(RingCommand) == 24);

}  // namespace shuntfs::bench

#endif  // SHUNTFS_TESTS_BENCH_NULL_WIRE_H_
