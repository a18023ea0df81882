// Plays the kernel towards a FileSystem: builds requests, sends them through Dispatch and reads the
// replies. A transfer that a handler leaves to its transport is not carried out.
//
// Used by the thread that made it.
#ifndef SHUNTFS_TESTS_CORE_CLIENT_H_
#define SHUNTFS_TESTS_CORE_CLIENT_H_

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"

namespace shuntfs {

// Payload pieces.
inline std::string Text(std::string_view text) { return std::string(text) + '\0'; }
template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

class Client {
 public:
  // Serves `source`. Without options: as an unprivileged daemon, so that nothing depends on who
  // runs the test.
  explicit Client(const std::string& source, const FileSystemOptions& options = Unprivileged());

  static FileSystemOptions Unprivileged();

  FileSystem& fs() { return *fs_; }
  Counters& counters() { return counters_; }
  ThreadIdentity& identity() { return *identity_; }

  // Sends an operation without, and one with a fixed first argument.
  Action Send(abi::Opcode opcode, uint64_t nodeid, std::string_view payload = {}) {
    return Dispatch(opcode, nodeid, {}, payload);
  }
  template <typename In>
  requires std::is_class_v<In> && std::is_trivially_copyable_v<In> &&
      (!std::is_convertible_v<In, std::string_view>)Action
      Send(abi::Opcode opcode, uint64_t nodeid, const In& in, std::string_view payload = {}) {
    return Dispatch(opcode, nodeid, Bytes(in), payload);
  }

  // The reply's argument at `offset`.
  template <typename T>
  T Reply(size_t offset = 0) const {
    T value;
    std::memcpy(&value, reply_.data() + offset, sizeof(value));
    return value;
  }
  std::string ReplyText(size_t bytes) const {
    return {reinterpret_cast<const char*>(reply_.data()), bytes};
  }
  // How much room replies have.
  void SetReplyRoom(size_t bytes) { reply_.resize(bytes); }

  void SetMayBlock(bool may_block) { may_block_ = may_block; }
  // The number of the last request, which its thread may be running again.
  uint64_t last_unique() const { return next_unique_ - 2; }
  void RunLastAgain() { next_unique_ -= 2; }
  void SetCaller(uint32_t uid, uint32_t gid) { uid_ = uid, gid_ = gid; }

  // Number of the inode `name` in `parent`, counted once more; 0 and a failed test when there is
  // none.
  uint64_t Lookup(uint64_t parent, std::string_view name);
  // Walks a path from the root.
  uint64_t Walk(std::string_view path);
  uint64_t Open(uint64_t nodeid, uint32_t flags);
  uint64_t OpenDirectory(uint64_t nodeid);
  // The attributes of the inode, or the error.
  Result<abi::Attr> Getattr(uint64_t nodeid);

 private:
  Action Dispatch(abi::Opcode opcode, uint64_t nodeid, std::string_view op_in,
                  std::string_view payload);

  std::unique_ptr<FileSystem> fs_;
  std::optional<ThreadIdentity> identity_;
  Counters counters_;
  std::vector<std::byte> payload_;
  std::vector<std::byte> reply_ = std::vector<std::byte>(128 << 10);
  bool may_block_ = false;
  uint32_t uid_ = 0;
  uint32_t gid_ = 0;
  uint64_t next_unique_ = 2;
};

// Whether the action is an error reply with this errno.
inline ::testing::AssertionResult Refused(const Action& action, int error) {
  if (action.kind == Action::Kind::kReply && action.error == Errno(error))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "action kind " << static_cast<int>(action.kind) << ", errno " << action.error.value()
         << ", not errno " << error;
}

// Whether it is a good reply (of `bytes`).
inline ::testing::AssertionResult Answered(const Action& action,
                                           std::optional<size_t> bytes = std::nullopt) {
  if (action.kind != Action::Kind::kReply || action.error != Errno(0)) {
    return ::testing::AssertionFailure()
           << "action kind " << static_cast<int>(action.kind) << ", errno " << action.error.value();
  }
  if (bytes && action.reply_bytes != *bytes) {
    return ::testing::AssertionFailure() << action.reply_bytes << " bytes of reply, not " << *bytes;
  }
  return ::testing::AssertionSuccess();
}

inline bool Offloaded(const Action& action) { return action.kind == Action::Kind::kOffload; }

}  // namespace shuntfs

#endif  // SHUNTFS_TESTS_CORE_CLIENT_H_
