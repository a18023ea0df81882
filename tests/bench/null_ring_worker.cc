#include "tests/bench/null_ring_worker.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shuntfs::bench {
namespace {

constexpr uint64_t kRootNode = 1;
constexpr uint64_t kFileNode = 2;
constexpr size_t kHeaderStride = 512;
constexpr size_t kSqeCommandOffset = 48;

// Low bits of a completion's user data, beside the address of its entry.
constexpr uint64_t kHanded = 1;
constexpr uint64_t kAnswered = 2;
constexpr uint64_t kTagMask = 7;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

std::string Failure(const char* what, int error) {
  return std::string(what) + ": " + std::strerror(error);
}

bool PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

abi::Attr AttrOf(uint64_t node, const NullOptions& options) {
  abi::Attr attr{};
  attr.ino = node;
  attr.mode = node == kRootNode ? (S_IFDIR | 0755) : (S_IFREG | 0644);
  attr.size = node == kRootNode ? 0 : options.file_bytes;
  attr.nlink = node == kRootNode ? 2 : 1;
  attr.blksize = 4096;
  return attr;
}

}  // namespace

int64_t AnswerRequest(const abi::InHeader& in, const void* op_in, unsigned char* payload,
                      const NullOptions& options) {
  switch (static_cast<abi::Opcode>(in.opcode)) {
    case abi::Opcode::kLookup: {
      // Every name that begins with 'f' is the one file; others do not exist.
      if (in.nodeid != kRootNode || payload[0] != 'f') return -ENOENT;
      abi::EntryOut out{};
      out.nodeid = kFileNode;
      out.attr = AttrOf(kFileNode, options);
      std::memcpy(payload, &out, sizeof(out));
      return sizeof(out);
    }
    case abi::Opcode::kGetattr:
    case abi::Opcode::kSetattr: {
      abi::AttrOut out{};
      out.attr = AttrOf(in.nodeid, options);
      std::memcpy(payload, &out, sizeof(out));
      return sizeof(out);
    }
    case abi::Opcode::kOpen:
    case abi::Opcode::kOpendir: {
      const abi::OpenOut out{};
      std::memcpy(payload, &out, sizeof(out));
      return sizeof(out);
    }
    case abi::Opcode::kRead: {
      abi::ReadIn read;
      std::memcpy(&read, op_in, sizeof(read));
      if (read.offset >= options.file_bytes) return 0;
      const uint64_t left = options.file_bytes - read.offset;
      const size_t size = std::min<uint64_t>({read.size, left, options.payload_bytes});
      if (options.data_fd < 0) return static_cast<int64_t>(size);
      const ssize_t got = pread(options.data_fd, payload, size, static_cast<off_t>(read.offset));
      return got < 0 ? -errno : got;
    }
    case abi::Opcode::kWrite: {
      abi::WriteIn write;
      std::memcpy(&write, op_in, sizeof(write));
      const abi::WriteOut out{write.size, 0};
      std::memcpy(payload, &out, sizeof(out));
      return sizeof(out);
    }
    case abi::Opcode::kRelease:
    case abi::Opcode::kReleasedir:
    case abi::Opcode::kForget:
    case abi::Opcode::kBatchForget:
      return 0;
    default:
      return -ENOSYS;
  }
}

void NullRingWorker::AddEntries(uint16_t qid, int count) {
  for (int i = 0; i < count; ++i) entries_.push_back({nullptr, nullptr, {}, qid, this});
  if (served_.size() <= qid) served_.resize(qid + size_t{1});
}

std::string NullRingWorker::SetUp(int cpu) {
  const size_t count = entries_.size();
  const size_t headers_bytes = (count * kHeaderStride + 4095) & ~size_t{4095};
  const size_t bytes = headers_bytes + count * options_.payload_bytes;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return Failure("mmap of the entries", errno);
  auto* base = static_cast<unsigned char*>(memory);
  for (size_t i = 0; i < count; ++i) {
    Entry& entry = entries_[i];
    entry.header = reinterpret_cast<abi::UringReqHeader*>(base + i * kHeaderStride);
    entry.payload = base + headers_bytes + i * options_.payload_bytes;
    entry.iov[0] = {entry.header, sizeof(abi::UringReqHeader)};
    entry.iov[1] = {entry.payload, options_.payload_bytes};
  }
  io_uring_params params{};
  params.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE;
  params.cq_entries = static_cast<unsigned>(std::max<size_t>(64, count * 4));
  if (options_.ring == NullOptions::Ring::kDefer) {
    params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  } else if (options_.ring == NullOptions::Ring::kCoop) {
    params.flags |=
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  }
  const unsigned sq_entries = static_cast<unsigned>(std::max<size_t>(16, count * 2));
  int result = io_uring_queue_init_params(sq_entries, &ring_, &params);
  if (result < 0) return Failure("io_uring_setup", -result);
  result = io_uring_register_files(&ring_, &device_fd_, 1);
  if (result < 0) return Failure("registering /dev/fuse with the ring", -result);
  result = io_uring_register_ring_fd(&ring_);
  if (result < 0) return Failure("registering the ring's descriptor", -result);
  ring_fd_.store(ring_.ring_fd);
  // An offline CPU cannot be chosen; its worker then runs anywhere, as the kernel would have it.
  if (options_.pin && !PinTo(cpu) && errno != EINVAL) return Failure("sched_setaffinity", errno);
  return "";
}

bool NullRingWorker::Submit(Entry* entry, uint32_t command) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return false;
  std::memset(sqe, 0, 128);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->cmd_op = command;
  sqe->user_data = reinterpret_cast<uint64_t>(entry);
  abi::UringCmdReq body{};
  body.qid = entry->qid;
  if (command == abi::kUringCmdRegister) {
    sqe->addr = reinterpret_cast<uint64_t>(entry->iov);
    sqe->len = 2;
  } else {
    body.commit_id = entry->header->ring_ent_in_out.commit_id;
  }
  std::memcpy(reinterpret_cast<unsigned char*>(sqe) + kSqeCommandOffset, &body, sizeof(body));
  return true;
}

void NullRingWorker::Answer(Entry* entry) {
  abi::InHeader in;
  std::memcpy(&in, entry->header->in_out, sizeof(in));
  const int64_t result = AnswerRequest(in, entry->header->op_in, entry->payload, options_);
  abi::OutHeader out{};
  out.len = sizeof(out);
  out.unique = in.unique;
  out.error = result < 0 ? static_cast<int32_t>(result) : 0;
  std::memcpy(entry->header->in_out, &out, sizeof(out));
  entry->header->ring_ent_in_out.payload_sz = result < 0 ? 0 : static_cast<uint32_t>(result);
  ++served_[entry->qid];
}

bool NullRingWorker::Wait() {
  if (options_.spin_us > 0) {
    int result = io_uring_submit_and_get_events(&ring_);
    if (result < 0 && result != -EINTR) return false;
    if (io_uring_cq_ready(&ring_) > 0) return true;
    const int64_t deadline_ns = NowNs() + options_.spin_us * 1000;
    do {
      for (int i = 0; i < 16; ++i) __builtin_ia32_pause();
      // Without TASKRUN_FLAG nothing tells that task work waits, so the kernel is asked every time.
      result = io_uring_get_events(&ring_);
      if (io_uring_cq_ready(&ring_) > 0) return true;
    } while (NowNs() < deadline_ns);
  }
  ++waits_;
  const int result = io_uring_submit_and_wait(&ring_, 1);
  return result >= 0 || result == -EINTR;
}

int64_t NullRingWorker::EstimateNs(const Entry& entry) const {
  // Measured here: 2 us for a small request, 100 us to copy 1 MiB.
  uint64_t bytes = 0;
  abi::InHeader in;
  std::memcpy(&in, entry.header->in_out, sizeof(in));
  if (static_cast<abi::Opcode>(in.opcode) == abi::Opcode::kRead) {
    abi::ReadIn read;
    std::memcpy(&read, entry.header->op_in, sizeof(read));
    bytes = read.size;
  } else {
    bytes = entry.header->ring_ent_in_out.payload_sz;
  }
  return 2000 + static_cast<int64_t>(std::min<uint64_t>(bytes, options_.payload_bytes) / 10);
}

bool NullRingWorker::Hand(Entry* entry, NullRingWorker* to, bool answered) {
  const int fd = to->ring_fd_.load();
  io_uring_sqe* sqe = fd < 0 ? nullptr : io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return false;
  std::memset(sqe, 0, 128);
  const uint64_t tag = kHanded | (answered ? kAnswered : 0);
  io_uring_prep_msg_ring(sqe, fd, 0, reinterpret_cast<uint64_t>(entry) | tag, 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  ++handed_;
  return true;
}

void NullRingWorker::ServeBatch(const std::vector<Entry*>& requests) {
  NullRingWorker* helper = nullptr;
  int64_t estimate_ns = 0;
  if (options_.share_us > 0) {
    for (Entry* entry : requests) estimate_ns += EstimateNs(*entry);
    if (requests.size() >= 2 && estimate_ns > options_.share_us * 1000 && peers_.size() > 1) {
      helper = peers_[(static_cast<size_t>(index_) + 1) % peers_.size()];
    }
  }
  int64_t left_ns = estimate_ns / 2;
  if (helper != nullptr) {
    // Half of the work, from the end: it would have waited longest. At most half of the entries may
    // be away, or the helper would become the only server.
    size_t keep = requests.size();
    while (keep > 1 && left_ns > 0) {
      Entry* entry = requests[keep - 1];
      if (entry->home != this || away_ * 2 >= entries_.size()) break;
      left_ns -= EstimateNs(*entry);
      if (!Hand(entry, helper, false)) break;
      ++away_;
      --keep;
    }
    if (keep < requests.size()) io_uring_submit(&ring_);
    for (size_t i = 0; i < keep; ++i) {
      Answer(requests[i]);
      Submit(requests[i], abi::kUringCmdCommitAndFetch);
    }
    return;
  }
  for (Entry* entry : requests) {
    Answer(entry);
    // A lone request on a guest entry: the load is shallow again, so the entry goes home.
    const bool lone = requests.size() == 1 && entry->home != this;
    if (!lone || !Hand(entry, entry->home, true)) Submit(entry, abi::kUringCmdCommitAndFetch);
  }
}

std::string NullRingWorker::Run(int cpu, std::atomic<int>* ready) {
  std::string problem = SetUp(cpu);
  if (!problem.empty()) return "worker " + std::to_string(index_) + ": " + problem;
  for (Entry& entry : entries_) Submit(&entry, abi::kUringCmdRegister);
  const int submitted = io_uring_submit(&ring_);
  if (submitted < 0) return Failure("registering entries", -submitted);
  ready->fetch_add(1);
  std::vector<Entry*> requests;
  requests.reserve(256);
  while (Wait()) {
    unsigned head;
    unsigned seen = 0;
    io_uring_cqe* cqe;
    bool ended = false;
    requests.clear();
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++seen;
      if (cqe->res != 0) {
        if (cqe->res != -ENOTCONN && cqe->res != -ECONNABORTED) {
          problem = Failure("a ring entry was refused", -cqe->res);
        }
        ended = true;
        continue;
      }
      const uint64_t tag = cqe->user_data & kTagMask;
      auto* entry = reinterpret_cast<Entry*>(cqe->user_data & ~kTagMask);
      if (tag == 0) {
        requests.push_back(entry);
        continue;
      }
      if (entry->home == this) --away_;
      if ((tag & kAnswered) == 0) Answer(entry);
      Submit(entry, abi::kUringCmdCommitAndFetch);
    }
    io_uring_cq_advance(&ring_, seen);
    completions_ += requests.size();
    ServeBatch(requests);
    if (ended) break;
  }
  io_uring_queue_exit(&ring_);
  return problem;
}

}  // namespace shuntfs::bench
