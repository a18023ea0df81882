#include "core/backing_files.h"

#include <sys/ioctl.h>

#include "core/base/log.h"
#include "core/protocol/abi.h"
#include "core/sys/thread_identity.h"

namespace shuntfs {

Result<int32_t> BackingFiles::Register(int fd) const {
  abi::BackingMap map{};
  map.fd = fd;
  const AdministratorScope administrator;
  const int id = ioctl(device_fd_, abi::kDevIocBackingOpen, &map);
  if (id <= 0) return id < 0 ? Errno::Last() : Errno(EPROTO);
  return id;
}

void BackingFiles::Unregister(int32_t id) const {
  auto argument = static_cast<uint32_t>(id);
  const AdministratorScope administrator;
  if (ioctl(device_fd_, abi::kDevIocBackingClose, &argument) != 0)
    PLOG(WARNING) << "a backing file's id cannot be given back";
}

Outcome BackingFiles::Try(int fd) const {
  const Result<int32_t> id = Register(fd);
  if (!id.ok()) return id.error();
  Unregister(*id);
  return Ok();
}

int32_t BackingFiles::Open(NodeId nodeid, int fd) {
  const std::lock_guard lock(mutex_);
  const auto [place, first] = uses_.try_emplace(nodeid.value());
  Use& use = place->second;
  ++use.opens;
  if (first) {
    const Result<int32_t> id = Register(fd);
    use.id = id.ok() ? *id : 0;
  }
  return use.id;
}

void BackingFiles::Close(NodeId nodeid) {
  const std::lock_guard lock(mutex_);
  const auto place = uses_.find(nodeid.value());
  if (place == uses_.end() || --place->second.opens > 0) return;
  if (place->second.id != 0) Unregister(place->second.id);
  uses_.erase(place);
}

}  // namespace shuntfs
