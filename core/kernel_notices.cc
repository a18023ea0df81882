#include "core/kernel_notices.h"

#include <unistd.h>

#include <utility>

#include "core/protocol/abi.h"

namespace shuntfs {
namespace {

struct InvalInodeNotice {
  abi::OutHeader header;
  abi::NotifyInvalInodeOut out;
};
static_assert(sizeof(InvalInodeNotice) == 40);

// Attributes only.
constexpr int64_t kNoPages = -1;

}  // namespace

void KernelNotices::DropAttributes(NodeId nodeid, Counters& counters) {
  // A failure is counted. The kernel then keeps the attributes until their timeout, as it would
  // without a notice.
  static_cast<void>(Send(nodeid, kNoPages, 0, counters));
}

Outcome KernelNotices::WriteBack(NodeId nodeid, uint64_t offset, uint64_t bytes,
                                 Counters& counters) {
  if (!BeginWriteBack()) {
    counters.notices_declined.Add();
    return Errno(EBUSY);
  }
  const Outcome sent = Send(nodeid, static_cast<int64_t>(offset), bytes, counters);
  EndWriteBack();
  return sent;
}

Outcome KernelNotices::Send(NodeId nodeid, int64_t offset, uint64_t bytes,
                            Counters& counters) const {
  InvalInodeNotice notice{};
  notice.header.len = sizeof(notice);
  notice.header.error = abi::kNotifyInvalInode;
  notice.out.ino = nodeid.value();
  notice.out.off = offset;
  notice.out.len = static_cast<int64_t>(bytes);
  counters.notices.Add();
  if (write(device_fd_, &notice, sizeof(notice)) >= 0) return Ok();
  const Errno error = Errno::Last();
  counters.notices_failed.Add();
  return error;
}

void KernelNotices::AllowWriteBacks(int most) {
  const std::lock_guard lock(mutex_);
  most_write_backs_ = most;
}

bool KernelNotices::BeginWriteBack() {
  const std::lock_guard lock(mutex_);
  if (closed_ || write_backs_ >= most_write_backs_) return false;
  ++write_backs_;
  return true;
}

void KernelNotices::EndWriteBack() {
  std::function<void()> then;
  {
    const std::lock_guard lock(mutex_);
    if (--write_backs_ == 0) then = std::exchange(then_, nullptr);
  }
  if (then) then();
}

void KernelNotices::Close(std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (write_backs_ > 0) {
      then_ = std::move(then);
      return;
    }
  }
  then();
}

}  // namespace shuntfs
