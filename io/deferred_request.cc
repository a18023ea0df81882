#include "io/deferred_request.h"

#include <cstring>

#include "core/base/log.h"
#include "io/fuse_device.h"
#include "io/sync_transfer.h"

namespace shuntfs {
namespace {

constexpr size_t kPage = 4096;

// Where the data of a WRITE lies, which O_DIRECT wants to begin on a page.
size_t OffsetOf(const Request& request, std::span<const std::byte> message) {
  const auto before = static_cast<size_t>(request.payload.data() - message.data());
  return request.payload.empty() || before > kPage ? 0 : kPage - before;
}

}  // namespace

DeferredRequest::Memory DeferredRequest::Allocate(size_t bytes) {
  auto* memory =
      static_cast<std::byte*>(std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage));
  CHECK(memory != nullptr) << "no memory for a request of " << bytes << " bytes";
  return Memory(memory);
}

DeferredRequest::DeferredRequest(const Request& request, std::span<const std::byte> message, int fd,
                                 const std::optional<Transfer>& transfer, const TracedName& name)
    : request_(request), fd_(fd), transfer_(transfer), name_(name) {
  const size_t offset = OffsetOf(request, message);
  bytes_ = offset + message.size();
  message_ = Allocate(bytes_);
  std::byte* const copy = message_.get() + offset;
  std::memcpy(copy, message.data(), message.size());
  if (!request.payload.empty())
    request_.payload = {copy + (request.payload.data() - message.data()), request.payload.size()};
  if (!request.extensions.empty())
    request_.extensions = {copy + (request.extensions.data() - message.data()),
                           request.extensions.size()};
}

Action DeferredRequest::Run(FileSystem& fs, ThreadIdentity& identity, Counters& counters,
                            Interrupts::Watch* watch, size_t reply_bytes) {
  reply_ = Allocate(kPage + reply_bytes);
  const std::span<std::byte> reply(reply_.get() + kPage, reply_bytes);
  Call call{request_, reply, identity, counters, /*may_block=*/true, watch};
  Action action = transfer_ ? Action::Move(*transfer_) : fs.Dispatch(call);
  if (action.kind != Action::Kind::kTransfer) return action;
  const bool writes = action.transfer.kind == Transfer::Kind::kWrite;
  const std::span<std::byte> data = writes ? request_.payload : reply;
  return fs.FinishTransfer(call, action.transfer,
                           RunTransfer(action.transfer, data, identity, counters));
}

Outcome DeferredRequest::Reply(const Action& action) {
  if (reply_ == nullptr) reply_ = Allocate(kPage);  // an error before it ran
  return FuseDevice::Reply(fd_, request_.header.unique, action, reply_.get() + kPage);
}

}  // namespace shuntfs
