// A request read from /dev/fuse that has left the thread which read it, to be run where it may
// wait.
//
// Floor 3. Owns a copy of the message, so that the thread reads the next one meanwhile. Made by the
// thread that read it, then used by one thread at a time; `current` may be looked at by any.
#ifndef SHUNTFS_IO_DEFERRED_REQUEST_H_
#define SHUNTFS_IO_DEFERRED_REQUEST_H_

#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "core/current_request.h"
#include "core/file_system.h"
#include "core/trace.h"

namespace shuntfs {

class DeferredRequest {
 public:
  // `request` was decoded from `message`; `fd`: where it was read and is to be answered.
  // `transfer`: what its handler has left to do; none: the handler is to run.
  DeferredRequest(const Request& request, std::span<const std::byte> message, int fd,
                  const std::optional<Transfer>& transfer, const TracedName& name);
  DeferredRequest(const DeferredRequest&) = delete;
  DeferredRequest& operator=(const DeferredRequest&) = delete;

  const Request& request() const { return request_; }
  const TracedName& name() const { return name_; }
  // What the copy takes.
  size_t bytes() const { return bytes_; }
  CurrentRequest current;

  // Runs what is left to do; the reply's arguments, at most `reply_bytes`, are kept for Reply.
  Action Run(FileSystem& fs, ThreadIdentity& identity, Counters& counters, Interrupts::Watch* watch,
             size_t reply_bytes);
  Outcome Reply(const Action& action);

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<std::byte, Free>;

  static Memory Allocate(size_t bytes);

  size_t bytes_ = 0;
  Memory message_;
  Memory reply_;
  Request request_;
  const int fd_;
  const std::optional<Transfer> transfer_;
  const TracedName name_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_DEFERRED_REQUEST_H_
