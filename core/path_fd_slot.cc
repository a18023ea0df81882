#include "core/path_fd_slot.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace shuntfs {
namespace {

// From the highest bit: descriptor plus one (0: none), used, pin, version, removals, users.
constexpr int kUsersBits = 12;
constexpr int kRemovalsBits = 12;
constexpr int kVersionBits = 6;
constexpr int kPinBits = 2;
constexpr int kRemovalsShift = kUsersBits;
constexpr int kVersionShift = kRemovalsShift + kRemovalsBits;
constexpr int kPinShift = kVersionShift + kVersionBits;
constexpr int kUsedShift = kPinShift + kPinBits;
constexpr int kFdShift = kUsedShift + 1;
static_assert(kFdShift == 33, "31 bits are left for a descriptor");

constexpr uint64_t Mask(int bits) { return (uint64_t{1} << bits) - 1; }
constexpr uint32_t Field(uint64_t word, int shift, int bits) {
  return static_cast<uint32_t>(word >> shift & Mask(bits));
}

}  // namespace

uint64_t PathFdSlot::Pack(const State& state) {
  return uint64_t{static_cast<uint32_t>(state.fd + 1)} << kFdShift |
         uint64_t{state.used} << kUsedShift |
         uint64_t{static_cast<uint8_t>(state.pin)} << kPinShift |
         (state.version & Mask(kVersionBits)) << kVersionShift |
         uint64_t{state.removals} << kRemovalsShift | state.users;
}

PathFdSlot::State PathFdSlot::Unpack(uint64_t word) {
  State state;
  state.fd = static_cast<int32_t>(word >> kFdShift) - 1;
  state.used = Field(word, kUsedShift, 1) != 0;
  state.pin = static_cast<Pin>(Field(word, kPinShift, kPinBits));
  state.version = Field(word, kVersionShift, kVersionBits);
  state.removals = Field(word, kRemovalsShift, kRemovalsBits);
  state.users = Field(word, 0, kUsersBits);
  return state;
}

template <typename Change>
bool PathFdSlot::Move(Change change) {
  uint64_t word = word_.load(std::memory_order_acquire);
  while (true) {
    State state = Unpack(word);
    if (!change(state)) return false;
    if (word_.compare_exchange_weak(word, Pack(state), std::memory_order_acq_rel,
                                    std::memory_order_acquire))
      return true;
  }
}

int PathFdSlot::Borrow() {
  int fd = -1;
  Move([&fd](State& state) {
    fd = state.users < Mask(kUsersBits) ? state.fd : -1;
    if (fd < 0) return false;
    ++state.users;
    state.used = true;
    return true;
  });
  return fd;
}

void PathFdSlot::GiveBack() {
  Move([](State& state) {
    CHECK(state.users > 0);
    --state.users;
    return true;
  });
}

bool PathFdSlot::Install(int fd) {
  return Move([fd](State& state) {
    if (state.fd >= 0) return false;
    state.fd = fd;
    state.users = 1;
    state.used = true;
    return true;
  });
}

bool PathFdSlot::BeginRemoval() {
  return Move([](State& state) {
    if (state.removals == Mask(kRemovalsBits)) return false;
    ++state.removals;
    return true;
  });
}

void PathFdSlot::EndRemoval(Pin pin) {
  Move([pin](State& state) {
    CHECK(state.removals > 0);
    --state.removals;
    if (pin != Pin::kNone) ++state.version;
    state.pin = std::max(state.pin, pin);
    return true;
  });
}

Pin PathFdSlot::pin() const { return Load().pin; }

void PathFdSlot::SetPin(Pin pin) {
  Move([pin](State& state) {
    ++state.version;
    state.pin = std::max(state.pin, pin);
    return true;
  });
}

uint32_t PathFdSlot::version() const { return Load().version; }

void PathFdSlot::Unpin(uint32_t version) {
  Move([version](State& state) {
    if (state.version != version) return false;
    state.pin = Pin::kNone;
    return true;
  });
}

bool PathFdSlot::has_fd() const { return Load().fd >= 0; }

bool PathFdSlot::must_keep() const {
  const State state = Load();
  return state.removals > 0 || state.pin != Pin::kNone;
}

int PathFdSlot::TakeIdle(Pin weakest) {
  int fd = -1;
  Move([&fd, weakest](State& state) {
    fd = -1;
    if (state.fd < 0 || state.users > 0 || state.removals > 0 || state.pin > weakest) return false;
    if (state.used) {
      state.used = false;
      return true;
    }
    fd = std::exchange(state.fd, -1);
    return true;
  });
  return fd;
}

int PathFdSlot::TakeAll() {
  int fd = -1;
  Move([&fd](State& state) {
    fd = state.fd;
    state = State{};
    return true;
  });
  return fd;
}

}  // namespace shuntfs
