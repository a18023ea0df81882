#include "daemon/server_status.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "core/protocol/request.h"

namespace shuntfs {
namespace {

uint64_t Sum(const std::vector<const Counters*>& threads, Counter Counters::*member) {
  uint64_t sum = 0;
  for (const Counters* counters : threads) sum += (counters->*member).value();
  return sum;
}

std::string Operations(const std::vector<const Counters*>& threads) {
  std::string text;
  for (uint32_t opcode = 0; opcode < abi::kOpcodeEnd; ++opcode) {
    uint64_t count = 0;
    uint64_t errors = 0;
    for (const Counters* counters : threads) {
      count += counters->operations[opcode].count.value();
      errors += counters->operations[opcode].errors.value();
    }
    if (count == 0) continue;
    absl::StrAppendFormat(&text, R"(%s"%s":{"count":%d,"errors":%d})", text.empty() ? "" : ",",
                          std::string(InfoOf(opcode).name), count, errors);
  }
  return text;
}

}  // namespace

std::string FormatServerStatus(const std::vector<const Counters*>& threads,
                               const ResourceNumbers& r) {
  const auto sum = [&threads](Counter Counters::*member) { return Sum(threads, member); };
  // A request is counted by operation first and by transport then: read the other way round, no
  // transport shows a request that no operation does.
  std::string text = absl::StrFormat(
      R"("transport":{"ring_requests":%d,"device_requests":%d,"offloaded":%d,)",
      sum(&Counters::ring_requests), sum(&Counters::device_requests), sum(&Counters::offloaded));
  absl::StrAppendFormat(&text, R"("malformed":%d,"odd_forgets":%d,"pool_dry":%d,)",
                        sum(&Counters::malformed), sum(&Counters::odd_forgets),
                        sum(&Counters::pool_dry));
  absl::StrAppendFormat(&text, R"("handed_over":%d,"linked_reads":%d,"stay_commits":%d},)",
                        sum(&Counters::handed_over), sum(&Counters::linked_reads),
                        sum(&Counters::stay_commits));
  absl::StrAppendFormat(&text, R"("operations":{%s},)", Operations(threads));
  absl::StrAppendFormat(&text, R"("io":{"fixed_read_bytes":%d,"fixed_write_bytes":%d,)",
                        sum(&Counters::fixed_read_bytes), sum(&Counters::fixed_write_bytes));
  absl::StrAppendFormat(&text, R"("zero_copy_read_bytes":%d,"zero_copy_write_bytes":%d,)",
                        sum(&Counters::zero_copy_read_bytes),
                        sum(&Counters::zero_copy_write_bytes));
  absl::StrAppendFormat(&text, R"("direct_read_bytes":%d,"direct_write_bytes":%d,)",
                        sum(&Counters::direct_read_bytes), sum(&Counters::direct_write_bytes));
  absl::StrAppendFormat(&text, R"("plain_read_bytes":%d,"plain_write_bytes":%d},)",
                        sum(&Counters::plain_read_bytes), sum(&Counters::plain_write_bytes));
  absl::StrAppendFormat(
      &text, R"("resources":{"inodes":%d,"handles":%d,"path_fds":%d,"path_fd_limit":%d,)", r.inodes,
      r.handles, r.path_fds, r.path_fd_limit);
  absl::StrAppendFormat(&text,
                        R"("fd_limit":%d,"region_bytes":%d,"workers":%d,"entries_per_queue":%d,)",
                        r.fd_limit, r.region_bytes, r.workers, r.entries_per_queue);
  absl::StrAppendFormat(&text, R"("max_write_bytes":%d})", r.max_write_bytes);
  return text;
}

}  // namespace shuntfs
