// The file system of one mount: its tables, its policy, and the way into its operations.
//
// Floor 2. Thread-safe: any number of threads call Dispatch, each with its own ThreadIdentity and
// Counters. Starts no thread, knows no transport and reads no flag.
#ifndef SHUNTFS_CORE_FILE_SYSTEM_H_
#define SHUNTFS_CORE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <span>

#include "core/backing_files.h"
#include "core/cache_timeouts.h"
#include "core/counters.h"
#include "core/data_io.h"
#include "core/device_table.h"
#include "core/handle_table.h"
#include "core/inode_table.h"
#include "core/interrupts.h"
#include "core/kernel_notices.h"
#include "core/policy.h"
#include "core/protocol/request.h"
#include "core/sys/thread_identity.h"

namespace shuntfs {

struct FileSystemOptions {
  bool noatime = false;  // reads leave the access times of the backing files alone
  bool writeback = false;
  bool backing_direct = false;  // file data passes by the page cache of the backing file system
  bool zero_copy = false;       // the queues take requests whose data lies in the caller's pages
  bool privileged = true;
  bool allow_pseudo_filesystems = false;  // procfs and its like are served
  CacheTimeouts timeouts;                 // to begin with
  uint64_t path_fd_limit = 512;
  PolicyWish read_policy = PolicyWish::kAuto;
  PolicyWish write_policy = PolicyWish::kAuto;
  PolicyOptions policy;
};

// One request on its way through a handler.
struct Call {
  const Request& request;
  std::span<std::byte> reply;  // where the reply's arguments go; may overlap the request's payload
  ThreadIdentity& identity;
  Counters& counters;
  bool may_block = false;              // this thread serves nobody else
  Interrupts::Watch* watch = nullptr;  // of the request, where it may block; or null
};

class FileSystem {
 public:
  // `source` is SRC, opened O_PATH.
  static Result<std::unique_ptr<FileSystem>> Create(UniqueFd source,
                                                    const FileSystemOptions& options);

  // Runs the handler of the request.
  Action Dispatch(Call& call);
  // After a transfer: `result` is the bytes moved or a negative errno. Writes the reply's
  // arguments, if any.
  Action FinishTransfer(const Call& call, const Transfer& transfer, int64_t result);
  // Counts a request, how it ended and how long it took.
  static void CountReply(Counters& counters, const Request& request, const Action& action,
                         uint64_t latency_ns);
  // Takes the count of a request back that was counted as a success before it had ended.
  static void UncountReply(Counters& counters, const Request& request, uint64_t latency_ns);

  // The operation has changed attributes of the inode that its reply does not carry: the kernel
  // drops those that it has. Before the reply; the request has to be one on this inode
  // (KernelNotices).
  void AttributesChanged(NodeId nodeid, Counters& counters);
  // The same for an operation that can take set-user-ID and set-group-ID away and changes no other
  // attribute that the kernel does not expect.
  void SetIdMayBeGone(NodeId nodeid, Counters& counters);

  const FileSystemOptions& options() const { return options_; }
  CacheTimeouts timeouts() const {
    return {entry_timeout_.get(), attr_timeout_.get(), negative_timeout_.get()};
  }
  // The generation of every nodeid of this mount: random and not 0. Numbers of nodes are given out
  // in turn, so another mount gives the same ones to other files; a file handle holds number and
  // generation (fs/fuse/inode.c, fuse_encode_fh), and one of another mount is ESTALE.
  uint32_t generation() const { return generation_; }
  // Of replies from now on.
  void SetTimeouts(const CacheTimeouts& timeouts);
  InodeTable& inodes() { return *inodes_; }
  HandleTable& handles() { return handles_; }
  DeviceTable& devices() { return *devices_; }
  // Null but in a mount whose data the kernel moves by itself.
  BackingFiles* backing_files() { return backing_files_.get(); }
  // Before the first request.
  void UseBackingFiles(std::unique_ptr<BackingFiles> files) { backing_files_ = std::move(files); }
  // Null where no kernel caches what is served.
  KernelNotices* notices() { return notices_.get(); }
  // Before the first request.
  void UseNotices(std::unique_ptr<KernelNotices> notices) { notices_ = std::move(notices); }
  // What is opened with O_DIRECT is served as the kernel's direct files are, if the kernel lets
  // them be mapped (FUSE_DIRECT_IO_ALLOW_MMAP, 6.6). Before the first request.
  void OpenDirectFilesAsSuch() { direct_files_ = true; }
  bool direct_files() const { return direct_files_; }
  Interrupts& interrupts() { return interrupts_; }
  // What the serving threads look at to know which requests are traced.
  TraceSwitch& trace_switch() { return trace_switch_; }
  // Null where everything is shown and done as SRC has it.
  const Policy* policy() const { return policy_.get(); }

 private:
  explicit FileSystem(const FileSystemOptions& options);

  const FileSystemOptions options_;
  uint32_t generation_ = 0;
  const std::unique_ptr<const Policy> policy_;
  LiveTimeout entry_timeout_;
  LiveTimeout attr_timeout_;
  LiveTimeout negative_timeout_;
  std::unique_ptr<DeviceTable> devices_;
  std::unique_ptr<InodeTable> inodes_;
  HandleTable handles_;
  std::unique_ptr<BackingFiles> backing_files_;
  std::unique_ptr<KernelNotices> notices_;
  bool direct_files_ = false;
  Interrupts interrupts_;
  TraceSwitch trace_switch_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_FILE_SYSTEM_H_
