#include "daemon/server_numbers.h"

#include <absl/strings/str_cat.h>

#include <array>
#include <cstring>
#include <span>

#include "core/protocol/request.h"

namespace shuntfs {
namespace {

struct NamedCounter {
  std::string_view name;
  Counter Counters::*member;
};

constexpr auto kTransport = std::to_array<NamedCounter>({
    {"ring_requests", &Counters::ring_requests},
    {"device_requests", &Counters::device_requests},
    {"offloaded", &Counters::offloaded},
    {"late_closes", &Counters::late_closes},
    {"refused_waits", &Counters::refused_waits},
    {"malformed", &Counters::malformed},
    {"odd_forgets", &Counters::odd_forgets},
    {"pool_dry", &Counters::pool_dry},
    {"handed_over", &Counters::handed_over},
    {"linked_reads", &Counters::linked_reads},
    {"stay_commits", &Counters::stay_commits},
    {"notices", &Counters::notices},
    {"notices_failed", &Counters::notices_failed},
    {"notices_declined", &Counters::notices_declined},
});

constexpr auto kIo = std::to_array<NamedCounter>({
    {"fixed_read_bytes", &Counters::fixed_read_bytes},
    {"fixed_write_bytes", &Counters::fixed_write_bytes},
    {"zero_copy_read_bytes", &Counters::zero_copy_read_bytes},
    {"zero_copy_write_bytes", &Counters::zero_copy_write_bytes},
    {"direct_read_bytes", &Counters::direct_read_bytes},
    {"direct_write_bytes", &Counters::direct_write_bytes},
    {"plain_read_bytes", &Counters::plain_read_bytes},
    {"plain_write_bytes", &Counters::plain_write_bytes},
});

NamedNumbers SumsOf(const std::vector<const Counters*>& threads,
                    std::span<const NamedCounter> counters) {
  NamedNumbers sums;
  for (const NamedCounter& counter : counters) {
    uint64_t sum = 0;
    for (const Counters* thread : threads) sum += (thread->*counter.member).value();
    sums.emplace_back(counter.name, sum);
  }
  return sums;
}

}  // namespace

std::string ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : absl::StrCat("errno ", error);
}

std::string OperationName(uint32_t opcode) {
  const std::string_view name = InfoOf(opcode).name;
  return name.empty() ? absl::StrCat("opcode ", opcode) : std::string(name);
}

void AddCounters(const std::vector<const Counters*>& threads, ServerNumbers* numbers) {
  // A request is counted by operation first and by transport then: read the other way round, no
  // transport shows a request that no operation does.
  numbers->transport = SumsOf(threads, kTransport);
  for (uint32_t opcode = 0; opcode < abi::kOpcodeEnd; ++opcode) {
    OperationNumbers sum;
    for (const Counters* thread : threads) {
      const Counters::Operation& operation = thread->operations[opcode];
      if (operation.count.value() == 0) continue;
      sum.count += operation.count.value();
      sum.errors += operation.errors.value();
      sum.latency.Add(operation.latency);
    }
    if (sum.count == 0) continue;
    sum.name = OperationName(opcode);
    numbers->operations.push_back(std::move(sum));
  }
  for (size_t error = 0; error < kErrnoEnd; ++error) {
    uint64_t sum = 0;
    for (const Counters* thread : threads) sum += thread->errnos[error].value();
    if (sum == 0) continue;
    numbers->errors.emplace_back(
        error == kErrnoEnd - 1 ? "others" : ErrnoName(static_cast<int>(error)), sum);
  }
  numbers->io = SumsOf(threads, kIo);
}

}  // namespace shuntfs
