#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "tests/bench/workload.h"

namespace shuntfs::bench {
namespace {

// One pass over a file: more than the caches of the CPU, less than dirty throttling.
constexpr uint64_t kPassBytes = uint64_t{64} << 20;

class File {
 public:
  File(const WorkloadOptions& options, int flags)
      : path_(options.dir + "/" + options.file), fd_(open(path_.c_str(), flags | O_CLOEXEC)) {
    if (fd_ < 0) Die(path_, errno);
    struct stat st;
    if (fstat(fd_, &st) != 0) Die(path_, errno);
    blocks_ = static_cast<uint64_t>(st.st_size) / options.block_bytes;
    if (blocks_ == 0) Die(path_ + " is smaller than a block", EINVAL);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(fd_); }

  int fd() const { return fd_; }
  uint64_t blocks() const { return blocks_; }
  uint64_t Check(ssize_t done) const {
    if (done <= 0) Die(path_, done < 0 ? errno : EIO);
    return static_cast<uint64_t>(done);
  }
  void Sync() const {
    if (fsync(fd_) != 0) Die(path_, errno);
  }
  void DropCache() const {
    const int error = posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
    if (error != 0) Die(path_, error);
  }

 private:
  const std::string path_;
  const int fd_;
  uint64_t blocks_ = 0;
};

unsigned char* Buffer(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) Die("mmap", errno);
  return static_cast<unsigned char*>(memory);
}

// Random direct reads, `depth` of them at a time.
void ReadDeep(const WorkloadOptions& options, const File& file, Meter* meter) {
  const unsigned depth = static_cast<unsigned>(options.depth);
  unsigned char* buffer = Buffer(options.block_bytes * depth);
  Random random(options.job);
  io_uring ring;
  const int result = io_uring_queue_init(depth, &ring, IORING_SETUP_COOP_TASKRUN);
  if (result < 0) Die("io_uring_setup", -result);
  std::vector<int64_t> began_ns(depth);
  const auto submit = [&](unsigned slot) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    if (sqe == nullptr) Die("a full submission queue", EBUSY);
    io_uring_prep_read(sqe, file.fd(), buffer + slot * options.block_bytes,
                       static_cast<unsigned>(options.block_bytes),
                       random.Below(file.blocks()) * options.block_bytes);
    sqe->user_data = slot;
    began_ns[slot] = meter->last_ns();
  };
  for (unsigned slot = 0; slot < depth; ++slot) submit(slot);
  bool going = true;
  for (unsigned in_flight = depth; in_flight > 0;) {
    io_uring_submit_and_wait(&ring, 1);
    unsigned head;
    unsigned seen = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++seen;
      if (cqe->res < 0) Die("direct read", -cqe->res);
      const unsigned slot = static_cast<unsigned>(cqe->user_data);
      going = meter->CountSince(began_ns[slot], static_cast<uint64_t>(cqe->res)) && going;
      --in_flight;
      if (going) {
        submit(slot);
        ++in_flight;
      }
    }
    io_uring_cq_advance(&ring, seen);
  }
  io_uring_queue_exit(&ring);
}

void Read(const WorkloadOptions& options, Meter* meter) {
  const File file(options, O_RDONLY | O_DIRECT);
  if (options.depth > 1) return ReadDeep(options, file, meter);
  unsigned char* buffer = Buffer(options.block_bytes);
  Random random(options.job);
  ssize_t got;
  do {
    const uint64_t offset = random.Below(file.blocks()) * options.block_bytes;
    got = pread(file.fd(), buffer, options.block_bytes, static_cast<off_t>(offset));
  } while (meter->Count(file.Check(got)));
}

void DirectWrite(const WorkloadOptions& options, Meter* meter) {
  const File file(options, O_WRONLY | O_DIRECT);
  unsigned char* buffer = Buffer(options.block_bytes);
  ssize_t done;
  uint64_t block = 0;
  do {
    const uint64_t offset = block++ % file.blocks() * options.block_bytes;
    done = pwrite(file.fd(), buffer, options.block_bytes, static_cast<off_t>(offset));
  } while (meter->Count(file.Check(done)));
}

// Passes over the file until time is up. The first does not count: a virtual machine may have given
// free memory back to its host, and getting it again costs more than what is measured.
template <typename OneBlock, typename EndOfPass>
void Passes(const WorkloadOptions& options, const File& file, Meter* meter, OneBlock one_block,
            EndOfPass end_of_pass) {
  const uint64_t blocks = std::min<uint64_t>(file.blocks(), kPassBytes / options.block_bytes);
  for (bool warm = false;; warm = true) {
    if (!options.keep_cache) file.DropCache();
    bool going = true;
    meter->Skip();
    for (uint64_t block = 0; block < blocks && going; ++block) {
      const ssize_t done = one_block(static_cast<off_t>(block * options.block_bytes));
      const uint64_t bytes = file.Check(done);
      going = !warm || meter->Count(bytes);
    }
    end_of_pass();
    if (!warm) meter->Start(options.duration_ms);
    if (!going || (warm && meter->TimeIsUp())) break;
  }
  meter->Stop();
  if (!options.keep_cache) file.DropCache();  // leaves the memory to the next run, still warm
}

void ColdRead(const WorkloadOptions& options, Meter* meter) {
  const File file(options, O_RDONLY);
  unsigned char* buffer = Buffer(options.block_bytes);
  Passes(
      options, file, meter,
      [&](off_t offset) { return pread(file.fd(), buffer, options.block_bytes, offset); }, [] {});
}

void BufferedWrite(const WorkloadOptions& options, Meter* meter) {
  const File file(options, O_WRONLY);
  unsigned char* buffer = Buffer(options.block_bytes);
  Passes(
      options, file, meter,
      [&](off_t offset) { return pwrite(file.fd(), buffer, options.block_bytes, offset); },
      [&] { file.Sync(); });
}

// The wait for the pages to reach the server belongs to the measured time here, too.
void RandomWrite(const WorkloadOptions& options, Meter* meter) {
  const File file(options, O_WRONLY);
  unsigned char* buffer = Buffer(options.block_bytes);
  Random random(options.job);
  ssize_t done;
  do {
    const uint64_t offset = random.Below(file.blocks()) * options.block_bytes;
    done = pwrite(file.fd(), buffer, options.block_bytes, static_cast<off_t>(offset));
  } while (meter->Count(file.Check(done)));
  file.Sync();
}

constexpr Workload kWorkloads[] = {
    {"read", nullptr, Read},
    {"directwrite", nullptr, DirectWrite},
    {"coldread", nullptr, ColdRead},
    {"write", nullptr, BufferedWrite},
    {"randwrite", nullptr, RandomWrite},
};

}  // namespace

const Workload* FindDataWorkload(std::string_view name) {
  const auto* found = std::ranges::find(kWorkloads, name, &Workload::name);
  return found == std::end(kWorkloads) ? nullptr : found;
}

}  // namespace shuntfs::bench
