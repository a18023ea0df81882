// A trace of requests as they pass: tells the serving threads what to keep, and reads what they
// kept.
//
// Floor 4. Control thread only. One trace at a time. The buffers belong to the threads' counters,
// which have to outlive this object.
#ifndef SHUNTFS_DAEMON_TRACER_H_
#define SHUNTFS_DAEMON_TRACER_H_

#include <functional>
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
  // `trace` is the switch that the threads follow. `threads`: the counters of all threads that
  // serve now; they stay where they are.
  Tracer(TraceSwitch& trace, std::function<std::vector<const Counters*>()> threads)
      : switch_(trace), threads_(std::move(threads)) {}

  // A trace of these operations, names with commas between, or of all. It ends with the stream.
  // InvalidArgument: no such operation; FailedPrecondition: there is a trace already.
  absl::StatusOr<std::unique_ptr<ClientStream>> Start(std::string_view operations);

 private:
  class Stream;

  void End();
  std::string Take();

  // The buffers of those threads that have kept something.
  std::vector<TraceBuffer*> Buffers() const;

  TraceSwitch& switch_;
  std::function<std::vector<const Counters*>()> threads_;
  bool running_ = false;
  uint64_t dropped_ = 0;  // of all buffers, as far as was told
};

// One line without its newline. `clock_offset_ns`: from the monotonic to the wall clock.
std::string TraceLine(const TraceRecord& record, int64_t clock_offset_ns);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_TRACER_H_
