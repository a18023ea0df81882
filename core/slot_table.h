// Numbers for objects: finds an object by the id that the kernel holds, without a lock.
//
// Floor 2. An id is (generation << 32 | slot), so an id that was given back is never mistaken for
// its successor. Find may run on any thread at any time; Insert and Remove lock. The table owns its
// slots, not the objects: whoever removes an id deletes the object, when nothing can look for it
// any more.
#ifndef SHUNTFS_CORE_SLOT_TABLE_H_
#define SHUNTFS_CORE_SLOT_TABLE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/log.h"

namespace shuntfs {

template <typename T>
class SlotTable {
 public:
  SlotTable() = default;
  ~SlotTable() {
    for (auto& chunk : chunks_) delete chunk.load();
  }
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  // The object with this id, or null.
  T* Find(uint64_t id) const {
    const auto index = static_cast<uint32_t>(id);
    const Slot* slot = SlotAt(index);
    if (slot == nullptr || slot->generation.load(std::memory_order_acquire) != id >> 32)
      return nullptr;
    T* object = slot->object.load(std::memory_order_acquire);
    // The slot may have passed to a successor between the two loads.
    return slot->generation.load(std::memory_order_acquire) == id >> 32 ? object : nullptr;
  }

  // Calls `visit` with the object in slot `index`, if there is one, and keeps it from being removed
  // meanwhile: for walks over the whole table. `visit` must not call the table.
  template <typename Visit>
  void VisitSlot(uint32_t index, Visit visit) const {
    const std::lock_guard lock(mutex_);
    const Slot* slot = SlotAt(index);
    T* object = slot == nullptr ? nullptr : slot->object.load(std::memory_order_acquire);
    if (object != nullptr) visit(object);
  }

  // Calls `visit` with the object that has this id, if there is one, and keeps it from being
  // removed meanwhile; for ids that may have been given back. What the object says of its own id
  // need not be there yet. `visit` must not call the table.
  template <typename Visit>
  void VisitId(uint64_t id, Visit visit) const {
    const std::lock_guard lock(mutex_);
    const Slot* slot = SlotAt(static_cast<uint32_t>(id));
    if (slot == nullptr || slot->generation.load(std::memory_order_relaxed) != id >> 32) return;
    T* object = slot->object.load(std::memory_order_acquire);
    if (object != nullptr) visit(object);
  }

  // Numbers `object`. 0 when the table is full (2^28 objects).
  uint64_t Insert(T* object) {
    const std::lock_guard lock(mutex_);
    uint32_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      if (end_ == kChunks * kChunkSlots) return 0;
      index = end_;
      if (index % kChunkSlots == 0 || index == 1) EnsureChunk(index / kChunkSlots);
      ++end_;
    }
    Slot* slot = SlotAt(index);
    slot->object.store(object, std::memory_order_release);
    count_.fetch_add(1, std::memory_order_relaxed);
    return uint64_t{slot->generation.load(std::memory_order_relaxed)} << 32 | index;
  }

  void Remove(uint64_t id) {
    const auto index = static_cast<uint32_t>(id);
    const std::lock_guard lock(mutex_);
    Slot* slot = SlotAt(index);
    CHECK(slot != nullptr && slot->generation.load(std::memory_order_relaxed) == id >> 32)
        << "id given back twice";
    slot->object.store(nullptr, std::memory_order_release);
    slot->generation.fetch_add(1, std::memory_order_release);
    free_.push_back(index);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  // Slots ever used lie in [1, end()).
  uint32_t end() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kChunkSlots = 1U << 12;
  static constexpr uint32_t kChunks = 1U << 16;
  struct Slot {
    std::atomic<T*> object{nullptr};
    std::atomic<uint32_t> generation{0};
  };
  using Chunk = std::array<Slot, kChunkSlots>;

  Slot* SlotAt(uint32_t index) const {
    if (index / kChunkSlots >= kChunks) return nullptr;
    Chunk* chunk = chunks_[index / kChunkSlots].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[index % kChunkSlots];
  }

  void EnsureChunk(uint32_t number) {
    if (chunks_[number].load() == nullptr)
      chunks_[number].store(new Chunk(), std::memory_order_release);
  }

  mutable std::mutex mutex_;
  std::vector<std::atomic<Chunk*>> chunks_ = std::vector<std::atomic<Chunk*>>(kChunks);
  std::vector<uint32_t> free_;
  uint32_t end_ = 1;  // slot 0 stays empty: id 0 is "none"
  std::atomic<uint64_t> count_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_SLOT_TABLE_H_
