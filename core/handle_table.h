// The files and directories that the kernel has open.
//
// Floor 2. A handle is made by OPEN, CREATE, TMPFILE or OPENDIR and lives until its RELEASE, which
// the kernel sends after the last request on it. Find is lock-free and may run on any thread.
#ifndef SHUNTFS_CORE_HANDLE_TABLE_H_
#define SHUNTFS_CORE_HANDLE_TABLE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/ids.h"
#include "core/base/limits.h"
#include "core/base/unique_fd.h"
#include "core/device_table.h"
#include "core/slot_table.h"

namespace shuntfs {

// Entries that getdents64(2) returned and the kernel has not fetched yet. `total` counts the bytes
// of all buffers and outlives them.
struct DirectoryBuffer {
  explicit DirectoryBuffer(std::atomic<uint64_t>& total_bytes) : total(total_bytes) {}
  ~DirectoryBuffer() { Free(); }
  DirectoryBuffer(const DirectoryBuffer&) = delete;
  DirectoryBuffer& operator=(const DirectoryBuffer&) = delete;

  void Allocate() {
    if (!bytes.empty()) return;
    bytes.resize(kDirectoryBufferBytes);
    total.fetch_add(kDirectoryBufferBytes, std::memory_order_relaxed);
  }
  // What was not handed out is read again, from `next_offset`.
  void Free() {
    if (bytes.empty()) return;
    std::vector<std::byte>().swap(bytes);
    total.fetch_sub(kDirectoryBufferBytes, std::memory_order_relaxed);
    reread = next < end;
    next = end = 0;
  }

  std::atomic<uint64_t>& total;
  std::vector<std::byte> bytes;
  bool reread = false;       // the descriptor's position is behind `next_offset`
  size_t next = 0;           // the first entry not handed out
  size_t end = 0;            // behind the last entry
  uint64_t next_offset = 0;  // the offset in SRC that continues at `next`
  uint64_t next_shown = 0;   // the same as the kernel was told
  // Whether SRC's offsets are hashes (core/directory_offsets.h); not known before the first use.
  std::optional<bool> hashed;
  std::atomic_flag in_use = ATOMIC_FLAG_INIT;
};

struct OpenFile {
  UniqueFd fd;
  UniqueFd direct_fd;  // the same file with O_DIRECT, where that is wanted and to be had
  DeviceRef device;
  bool synchronous = false;                    // O_SYNC or O_DSYNC: every write waits for the disk
  bool at_once = false;                        // the ring serves it without a kernel worker, always
  std::unique_ptr<DirectoryBuffer> directory;  // of directories
  NodeId node;                                 // whose open descriptors `fd` is among; or 0
  NodeId backing_node;                         // whose BackingFiles use ends with this file; or 0
  NodeId written_node;                         // whose Writers count this file; or 0
  bool written_passed_through = false;         // which of its counts
};

class HandleTable {
 public:
  ~HandleTable() {
    const uint32_t end = slots_.end();
    for (uint32_t index = 1; index < end; ++index) {
      slots_.VisitSlot(index, [](OpenFile* file) { delete file; });
    }
  }

  // Null: the kernel named a handle that is not open.
  OpenFile* Find(FileHandle fh) const { return slots_.Find(fh.value()); }
  // Takes the file over. 0 when the table is full: then it stays the caller's.
  FileHandle Insert(std::unique_ptr<OpenFile>* file) {
    const FileHandle fh(slots_.Insert(file->get()));
    if (fh.value() != 0) static_cast<void>(file->release());
    return fh;
  }
  // The file, to be closed by the caller; null when it is not open.
  std::unique_ptr<OpenFile> Remove(FileHandle fh) {
    OpenFile* file = slots_.Find(fh.value());
    if (file == nullptr) return nullptr;
    slots_.Remove(fh.value());
    return std::unique_ptr<OpenFile>(file);
  }
  uint64_t count() const { return slots_.count(); }

  std::unique_ptr<DirectoryBuffer> MakeDirectoryBuffer() {
    return std::make_unique<DirectoryBuffer>(directory_bytes_);
  }
  // What the buffers of all open directories take.
  uint64_t directory_bytes() const { return directory_bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> directory_bytes_{0};
  SlotTable<OpenFile> slots_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_HANDLE_TABLE_H_
