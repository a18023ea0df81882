// One entry of a ring queue: its shared memory, and the request that is in it.
//
// Floor 3. Belongs to one worker at a time: the one on whose ring its command is pending or whose
// thread serves it. The memory is shared with the kernel: it writes header and payload before a
// request's completion and reads them at the COMMIT; in between they are ours alone.
#ifndef SHUNTFS_IO_RING_ENTRY_H_
#define SHUNTFS_IO_RING_ENTRY_H_

#include <sys/uio.h>

#include <cstring>
#include <span>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/data_io.h"
#include "core/protocol/abi.h"
#include "core/protocol/request.h"
#include "io/completion.h"

namespace shuntfs {

class RingEntry {
 public:
  enum class Phase : uint8_t {
    kIdle,      // not with the kernel: before REGISTER, or gone
    kFetching,  // with the kernel, waiting for a request
    kServing,   // a request is being handled, transferred or offloaded
  };

  RingEntry(uint32_t index, QueueId qid, uint32_t home, abi::UringReqHeader* header,
            std::span<std::byte> payload)
      : index_(index), qid_(qid), home_(home), header_(header), payload_(payload) {
    iov_[0] = {header_, sizeof(*header_)};
    iov_[1] = {payload_.data(), payload_.size()};
  }

  uint32_t index() const { return index_; }
  QueueId qid() const { return qid_; }
  uint32_t home() const { return home_; }
  const iovec* iov() const { return iov_; }
  std::span<std::byte> payload() const { return payload_; }
  CommitId commit_id() const { return commit_id_; }
  RingCommand command() const { return command_; }
  Request& request() { return request_; }

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
  }
  // A request is in the entry. Takes everything out of the shared header once. EINVAL: it makes no
  // sense, but can be answered.
  Result<Unit> Arrived() {
    CHECK(phase_ == Phase::kFetching);
    phase_ = Phase::kServing;
    abi::UringReqHeader copy;
    std::memcpy(&copy, header_, sizeof(copy));
    commit_id_ = CommitId(copy.ring_ent_in_out.commit_id);
    return DecodeRingEntry(copy, payload_, copy.ring_ent_in_out.payload_sz, &request_);
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
    Submitted(RingCommand::kCommitAndFetch);
  }

  // The transfer in work, and how much of it is done.
  Transfer transfer;
  uint32_t done_bytes = 0;
  // Handed to another worker and not committed yet.
  bool away = false;

 private:
  const uint32_t index_;
  const QueueId qid_;
  const uint32_t home_;
  abi::UringReqHeader* const header_;
  const std::span<std::byte> payload_;
  iovec iov_[2];
  CommitId commit_id_;
  RingCommand command_ = RingCommand::kRegister;
  Phase phase_ = Phase::kIdle;
  bool answered_ = false;
  Request request_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_IO_RING_ENTRY_H_
