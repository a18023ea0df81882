#include "daemon/unmount.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/sys/proc_fd.h"

namespace shuntfs {
namespace {

using Kind = UnmountOutcome::Kind;

constexpr std::array<const char*, 2> kFusermountPlaces = {"/usr/bin/fusermount3",
                                                          "/bin/fusermount3"};

std::string FindFusermount() {
  for (const char* place : kFusermountPlaces) {
    if (access(place, X_OK) == 0) return place;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string candidate = std::string(rest.substr(0, colon)) + "/fusermount3";
    if (candidate[0] == '/' && access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return "";
}

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 512> buffer;
  while (text.size() < 4096) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// Its messages are compared below, so they are asked for in C's language.
UnmountOutcome RunFusermount(const std::string& mountpoint, bool lazy) {
  const std::string program = FindFusermount();
  if (program.empty()) {
    return {Kind::kFailed,
            "fusermount3, which unmounts for ordinary users, is not installed; install the package "
            "fuse3"};
  }
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {Kind::kFailed, std::strerror(errno)};
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);

  std::vector<std::string> words = {"fusermount3", "-u"};
  if (lazy) words.emplace_back("-z");
  words.insert(words.end(), {"--", mountpoint});
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string locale = "LC_ALL=C";
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 3> envp = {locale.data(), path.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  writer.reset();
  if (error != 0) return {Kind::kFailed, program + ": " + std::strerror(error)};

  const std::string text = ReadAll(reader.get());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const bool busy = text.find("busy") != std::string::npos;
  return {busy ? Kind::kBusy : Kind::kFailed, text.empty() ? "fusermount3 failed" : text};
}

// A mountpoint as its last component in an open directory.
struct Place {
  UniqueFd directory;  // O_PATH; invalid where it cannot be opened.
  std::string name;
};

Place PlaceOf(const std::string& mountpoint) {
  const size_t slash = mountpoint.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : mountpoint.substr(0, slash + 1);
  const std::string name = mountpoint.substr(slash + 1);
  return {UniqueFd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
          name.empty() ? "." : name};
}

}  // namespace

UnmountOutcome Unmount(const std::string& mountpoint, const MountIdentity& identity, bool lazy) {
  const Place place = PlaceOf(mountpoint);
  absl::StatusOr<OpenMount> there = OpenMountAt(place.name, place.directory.get());
  if (!there.ok() || !there->identity.Matches(identity)) {
    if (!IsMounted(identity)) return {};
    return {Kind::kFailed, there.ok() ? "another mount is on top of it, or it was moved"
                                      : std::string(there.status().message())};
  }
  const FdPath opened(there->root.get());
  int failed = 0;
  if (lazy) {
    failed = umount2(opened.c_str(), MNT_DETACH);
  } else {
    there->root.reset();
    const FdPath directory(place.directory.get());
    failed = umount2((directory.c_str() + ("/" + place.name)).c_str(), UMOUNT_NOFOLLOW);
  }
  if (failed == 0) return {};
  const int error = errno;
  there->root.reset();
  if (error == EPERM) return RunFusermount(mountpoint, lazy);
  return {error == EBUSY ? Kind::kBusy : Kind::kFailed, std::strerror(error)};
}

bool HaveFusermount() { return !FindFusermount().empty(); }

}  // namespace shuntfs
