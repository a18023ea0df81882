// The layout of user_data in our SQEs: what completed, and for which entry.
//
// Floor 3. Pure.
#ifndef SHUNTFS_IO_USER_DATA_H_
#define SHUNTFS_IO_USER_DATA_H_

#include <cstdint>

namespace shuntfs {

enum class CompletionKind : uint8_t {
  kCommand,      // REGISTER or COMMIT_AND_FETCH of an entry
  kTransfer,     // backing I/O of an entry
  kEvent,        // the worker's eventfd
  kServe,        // another worker hands over an entry with a request in it (MSG_RING)
  kCommit,       // another worker hands back an entry with the reply in it (MSG_RING)
  kServeUnsent,  // our own kServe message was not delivered
  kCommitUnsent,
  kQueue,  // ADD_QUEUE or ADD_BUFPOOL of a queue
};

// [kind: 8 bits][zero: 24 bits][entry: 32 bits]
struct UserData {
  CompletionKind kind;
  uint32_t entry = 0;

  constexpr uint64_t Pack() const { return uint64_t{static_cast<uint8_t>(kind)} << 56 | entry; }
  static constexpr UserData Unpack(uint64_t packed) {
    return {static_cast<CompletionKind>(packed >> 56), static_cast<uint32_t>(packed)};
  }
};
static_assert(UserData::Unpack(UserData{CompletionKind::kCommit, 0xffffffff}.Pack()).kind ==
              CompletionKind::kCommit);
static_assert(UserData::Unpack(UserData{CompletionKind::kCommit, 0xfffffffe}.Pack()).entry ==
              0xfffffffe);

}  // namespace shuntfs

#endif  // SHUNTFS_IO_USER_DATA_H_
