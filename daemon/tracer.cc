#include "daemon/tracer.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "core/protocol/request.h"
#include "daemon/printable.h"
#include "daemon/server_numbers.h"

namespace shuntfs {
namespace {

// Of one thread in one go; what is left waits in its buffer.
constexpr size_t kRecordsPerTake = 1024;

int64_t NowNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// The bits of the operations, or why there are none.
absl::StatusOr<uint64_t> OpcodesOf(std::string_view operations) {
  if (operations.empty()) return ~uint64_t{0};
  uint64_t wanted = 0;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(operations.data(), operations.size()), ',')) {
    const std::string_view name(part.data(), part.size());
    uint32_t opcode = 0;
    while (opcode < abi::kOpcodeEnd && (name.empty() || InfoOf(opcode).name != name)) ++opcode;
    if (opcode == abi::kOpcodeEnd) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "there is no operation \"%s\"; `shuntfs status` shows the names of those that came",
          Printable(name)));
    }
    wanted |= uint64_t{1} << opcode;
  }
  return wanted;
}

}  // namespace

std::string TraceLine(const TraceRecord& record, int64_t clock_offset_ns) {
  const absl::Time time = absl::FromUnixNanos(record.end_ns + clock_offset_ns);
  std::string line = absl::FormatTime("%H:%M:%E6S", time, absl::LocalTimeZone()) +
                     absl::StrFormat(" %s inode %d", OperationName(record.opcode), record.nodeid);
  if (record.name_bytes != 0)
    line += " \"" + absl::StrReplaceAll(Printable(record.name()), {{"\"", "\\042"}}) + "\"";
  return line + absl::StrFormat(" %s %.1f us", record.error == 0 ? "OK" : ErrnoName(record.error),
                                static_cast<double>(record.latency_ns) / 1e3);
}

class Tracer::Stream : public ClientStream {
 public:
  explicit Stream(Tracer& tracer) : tracer_(tracer) {}
  ~Stream() override { tracer_.End(); }
  std::string Take() override { return tracer_.Take(); }

 private:
  Tracer& tracer_;
};

absl::StatusOr<std::unique_ptr<ClientStream>> Tracer::Start(std::string_view operations) {
  if (running_)
    return absl::FailedPreconditionError("the mount is traced already; one trace at a time");
  const absl::StatusOr<uint64_t> wanted = OpcodesOf(operations);
  if (!wanted.ok()) return wanted.status();
  running_ = true;
  // What a trace before has left.
  dropped_ = 0;
  for (TraceBuffer* buffer : Buffers()) {
    while (buffer->Front() != nullptr) buffer->Pop();
    dropped_ += buffer->dropped();
  }
  switch_.Want(*wanted);
  return std::make_unique<Stream>(*this);
}

void Tracer::End() {
  running_ = false;
  switch_.Want(0);
}

std::vector<TraceBuffer*> Tracer::Buffers() const {
  std::vector<TraceBuffer*> buffers;
  for (const Counters* thread : threads_()) {
    if (TraceBuffer* buffer = thread->trace.kept()) buffers.push_back(buffer);
  }
  return buffers;
}

std::string Tracer::Take() {
  const int64_t offset_ns = NowNs(CLOCK_REALTIME) - NowNs(CLOCK_MONOTONIC);
  std::vector<std::pair<int64_t, std::string>> lines;
  uint64_t dropped = 0;
  for (TraceBuffer* buffer : Buffers()) {
    for (size_t i = 0; i < kRecordsPerTake; ++i) {
      const TraceRecord* record = buffer->Front();
      if (record == nullptr) break;
      lines.emplace_back(record->end_ns, TraceLine(*record, offset_ns));
      buffer->Pop();
    }
    dropped += buffer->dropped();
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  if (dropped > dropped_)
    text = absl::StrFormat("# %d requests are not shown: they came too fast\n",
                           dropped - std::exchange(dropped_, dropped));
  for (const auto& [time, line] : lines) text += line + "\n";
  return text;
}

}  // namespace shuntfs
