// The error type of operations and system calls: a positive errno value.
//
// Floor 0. Plain values, any thread. An Errno goes straight into a FUSE reply as -value; start-up
// and control code use absl::Status instead (docs/architecture.md, "Errors").
#ifndef SHUNTFS_CORE_BASE_ERRNO_H_
#define SHUNTFS_CORE_BASE_ERRNO_H_

#include <cerrno>
#include <utility>
#include <variant>

namespace shuntfs {

class Errno {
 public:
  // `value` is positive, as <cerrno> spells it.
  constexpr explicit Errno(int value) : value_(value) {}

  // The calling thread's errno, right after a failed system call.
  static Errno Last() { return Errno(errno); }

  constexpr int value() const { return value_; }
  friend constexpr bool operator==(Errno, Errno) = default;

 private:
  int value_;
};

// A value or an Errno. Never allocates.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}       // NOLINT: implicit on purpose
  Result(Errno error) : state_(std::in_place_index<1>, error) {}  // NOLINT: implicit on purpose

  bool ok() const { return state_.index() == 0; }
  Errno error() const { return std::get<1>(state_); }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }

 private:
  std::variant<T, Errno> state_;
};

// Success without a value: `return Ok();`.
struct Unit {};
using Outcome = Result<Unit>;
inline Outcome Ok() { return Unit{}; }

// The outcome of a system call that returns 0 or -1.
inline Outcome FromSyscall(int rc) {
  if (rc < 0) return Errno::Last();
  return Ok();
}

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_BASE_ERRNO_H_
