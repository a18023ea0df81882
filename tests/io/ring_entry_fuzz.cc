#include "tests/io/ring_entry_fuzz.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "io/completion.h"
#include "io/ring_entry.h"

namespace shuntfs {
namespace {

using ring_entry_fuzz::Step;

constexpr uint32_t kSliceBytes = 8192;
constexpr uint32_t kSlices = 2;
constexpr uint32_t kIndex = 5;

void Require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "the ring entry broke a promise: %s\n", what);
  std::abort();
}

bool Within(std::span<const std::byte> inner, std::span<const std::byte> outer) {
  if (inner.empty()) return true;
  const std::less_equal<const std::byte*> not_behind;
  return not_behind(outer.data(), inner.data()) &&
         not_behind(inner.data() + inner.size(), outer.data() + outer.size());
}

// Takes values off the front of the input; zeros where it has ended.
class Input {
 public:
  explicit Input(std::span<const uint8_t> rest) : rest_(rest) {}
  bool empty() const { return rest_.empty(); }
  template <typename T>
  T Take() {
    T value{};
    const size_t bytes = std::min(sizeof(T), rest_.size());
    if (bytes != 0) std::memcpy(&value, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return value;
  }

 private:
  std::span<const uint8_t> rest_;
};

void CheckVerdicts(const Step& step) {
  for (const RingCommand command : {RingCommand::kRegister, RingCommand::kCommitAndFetch}) {
    const CommandVerdict verdict = JudgeCommand(command, step.command_result);
    Require((verdict == CommandVerdict::kRequest) == (step.command_result == 0),
            "a request has come only with the result 0");
    Require(verdict != CommandVerdict::kRetry || step.command_result == -EINTR ||
                step.command_result == -EAGAIN,
            "a command is repeated only when nothing happened");
  }
  const uint32_t done = std::min(step.transfer_done, step.transfer_bytes);
  const TransferVerdict verdict =
      JudgeTransfer(done, step.transfer_bytes, step.way >> 2U, step.transfer_result);
  Require(verdict != TransferVerdict::kRetry || step.transfer_result == -EINTR ||
              step.transfer_result == -EAGAIN,
          "a transfer is repeated only when nothing was moved");
  if (verdict == TransferVerdict::kMore) {
    Require(step.transfer_result > 0, "a transfer goes on only after a part of it");
    Require(uint64_t{done} + static_cast<uint32_t>(step.transfer_result) < step.transfer_bytes,
            "a transfer goes on only when something is left");
  }
}

// The entry, its header and its memory, as RingGroup lays them out.
class Subject {
 public:
  Subject(bool pooled, bool zero_copy)
      : pooled_(pooled),
        zero_copy_(pooled && zero_copy),
        memory_(pooled ? kSlices * kSliceBytes : kSliceBytes),
        pool_(QueueId(3), memory_, kSliceBytes),
        entry_(pooled ? RingEntry(kIndex, 2, &header_, &pool_, zero_copy_)
                      : RingEntry(kIndex, QueueId(3), 2, &header_, memory_)) {
    entry_.Submitted(RingCommand::kRegister);
  }

  // One request, from its arrival to its answer.
  void Run(const abi::UringReqHeader& header, const Step& step) {
    header_ = header;
    std::fill(memory_.begin(), memory_.end(), std::byte{step.payload});
    const bool sound = entry_.Arrived().ok();
    // What the kernel changes afterwards is not looked at again.
    std::memset(&header_, 0xff, sizeof(header_));
    if (sound) CheckRequest();
    CheckAnswer(header, step, sound);
  }

 private:
  void CheckRequest() {
    const Request& request = entry_.request();
    Require(Within(entry_.payload(), memory_), "the payload's area lies in the memory");
    Require(Within(request.payload, entry_.payload()), "the payload lies in its area");
    Require(Within(request.extensions, entry_.payload()), "the extensions lie in its area");
    if (!pooled_) Require(entry_.payload().size() == kSliceBytes, "an entry keeps its area");
    if (request.zero_copy) {
      Require(zero_copy_, "zero-copied requests come over zero-copy queues alone");
      Require(request.payload.empty(), "zero-copied data is in no payload");
      const bool reads = request.opcode() == abi::Opcode::kRead;
      Require(reads || request.opcode() == abi::Opcode::kWrite, "only data is zero-copied");
      Require(!reads || entry_.payload().empty(), "a zero-copied READ has no slice");
    }
    volatile unsigned sum = 0;
    for (const std::byte byte : request.payload) sum = sum + std::to_integer<unsigned>(byte);
    static_cast<void>(request.supplementary_group());
  }

  void CheckAnswer(const abi::UringReqHeader& header, const Step& step, bool sound) {
    abi::InHeader in;
    std::memcpy(&in, header.in_out, sizeof(in));
    Action action = Action::Reply(step.reply_bytes % (kSliceBytes + 1));
    if (!sound || step.reply_error != 0)
      action = Action::Error(Errno(sound ? step.reply_error % 512 : EINVAL));
    entry_.Answer(action);
    abi::OutHeader out;
    std::memcpy(&out, header_.in_out, sizeof(out));
    Require(out.unique == in.unique, "the answer names the request");
    Require(out.error <= 0 && out.error > -512, "the answer is an errno");
    Require(entry_.commit_id() == CommitId(header.ring_ent_in_out.commit_id),
            "the commit names the request");
    Require(header_.ring_ent_in_out.payload_sz == out.len - sizeof(out),
            "the payload has the length announced");
    if ((step.way & 1) != 0) {
      entry_.CommittedBehindRead();
      if ((step.way & 2) != 0) {
        entry_.Withdrawn();
        entry_.Answer(action);
        entry_.Committed();
      }
    } else {
      entry_.Committed();
    }
    Require(pool_.taken() == 0, "every slice comes back");
  }

  const bool pooled_;
  const bool zero_copy_;
  abi::UringReqHeader header_{};
  std::vector<std::byte> memory_;
  QueuePool pool_;
  RingEntry entry_;
};

void Run(Input input) {
  const auto kind = input.Take<uint8_t>();
  Subject subject((kind & 1) != 0, (kind & 2) != 0);
  while (!input.empty()) {
    const auto step = input.Take<Step>();
    CheckVerdicts(step);
    subject.Run(input.Take<abi::UringReqHeader>(), step);
  }
}

}  // namespace
}  // namespace shuntfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shuntfs::Run(shuntfs::Input({data, size}));
  return 0;
}
