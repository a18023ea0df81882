// The cached O_PATH descriptor of an inode, with what decides whether it may be closed.
//
// Floor 2. Descriptor, users, removals under way, pin and used bit are one atomic word, so that the
// evicter never closes a descriptor that a removal has just begun to rely on. The inode owns its
// slot; whoever takes a descriptor out of the slot closes it. Threads: any, without a lock.
#ifndef SHUNTFS_CORE_PATH_FD_SLOT_H_
#define SHUNTFS_CORE_PATH_FD_SLOT_H_

#include <atomic>
#include <cstdint>

namespace shuntfs {

// Why a descriptor stays cached although nobody uses it.
enum class Pin : uint8_t {
  kNone = 0,       // a location leads to the inode
  kPreferred = 1,  // no location is known, but names are left: closed when nothing else can be
  kAlways = 2,     // the file has no name any more: the descriptor is the only way to it
};

class PathFdSlot {
 public:
  // Adds a user; the descriptor, or -1 when none is cached (or more use it than can be counted).
  int Borrow();
  void GiveBack();
  // Caches `fd` with one user. False: one is cached already.
  bool Install(int fd);

  // A removal begins: the descriptor stays until it ends. False: too many are under way.
  bool BeginRemoval();
  // It ends. `pin`: what the inode needs from now on; a weaker pin than the present one changes
  // nothing, so a removal that failed does not undo one that succeeded.
  void EndRemoval(Pin pin);

  Pin pin() const;
  void SetPin(Pin pin);
  // What Unpin compares: changes with each removal that ends with a pin.
  uint32_t version() const;
  // A location was found after `version` was read. Does nothing when a removal has pinned since.
  void Unpin(uint32_t version);

  bool has_fd() const;
  // Whether a descriptor belongs here beyond the limit: a removal is under way, or it is pinned.
  bool must_keep() const;
  // Takes the descriptor if it is idle: no user, no removal, not used since the last call, and
  // pinned by no more than `weakest`. -1: there is none to take.
  int TakeIdle(Pin weakest);
  // Takes the descriptor whatever its state; -1: none. For an inode that nobody can reach.
  int TakeAll();

 private:
  struct State {
    int32_t fd = -1;
    uint32_t users = 0;
    uint32_t removals = 0;
    uint32_t version = 0;
    Pin pin = Pin::kNone;
    bool used = false;
  };

  static uint64_t Pack(const State& state);
  static State Unpack(uint64_t word);
  State Load() const { return Unpack(word_.load(std::memory_order_acquire)); }
  // Applies `change` to the state, atomically. False: `change` refused the state that it saw.
  template <typename Change>
  bool Move(Change change);

  std::atomic<uint64_t> word_{0};
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_PATH_FD_SLOT_H_
