#include "io/add_queues.h"

#include <cerrno>
#include <cstring>

namespace shuntfs {
namespace {

// The outcome of what was just prepared and completes at once: 0 or a negative errno.
int SubmitToQueue(Ring& ring) {
  ring.Submit();
  if (!ring.health().ok()) return -ring.health().error().value();
  int outcome = -EIO;  // the kernel answers these commands at once, or something is very wrong
  ring.ForEachCompletion([&outcome](UserData data, int res) {
    if (data.kind == CompletionKind::kQueue) outcome = res;
  });
  return outcome;
}

}  // namespace

std::string AddQueues(Ring& ring, const std::vector<QueuePool*>& pools, bool zero_copy) {
  for (const QueuePool* pool : pools) {
    ring.PrepareAddQueue(pool->qid(), zero_copy);
    if (const int res = SubmitToQueue(ring); res < 0) {
      const std::string what = zero_copy ? "a zero-copy queue: " : "a queue: ";
      const std::string remedy =
          res == -EPERM ? "; it takes CAP_SYS_ADMIN in the initial user namespace" : "";
      return "the kernel refuses " + what + std::strerror(-res) + remedy;
    }
    ring.PrepareAddPool(*pool);
    if (const int res = SubmitToQueue(ring); res < 0)
      return std::string("the kernel refuses a buffer pool: ") + std::strerror(-res);
  }
  return "";
}

}  // namespace shuntfs
