// The FUSE wire as the kernel defines it (include/uapi/linux/fuse.h, up to 7.46), stated in C++.
//
// Floor 1. Layouts only; tests/protocol compares them with the newest kernel header. Every struct
// is little more than bytes: fixed size, no padding that is not named, copied in and out with
// memcpy.
#ifndef SHUNTFS_CORE_PROTOCOL_ABI_H_
#define SHUNTFS_CORE_PROTOCOL_ABI_H_

#include <cstddef>
#include <cstdint>

namespace shuntfs::abi {

inline constexpr uint32_t kKernelVersion = 7;
inline constexpr uint32_t kKernelMinorVersion = 46;
// The oldest minor version we talk to: Linux 5.4.
inline constexpr uint32_t kMinKernelMinorVersion = 31;
// The kernel refuses to read(2) into less (FUSE_MIN_READ_BUFFER).
inline constexpr size_t kMinReadBuffer = 8192;

enum class Opcode : uint32_t {
  kLookup = 1,
  kForget = 2,
  kGetattr = 3,
  kSetattr = 4,
  kReadlink = 5,
  kSymlink = 6,
  kMknod = 8,
  kMkdir = 9,
  kUnlink = 10,
  kRmdir = 11,
  kRename = 12,
  kLink = 13,
  kOpen = 14,
  kRead = 15,
  kWrite = 16,
  kStatfs = 17,
  kRelease = 18,
  kFsync = 20,
  kSetxattr = 21,
  kGetxattr = 22,
  kListxattr = 23,
  kRemovexattr = 24,
  kFlush = 25,
  kInit = 26,
  kOpendir = 27,
  kReaddir = 28,
  kReleasedir = 29,
  kFsyncdir = 30,
  kGetlk = 31,
  kSetlk = 32,
  kSetlkw = 33,
  kAccess = 34,
  kCreate = 35,
  kInterrupt = 36,
  kBmap = 37,
  kDestroy = 38,
  kIoctl = 39,
  kPoll = 40,
  kNotifyReply = 41,
  kBatchForget = 42,
  kFallocate = 43,
  kReaddirplus = 44,
  kRename2 = 45,
  kLseek = 46,
  kCopyFileRange = 47,
  kSetupmapping = 48,
  kRemovemapping = 49,
  kSyncfs = 50,
  kTmpfile = 51,
  kStatx = 52,
  kCopyFileRange64 = 53,
};
inline constexpr uint32_t kOpcodeEnd = 54;

// ---- headers ----

struct InHeader {
  uint32_t len;
  uint32_t opcode;
  uint64_t unique;
  uint64_t nodeid;
  uint32_t uid;
  uint32_t gid;
  uint32_t pid;
  uint16_t total_extlen;  // in units of 8 bytes
  uint16_t padding;
};
static_assert(sizeof(InHeader) == 40);

struct OutHeader {
  uint32_t len;
  int32_t error;  // 0 or a negative errno
  uint64_t unique;
};
static_assert(sizeof(OutHeader) == 16);

// A notice has unique 0 and its code in place of the error.
inline constexpr int32_t kNotifyInvalInode = 2;

struct NotifyInvalInodeOut {
  uint64_t ino;  // nodeid
  int64_t off;   // negative: attributes only
  int64_t len;   // 0: to the end
};
static_assert(sizeof(NotifyInvalInodeOut) == 24);

// ---- attributes ----

struct Attr {
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;
  uint32_t atimensec;
  uint32_t mtimensec;
  uint32_t ctimensec;
  uint32_t mode;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint32_t rdev;
  uint32_t blksize;
  uint32_t flags;
};
static_assert(sizeof(Attr) == 88);

struct SxTime {
  int64_t tv_sec;
  uint32_t tv_nsec;
  int32_t reserved;
};
static_assert(sizeof(SxTime) == 16);

struct Statx {
  uint32_t mask;
  uint32_t blksize;
  uint64_t attributes;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint16_t spare0[1];
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t attributes_mask;
  SxTime atime;
  SxTime btime;
  SxTime ctime;
  SxTime mtime;
  uint32_t rdev_major;
  uint32_t rdev_minor;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint64_t spare2[14];
};
static_assert(sizeof(Statx) == 256);

struct Kstatfs {
  uint64_t blocks;
  uint64_t bfree;
  uint64_t bavail;
  uint64_t files;
  uint64_t ffree;
  uint32_t bsize;
  uint32_t namelen;
  uint32_t frsize;
  uint32_t padding;
  uint32_t spare[6];
};
static_assert(sizeof(Kstatfs) == 80);

struct EntryOut {
  uint64_t nodeid;
  uint64_t generation;
  uint64_t entry_valid;
  uint64_t attr_valid;
  uint32_t entry_valid_nsec;
  uint32_t attr_valid_nsec;
  Attr attr;
};
static_assert(sizeof(EntryOut) == 128);

struct ForgetIn {
  uint64_t nlookup;
};
static_assert(sizeof(ForgetIn) == 8);

struct ForgetOne {
  uint64_t nodeid;
  uint64_t nlookup;
};
static_assert(sizeof(ForgetOne) == 16);

struct BatchForgetIn {
  uint32_t count;
  uint32_t dummy;
};
static_assert(sizeof(BatchForgetIn) == 8);

inline constexpr uint32_t kGetattrFh = 1U << 0;

struct GetattrIn {
  uint32_t getattr_flags;
  uint32_t dummy;
  uint64_t fh;
};
static_assert(sizeof(GetattrIn) == 16);

struct AttrOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t dummy;
  Attr attr;
};
static_assert(sizeof(AttrOut) == 104);

struct StatxIn {
  uint32_t getattr_flags;
  uint32_t reserved;
  uint64_t fh;
  uint32_t sx_flags;
  uint32_t sx_mask;
};
static_assert(sizeof(StatxIn) == 24);

struct StatxOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t flags;
  uint64_t spare[2];
  Statx stat;
};
static_assert(sizeof(StatxOut) == 288);

inline constexpr uint32_t kSetattrMode = 1U << 0;
inline constexpr uint32_t kSetattrUid = 1U << 1;
inline constexpr uint32_t kSetattrGid = 1U << 2;
inline constexpr uint32_t kSetattrSize = 1U << 3;
inline constexpr uint32_t kSetattrAtime = 1U << 4;
inline constexpr uint32_t kSetattrMtime = 1U << 5;
inline constexpr uint32_t kSetattrFh = 1U << 6;
inline constexpr uint32_t kSetattrAtimeNow = 1U << 7;
inline constexpr uint32_t kSetattrMtimeNow = 1U << 8;
inline constexpr uint32_t kSetattrLockowner = 1U << 9;
inline constexpr uint32_t kSetattrCtime = 1U << 10;
inline constexpr uint32_t kSetattrKillSuidgid = 1U << 11;

struct SetattrIn {
  uint32_t valid;
  uint32_t padding;
  uint64_t fh;
  uint64_t size;
  uint64_t lock_owner;
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;
  uint32_t atimensec;
  uint32_t mtimensec;
  uint32_t ctimensec;
  uint32_t mode;
  uint32_t unused4;
  uint32_t uid;
  uint32_t gid;
  uint32_t unused5;
};
static_assert(sizeof(SetattrIn) == 88);

// ---- names ----

struct MknodIn {
  uint32_t mode;
  uint32_t rdev;
  uint32_t umask;
  uint32_t padding;
};
static_assert(sizeof(MknodIn) == 16);

struct MkdirIn {
  uint32_t mode;
  uint32_t umask;
};
static_assert(sizeof(MkdirIn) == 8);

struct RenameIn {
  uint64_t newdir;
};
static_assert(sizeof(RenameIn) == 8);

struct Rename2In {
  uint64_t newdir;
  uint32_t flags;
  uint32_t padding;
};
static_assert(sizeof(Rename2In) == 16);

struct LinkIn {
  uint64_t oldnodeid;
};
static_assert(sizeof(LinkIn) == 8);

// ---- open files ----

inline constexpr uint32_t kOpenKillSuidgid = 1U << 0;

struct OpenIn {
  uint32_t flags;
  uint32_t open_flags;
};
static_assert(sizeof(OpenIn) == 8);

struct CreateIn {
  uint32_t flags;
  uint32_t mode;
  uint32_t umask;
  uint32_t open_flags;
};
static_assert(sizeof(CreateIn) == 16);

inline constexpr uint32_t kFopenDirectIo = 1U << 0;
inline constexpr uint32_t kFopenKeepCache = 1U << 1;
inline constexpr uint32_t kFopenNonseekable = 1U << 2;
inline constexpr uint32_t kFopenCacheDir = 1U << 3;
inline constexpr uint32_t kFopenStream = 1U << 4;
inline constexpr uint32_t kFopenNoflush = 1U << 5;
inline constexpr uint32_t kFopenParallelDirectWrites = 1U << 6;
inline constexpr uint32_t kFopenPassthrough = 1U << 7;
inline constexpr uint32_t kFopenIoUringZeroCopy = 1U << 8;

struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;
  int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);

struct ReleaseIn {
  uint64_t fh;
  uint32_t flags;
  uint32_t release_flags;
  uint64_t lock_owner;
};
static_assert(sizeof(ReleaseIn) == 24);

struct FlushIn {
  uint64_t fh;
  uint32_t unused;
  uint32_t padding;
  uint64_t lock_owner;
};
static_assert(sizeof(FlushIn) == 24);

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

inline constexpr uint32_t kWriteCache = 1U << 0;
inline constexpr uint32_t kWriteLockowner = 1U << 1;
inline constexpr uint32_t kWriteKillSuidgid = 1U << 2;

struct WriteIn {
  uint64_t fh;
  uint64_t offset;
  uint32_t size;
  uint32_t write_flags;
  uint64_t lock_owner;
  uint32_t flags;
  uint32_t padding;
};
static_assert(sizeof(WriteIn) == 40);

struct WriteOut {
  uint32_t size;
  uint32_t padding;
};
static_assert(sizeof(WriteOut) == 8);

inline constexpr uint32_t kFsyncFdatasync = 1U << 0;

struct FsyncIn {
  uint64_t fh;
  uint32_t fsync_flags;
  uint32_t padding;
};
static_assert(sizeof(FsyncIn) == 16);

struct FallocateIn {
  uint64_t fh;
  uint64_t offset;
  uint64_t length;
  uint32_t mode;
  uint32_t padding;
};
static_assert(sizeof(FallocateIn) == 32);

struct LseekIn {
  uint64_t fh;
  uint64_t offset;
  uint32_t whence;
  uint32_t padding;
};
static_assert(sizeof(LseekIn) == 24);

struct LseekOut {
  uint64_t offset;
};
static_assert(sizeof(LseekOut) == 8);

struct CopyFileRangeIn {
  uint64_t fh_in;
  uint64_t off_in;
  uint64_t nodeid_out;
  uint64_t fh_out;
  uint64_t off_out;
  uint64_t len;
  uint64_t flags;
};
static_assert(sizeof(CopyFileRangeIn) == 56);

struct CopyFileRangeOut {
  uint64_t bytes_copied;
};
static_assert(sizeof(CopyFileRangeOut) == 8);

inline constexpr uint32_t kIoctlUnrestricted = 1U << 1;
inline constexpr uint32_t kIoctlDir = 1U << 4;

struct IoctlIn {
  uint64_t fh;
  uint32_t flags;
  uint32_t cmd;
  uint64_t arg;
  uint32_t in_size;
  uint32_t out_size;
};
static_assert(sizeof(IoctlIn) == 32);

struct IoctlOut {
  int32_t result;
  uint32_t flags;
  uint32_t in_iovs;
  uint32_t out_iovs;
};
static_assert(sizeof(IoctlOut) == 16);

struct SyncfsIn {
  uint64_t padding;
};
static_assert(sizeof(SyncfsIn) == 8);

// ---- extended attributes, access, file system ----

// Without FUSE_SETXATTR_EXT the kernel sends the first eight bytes only.
inline constexpr size_t kCompatSetxattrInSize = 8;
inline constexpr uint32_t kSetxattrAclKillSgid = 1U << 0;

struct SetxattrIn {
  uint32_t size;
  uint32_t flags;
  uint32_t setxattr_flags;
  uint32_t padding;
};
static_assert(sizeof(SetxattrIn) == 16);

struct GetxattrIn {
  uint32_t size;
  uint32_t padding;
};
static_assert(sizeof(GetxattrIn) == 8);

struct GetxattrOut {
  uint32_t size;
  uint32_t padding;
};
static_assert(sizeof(GetxattrOut) == 8);

struct AccessIn {
  uint32_t mask;
  uint32_t padding;
};
static_assert(sizeof(AccessIn) == 8);

struct StatfsOut {
  Kstatfs st;
};
static_assert(sizeof(StatfsOut) == 80);

struct InterruptIn {
  uint64_t unique;
};
static_assert(sizeof(InterruptIn) == 8);

// ---- directories ----

struct Dirent {
  uint64_t ino;
  uint64_t off;
  uint32_t namelen;
  uint32_t type;
  // the name follows, padded with zeros to a multiple of 8
};
static_assert(sizeof(Dirent) == 24);

struct DirentPlus {
  EntryOut entry_out;
  Dirent dirent;
};
static_assert(sizeof(DirentPlus) == 152);

// ---- request extensions (7.38) ----

struct ExtHeader {
  uint32_t size;
  uint32_t type;
};
static_assert(sizeof(ExtHeader) == 8);

// Types below this are numbers of security contexts.
inline constexpr uint32_t kExtMaxNrSecctx = 31;
inline constexpr uint32_t kExtGroups = 32;

struct SuppGroups {
  uint32_t nr_groups;
  // uint32_t groups[] follows
};
static_assert(sizeof(SuppGroups) == 4);

// ---- INIT ----

inline constexpr uint64_t kInitAsyncRead = 1ULL << 0;
inline constexpr uint64_t kInitPosixLocks = 1ULL << 1;
inline constexpr uint64_t kInitFileOps = 1ULL << 2;
inline constexpr uint64_t kInitAtomicOTrunc = 1ULL << 3;
inline constexpr uint64_t kInitExportSupport = 1ULL << 4;
inline constexpr uint64_t kInitBigWrites = 1ULL << 5;
inline constexpr uint64_t kInitDontMask = 1ULL << 6;
inline constexpr uint64_t kInitFlockLocks = 1ULL << 10;
inline constexpr uint64_t kInitHasIoctlDir = 1ULL << 11;
inline constexpr uint64_t kInitAutoInvalData = 1ULL << 12;
inline constexpr uint64_t kInitDoReaddirplus = 1ULL << 13;
inline constexpr uint64_t kInitReaddirplusAuto = 1ULL << 14;
inline constexpr uint64_t kInitAsyncDio = 1ULL << 15;
inline constexpr uint64_t kInitWritebackCache = 1ULL << 16;
inline constexpr uint64_t kInitNoOpenSupport = 1ULL << 17;
inline constexpr uint64_t kInitParallelDirops = 1ULL << 18;
inline constexpr uint64_t kInitHandleKillpriv = 1ULL << 19;
inline constexpr uint64_t kInitPosixAcl = 1ULL << 20;
inline constexpr uint64_t kInitAbortError = 1ULL << 21;
inline constexpr uint64_t kInitMaxPages = 1ULL << 22;
inline constexpr uint64_t kInitCacheSymlinks = 1ULL << 23;
inline constexpr uint64_t kInitExplicitInvalData = 1ULL << 25;
inline constexpr uint64_t kInitSubmounts = 1ULL << 27;
inline constexpr uint64_t kInitHandleKillprivV2 = 1ULL << 28;
inline constexpr uint64_t kInitSetxattrExt = 1ULL << 29;
inline constexpr uint64_t kInitExt = 1ULL << 30;
inline constexpr uint64_t kInitSecurityCtx = 1ULL << 32;
inline constexpr uint64_t kInitCreateSuppGroup = 1ULL << 34;
inline constexpr uint64_t kInitHasExpireOnly = 1ULL << 35;
inline constexpr uint64_t kInitDirectIoAllowMmap = 1ULL << 36;
inline constexpr uint64_t kInitPassthrough = 1ULL << 37;
inline constexpr uint64_t kInitHasResend = 1ULL << 39;
inline constexpr uint64_t kInitAllowIdmap = 1ULL << 40;
inline constexpr uint64_t kInitOverIoUring = 1ULL << 41;
inline constexpr uint64_t kInitRequestTimeout = 1ULL << 42;
inline constexpr uint64_t kInitHasIoUringBufpool = 1ULL << 43;

struct InitIn {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint32_t flags2;
  uint32_t unused[11];
};
static_assert(sizeof(InitIn) == 64);
// What kernels without FUSE_INIT_EXT send.
inline constexpr size_t kCompatInitInSize = 16;

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

// ---- FUSE over io_uring (6.14; pools and zero-copy 7.3) ----

inline constexpr uint32_t kUringCmdRegister = 1;
inline constexpr uint32_t kUringCmdCommitAndFetch = 2;
inline constexpr uint32_t kUringCmdAddQueue = 3;
inline constexpr uint32_t kUringCmdAddBufpool = 4;

inline constexpr uint64_t kUringZeroCopy = 1U << 0;     // of ADD_QUEUE: UringCmdReq::flags
inline constexpr uint64_t kUringEntZeroCopy = 1U << 0;  // of a request: UringEntInOut::flags

struct UringEntInOut {
  uint64_t flags;
  uint64_t commit_id;
  uint32_t payload_sz;
  uint32_t offset;  // of the payload in the queue's pool; before 7.46 and without a pool: nothing
  uint64_t reserved;
};
static_assert(sizeof(UringEntInOut) == 32);

inline constexpr size_t kUringInOutSize = 128;
inline constexpr size_t kUringOpInSize = 128;

struct UringReqHeader {
  std::byte in_out[kUringInOutSize];  // InHeader in, OutHeader out
  std::byte op_in[kUringOpInSize];    // the first argument of the request
  UringEntInOut ring_ent_in_out;
};
static_assert(sizeof(UringReqHeader) == 288);
static_assert(offsetof(UringReqHeader, ring_ent_in_out) == 256);

// Lies in the last 80 bytes of a 128-byte SQE, the rest of which is zero. Kernels before 7.46 know
// the first 24 bytes only.
struct UringCmdReq {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t qid;
  uint8_t padding[6];
  uint64_t bufpool_uaddr;  // of ADD_BUFPOOL, as the next two
  uint32_t bufpool_len;
  uint32_t bufpool_reserved;
};
static_assert(sizeof(UringCmdReq) == 40);

// What a REGISTER has in place of the pool.
struct UringRegisterReq {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t qid;
  uint8_t padding[6];
  uint16_t ent_zero_copy_buf_index;  // 0 but on zero-copy queues
  uint8_t rest[14];
};
static_assert(sizeof(UringRegisterReq) == sizeof(UringCmdReq));

// ioctl(2) on another open of /dev/fuse: attach it to the connection of the descriptor given.
inline constexpr unsigned long kDevIocClone = 0x8004e500UL;

// ioctl(2) on /dev/fuse, for passthrough: gives a backing file's id; takes one back.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
static_assert(sizeof(BackingMap) == 16);
inline constexpr unsigned long kDevIocBackingOpen = 0x4010e501UL;
inline constexpr unsigned long kDevIocBackingClose = 0x4004e502UL;

}  // namespace shuntfs::abi

#endif  // SHUNTFS_CORE_PROTOCOL_ABI_H_
