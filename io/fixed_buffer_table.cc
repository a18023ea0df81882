#include "io/fixed_buffer_table.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "core/base/log.h"

namespace shuntfs {
namespace {

// IORING_REGISTER_CLONE_BUFFERS (6.12) and its argument, from include/uapi/linux/io_uring.h;
// liburing 2.3 does not know them.
constexpr unsigned kRegisterCloneBuffers = 30;
struct CloneBuffers {
  uint32_t src_fd;
  uint32_t flags;
  uint32_t src_off;
  uint32_t dst_off;
  uint32_t nr;
  uint32_t pad[3];
};
static_assert(sizeof(CloneBuffers) == 32);

Outcome FromUring(int rc) { return rc < 0 ? Outcome(Errno(-rc)) : Ok(); }

}  // namespace

Outcome FixedBufferTable::Register(std::span<std::byte> region, uint32_t empty_slots,
                                   uint32_t spare_places) {
  const uint64_t slots = uint64_t{1} + empty_slots;
  const uint64_t places = slots + spare_places;
  if (places > kMaxSlots) return Errno(EINVAL);
  // A place without memory is left empty.
  std::vector<iovec> buffers(places, iovec{nullptr, 0});
  buffers[kRegionSlot] = {region.data(), region.size()};
  const Outcome done = FromUring(
      io_uring_register_buffers(ring_, buffers.data(), static_cast<unsigned>(buffers.size())));
  if (!done.ok()) return done;
  slots_.resize(slots);
  for (uint32_t slot = 0; slot < slots; ++slot) slots_[slot].place = static_cast<uint16_t>(slot);
  places_.resize(places);
  for (uint64_t place = slots; place < places; ++place)
    spares_.push_back(static_cast<uint16_t>(place));
  return Ok();
}

Outcome FixedBufferTable::CloneFrom(const FixedBufferTable& source) {
  CloneBuffers clone{};
  clone.src_fd = static_cast<uint32_t>(source.ring_->ring_fd);
  const Outcome done = FromSyscall(static_cast<int>(
      syscall(SYS_io_uring_register, ring_->ring_fd, kRegisterCloneBuffers, &clone, 1)));
  if (!done.ok()) return done;
  slots_ = source.slots_;
  places_.assign(source.places_.size(), Place{});
  spares_ = source.spares_;
  return Ok();
}

Outcome FixedBufferTable::Pin(uint32_t slot) {
  if (slot >= slots_.size()) return Errno(EINVAL);
  if (slots_[slot].place != slot) return Errno(EBUSY);
  slots_[slot].pinned = true;
  return Ok();
}

void FixedBufferTable::UnpinAll() {
  for (Slot& slot : slots_) slot.pinned = false;
}

uint16_t FixedBufferTable::Acquire(uint32_t slot) {
  CHECK(slot < slots_.size());
  const uint16_t place = slots_[slot].place;
  ++places_[place].users;
  return place;
}

void FixedBufferTable::Release(uint16_t buf_index) {
  CHECK(buf_index < places_.size() && places_[buf_index].users > 0);
  Place& place = places_[buf_index];
  if (--place.users > 0 || !place.retired) return;
  if (const Outcome done = Put(buf_index, {}, 0); !done.ok()) {
    LOG(ERROR) << "a buffer cannot be taken out of the table: "
               << std::strerror(done.error().value());
    return;  // its tag never comes, so nobody reuses the memory
  }
  place.retired = false;
  spares_.push_back(buf_index);
}

Outcome FixedBufferTable::Put(uint16_t place, std::span<std::byte> memory, uint64_t tag) {
  const iovec buffer{memory.empty() ? nullptr : memory.data(), memory.size()};
  __u64 tags[] = {memory.empty() ? 0 : tag};
  return FromUring(io_uring_register_buffers_update_tag(ring_, place, &buffer, tags, 1));
}

Outcome FixedBufferTable::Replace(uint32_t slot, std::span<std::byte> memory, uint64_t tag) {
  if (slot >= slots_.size()) return Errno(EINVAL);
  if (slots_[slot].pinned) return Errno(EBUSY);
  const uint16_t old_place = slots_[slot].place;
  if (places_[old_place].users == 0) return Put(old_place, memory, tag);
  if (spares_.empty()) return Errno(EAGAIN);
  const uint16_t new_place = spares_.back();
  if (const Outcome done = Put(new_place, memory, tag); !done.ok()) return done;
  spares_.pop_back();
  slots_[slot].place = new_place;
  places_[old_place].retired = true;
  return Ok();
}

Outcome FixedBufferTable::Unregister() {
  if (slots_.empty()) return Ok();
  for (const Slot& slot : slots_) {
    if (slot.pinned) return Errno(EBUSY);
  }
  for (const Place& place : places_) {
    if (place.users > 0) return Errno(EBUSY);
  }
  const Outcome done = FromUring(io_uring_unregister_buffers(ring_));
  if (!done.ok()) return done;
  slots_.clear();
  places_.clear();
  spares_.clear();
  return Ok();
}

}  // namespace shuntfs
