// What a trace keeps of a request: its name from the moment it arrives, and how it ended.
//
// Floor 2. Called by the thread that serves the request; does nothing on threads without a trace.
#ifndef SHUNTFS_CORE_TRACE_H_
#define SHUNTFS_CORE_TRACE_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "core/counters.h"
#include "core/data_io.h"
#include "core/protocol/request.h"

namespace shuntfs {

// The name that a request carries first: of a directory entry, or of an extended attribute. Empty:
// none. A view into its payload.
std::string_view NameIn(const Request& request);

// A request's name, kept while it is served: the answer may be written over it.
class TracedName {
 public:
  void Keep(const Request& request);
  // Empty when the name of another request is kept, or none.
  std::string_view Of(const Request& request) const;

 private:
  uint64_t unique_ = 0;
  uint32_t bytes_ = 0;
  std::array<char, kNameMax> text_;
};

inline void TraceArrival(const Counters& counters, const Request& request, TracedName* name) {
  if (counters.trace.on()) name->Keep(request);
}

void TraceReply(Counters& counters, const Request& request, const Action& action,
                const TracedName& name, int64_t end_ns, uint64_t latency_ns);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_TRACE_H_
