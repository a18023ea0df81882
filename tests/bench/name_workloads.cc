#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tests/bench/workload.h"

namespace shuntfs::bench {
namespace {

constexpr int kListedDirectories = 8;

std::string Child(const std::string& dir, char prefix, int number) {
  return dir + "/" + prefix + std::to_string(number);
}

// Every job works in a directory of its own.
std::string JobDirectory(const std::string& dir, int job) { return Child(dir, 'j', job); }

void MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0) Die(path, errno);
}

void MakeFile(const std::string& path) {
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) Die(path, errno);
  close(fd);
}

void PrepareEmpty(const WorkloadOptions& options) {
  MakeDirectory(JobDirectory(options.native, options.job));
}

void PrepareFiles(const WorkloadOptions& options) {
  const std::string dir = JobDirectory(options.native, options.job);
  MakeDirectory(dir);
  for (int i = 0; i < options.files; ++i) MakeFile(Child(dir, 'f', i));
}

void PrepareTree(const WorkloadOptions& options) {
  const std::string dir = JobDirectory(options.native, options.job);
  MakeDirectory(dir);
  for (int d = 0; d < kListedDirectories; ++d) {
    const std::string listed = Child(dir, 'd', d);
    MakeDirectory(listed);
    for (int i = 0; i < options.files / kListedDirectories; ++i) MakeFile(Child(listed, 'f', i));
  }
}

void Create(const WorkloadOptions& options, Meter* meter) {
  const std::string dir = JobDirectory(options.dir, options.job);
  int i = 0;
  do {
    MakeFile(Child(dir, 'f', i));
  } while (meter->Count(0) && ++i < options.files);
}

void ColdStat(const WorkloadOptions& options, Meter* meter) {
  const std::string dir = JobDirectory(options.dir, options.job);
  struct stat st;
  int i = 0;
  do {
    const std::string path = Child(dir, 'f', i);
    if (stat(path.c_str(), &st) != 0) Die(path, errno);
  } while (meter->Count(0) && ++i < options.files);
}

void Unlink(const WorkloadOptions& options, Meter* meter) {
  const std::string dir = JobDirectory(options.dir, options.job);
  int i = 0;
  do {
    const std::string path = Child(dir, 'f', i);
    if (unlink(path.c_str()) != 0) Die(path, errno);
  } while (meter->Count(0) && ++i < options.files);
}

void Open(const WorkloadOptions& options, Meter* meter) {
  const std::string path = options.dir + "/" + options.file;
  do {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) Die(path, errno);
    close(fd);
  } while (meter->Count(0));
}

// What `ls -l` does, once in each of several directories; an operation is one name.
void List(const WorkloadOptions& options, Meter* meter) {
  const std::string dir = JobDirectory(options.dir, options.job);
  int names = 0;
  for (int d = 0; d < kListedDirectories; ++d) {
    const std::string listed = Child(dir, 'd', d);
    DIR* stream = opendir(listed.c_str());
    if (stream == nullptr) Die(listed, errno);
    while (const dirent* entry = readdir(stream)) {
      if (entry->d_name[0] == '.') continue;
      struct stat st;
      if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) Die(listed, errno);
      ++names;
      meter->Count(0);
    }
    closedir(stream);
    if (meter->TimeIsUp()) return;
  }
  const int expected = options.files / kListedDirectories * kListedDirectories;
  if (names != expected) Die(dir + ": names are missing or doubled", EIO);
}

void Fstat(const WorkloadOptions& options, Meter* meter) {
  const std::string path = options.dir + "/" + options.file;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die(path, errno);
  struct stat st;
  do {
    if (fstat(fd, &st) != 0) Die(path, errno);
  } while (meter->Count(0));
  close(fd);
}

void Stat(const WorkloadOptions& options, Meter* meter) {
  const std::string path = options.dir + "/" + options.file;
  struct stat st;
  do {
    if (stat(path.c_str(), &st) != 0) Die(path, errno);
  } while (meter->Count(0));
}

constexpr Workload kWorkloads[] = {
    {"create", PrepareEmpty, Create}, {"coldstat", PrepareFiles, ColdStat},
    {"unlink", PrepareFiles, Unlink}, {"open", nullptr, Open},
    {"list", PrepareTree, List},      {"fstat", nullptr, Fstat},
    {"stat", nullptr, Stat},
};

}  // namespace

const Workload* FindNameWorkload(std::string_view name) {
  const auto* found = std::ranges::find(kWorkloads, name, &Workload::name);
  return found == std::end(kWorkloads) ? nullptr : found;
}

}  // namespace shuntfs::bench
