// Shows requests as they pass: gives the serving threads buffers, and reads them.
//
// Floor 4. Control thread only. One trace at a time. The buffers live as long as this object, which
// has to outlive the threads.
#ifndef SHUNTFS_DAEMON_TRACER_H_
#define SHUNTFS_DAEMON_TRACER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/counters.h"
#include "daemon/client_set.h"

namespace shuntfs {

class Tracer {
 public:
  // `threads`: the counters of all threads that serve now; they stay where they are.
  explicit Tracer(std::function<std::vector<const Counters*>()> threads)
      : threads_(std::move(threads)) {}

  // A trace of these operations, names with commas between, or of all. It ends with the stream.
  // InvalidArgument: no such operation; FailedPrecondition: there is a trace already.
  absl::StatusOr<std::unique_ptr<ClientStream>> Start(std::string_view operations);

 private:
  class Stream;

  void Attach();
  void Detach();
  std::string Take();

  std::function<std::vector<const Counters*>()> threads_;
  std::map<const Counters*, std::unique_ptr<TraceBuffer>> buffers_;
  bool running_ = false;
  uint64_t wanted_ = 0;
  uint64_t dropped_ = 0;  // of all buffers, as far as was told
};

// One line without its newline. `clock_offset_ns`: from the monotonic to the wall clock.
std::string TraceLine(const TraceRecord& record, int64_t clock_offset_ns);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_TRACER_H_
