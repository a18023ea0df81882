#include "io/fuse_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "core/protocol/abi.h"
#include "io/kernel_order.h"

namespace shuntfs {
namespace {

constexpr size_t kPage = 4096;
// What comes before the data of a WRITE, which O_DIRECT wants to begin on a page.
constexpr size_t kBeforeData = sizeof(abi::InHeader) + sizeof(abi::WriteIn);

}  // namespace

Result<FuseDevice> FuseDevice::Create(int fd, uint32_t max_payload_bytes) {
  // [request: a page that ends with the header, data][reply: one page that ends with the
  // header][reply payload]
  Result<MemoryRegion> region = MemoryRegion::Map(
      2 * (kPage + size_t{max_payload_bytes}) + abi::kMinReadBuffer, MemoryRegion::Pages::kSmall);
  if (!region.ok()) return region.error();
  return FuseDevice(fd, std::move(*region), max_payload_bytes);
}

FuseDevice::FuseDevice(int fd, MemoryRegion region, uint32_t max_payload_bytes)
    : fd_(fd), region_(std::move(region)) {
  const std::span<std::byte> all = region_.bytes();
  const size_t reply_bytes = max_payload_bytes;
  reply_ = all.last(reply_bytes);
  request_ = all.first(all.size() - reply_bytes - kPage).subspan(kPage - kBeforeData);
}

Result<UniqueFd> FuseDevice::Clone(int fd) {
  UniqueFd clone(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!clone.valid()) return Errno::Last();
  auto source = static_cast<uint32_t>(fd);
  if (ioctl(clone.get(), abi::kDevIocClone, &source) != 0) return Errno::Last();
  return clone;
}

Result<std::span<std::byte>> FuseDevice::Read() {
  const ssize_t n = read(fd_, request_.data(), request_.size());
  if (n < 0) return Errno::Last();
  AfterTheKernel();
  return request_.first(static_cast<size_t>(n));
}

void FuseDevice::ReleaseMessage() {
  constexpr size_t kKept = 16 * kPage;
  std::byte* const kept_end = region_.bytes().data() + kKept;
  const auto rest = static_cast<size_t>(request_.data() + request_.size() - kept_end);
  madvise(kept_end, rest / kPage * kPage, MADV_DONTNEED);
}

Outcome FuseDevice::Reply(uint64_t unique, const Action& action) {
  return Reply(fd_, unique, action, reply_.data());
}

Outcome FuseDevice::Reply(int fd, uint64_t unique, const Action& action, std::byte* area) {
  BeforeTheKernel();
  abi::OutHeader header{};
  const uint32_t payload = action.error.value() == 0 ? action.reply_bytes : 0;
  header.len = static_cast<uint32_t>(sizeof(header)) + payload;
  header.error = -action.error.value();
  header.unique = unique;
  std::byte* message = area - sizeof(header);
  std::memcpy(message, &header, sizeof(header));
  if (write(fd, message, header.len) < 0) return Errno::Last();
  return Ok();
}

}  // namespace shuntfs
