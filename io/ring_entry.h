// One entry of a ring queue: its shared memory, and the request that is in it.
//
// Floor 3. Belongs to one worker at a time: the one on whose ring its command is pending or whose
// thread serves it. The memory is shared with the kernel: it writes header and payload before a
// request's completion and reads them at the COMMIT; in between they are ours alone. The payload is
// an area of the entry's own, or for each request another slice of its queue's pool. What the
// kernel reports about it is bounded here, before anybody uses it.
#ifndef SHUNTFS_IO_RING_ENTRY_H_
#define SHUNTFS_IO_RING_ENTRY_H_

#include <sys/uio.h>

#include <cstring>
#include <span>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/current_request.h"
#include "core/data_io.h"
#include "core/protocol/abi.h"
#include "core/protocol/request.h"
#include "core/trace.h"
#include "io/completion.h"
#include "io/queue_pool.h"

namespace shuntfs {

class RingEntry {
 public:
  enum class Phase : uint8_t {
    kIdle,      // not with the kernel: before REGISTER, or gone
    kFetching,  // with the kernel, waiting for a request
    kServing,   // a request is being handled, transferred or offloaded
  };

  // With a payload area of its own.
  RingEntry(uint32_t index, QueueId qid, uint32_t home, abi::UringReqHeader* header,
            std::span<std::byte> payload)
      : index_(index), qid_(qid), home_(home), header_(header), payload_(payload) {
    iov_[0] = {header_, sizeof(*header_)};
    iov_[1] = {payload_.data(), payload_.size()};
  }
  // With payloads from `pool`. `zero_copy`: its queue takes requests whose data stays in the
  // caller's pages.
  RingEntry(uint32_t index, uint32_t home, abi::UringReqHeader* header, QueuePool* pool,
            bool zero_copy)
      : index_(index),
        qid_(pool->qid()),
        home_(home),
        header_(header),
        pool_(pool),
        zero_copy_(zero_copy) {
    iov_[0] = {header_, sizeof(*header_)};
    iov_[1] = {nullptr, 0};
  }

  uint32_t index() const { return index_; }
  QueueId qid() const { return qid_; }
  uint32_t home() const { return home_; }
  const iovec* iov() const { return iov_; }
  std::span<std::byte> payload() const { return payload_; }
  CommitId commit_id() const { return commit_id_; }
  RingCommand command() const { return command_; }
  bool pooled() const { return pool_ != nullptr; }
  // Where the kernel puts the caller's pages in the buffer table of the ring; 0: nowhere. Entries
  // can be committed on any worker's ring, so no two have the same.
  uint16_t zero_copy_slot() const { return zero_copy_ ? static_cast<uint16_t>(index_ + 1) : 0; }
  // The request in the entry took the last slice of its pool.
  bool pool_dry() const { return pool_dry_; }
  Request& request() { return request_; }
  const Request& request() const { return request_; }

  // The command that now goes to the kernel.
  void Submitted(RingCommand command) {
    CHECK(phase_ != Phase::kFetching);
    phase_ = Phase::kFetching;
    command_ = command;
  }
  // The command came back without a request.
  void Returned() {
    CHECK(phase_ == Phase::kFetching);
    phase_ = Phase::kIdle;
    linked_ = false;
  }
  // A request is in the entry. Takes everything out of the shared header once. EINVAL: it makes no
  // sense, but can be answered.
  Result<Unit> Arrived() {
    CHECK(phase_ == Phase::kFetching);
    phase_ = Phase::kServing;
    linked_ = false;
    abi::UringReqHeader copy;
    std::memcpy(&copy, header_, sizeof(copy));
    commit_id_ = CommitId(copy.ring_ent_in_out.commit_id);
    const bool located = pool_ == nullptr || Locate(copy.ring_ent_in_out.offset);
    const Result<Unit> decoded =
        DecodeRingEntry(copy, payload_, copy.ring_ent_in_out.payload_sz, &request_);
    if (!located || !decoded.ok() || (request_.zero_copy && !zero_copy_)) return Errno(EINVAL);
    // The data of a zero-copied READ has no slice: nothing may be written there.
    if (request_.zero_copy && request_.opcode() == abi::Opcode::kRead) payload_ = {};
    return Unit{};
  }
  // Lays the answer where COMMIT_AND_FETCH reads it. Every request gets exactly one.
  void Answer(const Action& action) {
    CHECK(phase_ == Phase::kServing && !answered_);
    answered_ = true;
    abi::OutHeader out{};
    out.unique = request_.header.unique;
    out.error = -action.error.value();
    const uint32_t payload_bytes = action.error.value() == 0 ? action.reply_bytes : 0;
    out.len = static_cast<uint32_t>(sizeof(out)) + payload_bytes;
    std::memcpy(header_->in_out, &out, sizeof(out));
    header_->ring_ent_in_out.payload_sz = payload_bytes;
  }
  // The answer goes to the kernel.
  void Committed() {
    CHECK(answered_);
    answered_ = false;
    if (pool_ != nullptr) pool_->GiveBack();
    Submitted(RingCommand::kCommitAndFetch);
  }

  // The answer goes to the kernel behind the READ that it tells of; after this, as for any entry
  // with the kernel, comes Arrived or Returned, or Withdrawn.
  void CommittedBehindRead() {
    Committed();
    linked_ = true;
  }
  // The READ did not give all bytes, so the kernel dropped the COMMIT: the request is ours again.
  void Withdrawn() {
    CHECK(phase_ == Phase::kFetching && linked_);
    phase_ = Phase::kServing;
    linked_ = false;
    if (pool_ != nullptr) pool_->Take();
  }
  bool linked() const { return linked_; }

  // The transfer in work, and how much of it is done.
  Transfer transfer;
  uint32_t done_bytes = 0;
  uint32_t retries = 0;  // since bytes were moved last
  // Handed to another worker and not committed yet.
  bool away = false;
  // The request from its arrival to its answer, as others may see it.
  CurrentRequest current;
  uint64_t latency_ns = 0;  // of the last request that was answered
  TracedName name;

 private:
  // Finds the request's slice. A request without arguments has none, and an offset that means
  // nothing; it is counted as if it had one.
  bool Locate(uint32_t offset) {
    pool_dry_ = pool_->Take();
    payload_ = pool_->Slice(offset);
    return !payload_.empty();
  }

  const uint32_t index_;
  const QueueId qid_;
  const uint32_t home_;
  abi::UringReqHeader* const header_;
  std::span<std::byte> payload_;
  QueuePool* const pool_ = nullptr;
  const bool zero_copy_ = false;
  bool pool_dry_ = false;
  iovec iov_[2];
  CommitId commit_id_;
  RingCommand command_ = RingCommand::kRegister;
  Phase phase_ = Phase::kIdle;
  bool answered_ = false;
  bool linked_ = false;  // committed behind a READ whose outcome is not known yet
  Request request_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_ENTRY_H_
