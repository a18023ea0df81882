// The table of registered buffers of one ring: which slots the kernel's FUSE side holds, and which
// may change.
//
// Floor 3. Belongs to the thread of its ring, and must not outlive it. Slot 0 is the region that
// entries' headers and payloads lie in; behind it are slots that are empty, where FUSE puts
// callers' pages by itself or where other memory can be registered. The rules, and io_uring/rsrc.c
// for the reasons:
//
// - A pinned slot is not to be replaced and keeps the whole table registered (EBUSY): FUSE reads it
// with
//   every command for as long as the connection lives, and a request that finds nothing there
//   fails.
// - Other slots may change at any time, also while I/O is in flight: an I/O keeps the buffer that
// it was
//   submitted with. The kernel alone does not see to that. It looks the buffer up when the I/O
//   begins, which is later than the submission when a kernel worker runs it (IOSQE_ASYNC), and
//   finds whatever is there by then. So a slot that changes under an I/O moves to another place of
//   the kernel's table, and its old place stays as it is until the I/O is done.
// - Memory that was registered with a tag is free to be reused when the completion arrives whose
//   user_data is the tag; not when Replace returns.
#ifndef SHUNTFS_IO_FIXED_BUFFER_TABLE_H_
#define SHUNTFS_IO_FIXED_BUFFER_TABLE_H_

#include <liburing.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/errno.h"

namespace shuntfs {

class FixedBufferTable {
 public:
  static constexpr uint32_t kMaxSlots = 1U << 14;  // IORING_MAX_REG_BUFFERS
  static constexpr uint16_t kRegionSlot = 0;

  // `ring` is set up by the owner before anything is registered.
  explicit FixedBufferTable(io_uring* ring) : ring_(ring) {}
  FixedBufferTable(const FixedBufferTable&) = delete;
  FixedBufferTable& operator=(const FixedBufferTable&) = delete;

  // A table of `region` and `empty_slots` behind it, with `spare_places` for slots that change
  // under an I/O. EINVAL: too many. ENOMEM: RLIMIT_MEMLOCK. EFAULT: the memory cannot be written.
  Outcome Register(std::span<std::byte> region, uint32_t empty_slots, uint32_t spare_places = 0);
  // The same table as `source`, whose memory stays pinned and is counted once (6.12). EINVAL: this
  // kernel cannot; EEXIST: the source's ring belongs to another thread alone (SINGLE_ISSUER).
  Outcome CloneFrom(const FixedBufferTable& source);

  // FUSE uses the slot from now on. EINVAL: there is no such slot. EBUSY: it was moved by Replace,
  // and FUSE would not find it.
  Outcome Pin(uint32_t slot);
  // The connection has ended, so FUSE uses none any more.
  void UnpinAll();

  // The buf_index of an I/O that is about to be submitted on an unpinned slot; `slot` exists. It is
  // to be given back when the I/O has completed. A pinned slot is its own buf_index, and needs
  // neither.
  uint16_t Acquire(uint32_t slot);
  void Release(uint16_t buf_index);

  // Puts `memory`, or nothing when it is empty, in the place of what the slot holds. `tag`: the
  // user_data of the completion that says when the memory is given back; 0: none. EBUSY: pinned.
  // EINVAL: there is no such slot. EAGAIN: I/O is in flight on it, and on every spare place.
  Outcome Replace(uint32_t slot, std::span<std::byte> memory, uint64_t tag);

  // Gives up the table. EBUSY: a slot is pinned, or I/O is in flight on one that was acquired. Also
  // done when the ring is closed, but later than that returns.
  Outcome Unregister();

  uint32_t slots() const { return static_cast<uint32_t>(slots_.size()); }

 private:
  struct Slot {
    uint16_t place = 0;  // in the kernel's table
    bool pinned = false;
  };
  struct Place {
    uint32_t users = 0;    // I/O in flight
    bool retired = false;  // no slot's any more; to be emptied after the last user
  };

  Outcome Put(uint16_t place, std::span<std::byte> memory, uint64_t tag);

  io_uring* const ring_;
  std::vector<Slot> slots_;  // empty: nothing is registered
  std::vector<Place> places_;
  std::vector<uint16_t> spares_;  // places of no slot
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_FIXED_BUFFER_TABLE_H_
