#include "daemon/dead_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/base/unique_fd.h"
#include "daemon/control_protocol.h"

namespace shuntfs {
namespace {

// Bounds what a directory that was filled with names can cost.
constexpr int kMaxNames = 4096;

bool NobodyListens(int directory, const std::string& name) {
  struct stat st {};
  if (fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISSOCK(st.st_mode))
    return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrFormat("/proc/self/fd/%d/%s", directory, name);
  if (path.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fd.valid() &&
         connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
         errno == ECONNREFUSED;
}

void RemoveDeadIn(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!fd.valid() || fstat(fd.get(), &st) != 0 || st.st_uid != geteuid()) return;
  const int number = fd.get();
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(fd.release()), &closedir);
  if (listing == nullptr) return;
  for (int i = 0; i < kMaxNames; ++i) {
    const dirent* entry = readdir(listing.get());
    if (entry == nullptr) return;
    if (!IsControlSocketName(entry->d_name)) continue;
    if (NobodyListens(number, entry->d_name)) unlinkat(number, entry->d_name, 0);
  }
}

}  // namespace

void RemoveDeadSockets() {
  const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
  for (const std::string& directory :
       ControlSocketDirectories(geteuid(), runtime_dir == nullptr ? "" : runtime_dir))
    RemoveDeadIn(directory);
}

}  // namespace shuntfs
