#include "daemon/server_status.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>

namespace shuntfs {
namespace {

double Microseconds(uint64_t ns) { return static_cast<double>(ns) / 1e3; }

// Calls `format` for each item; commas between.
template <typename Items, typename Format>
std::string Joined(const Items& items, Format format) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += ',';
    format(item, &text);
  }
  return text;
}

std::string Object(std::string_view name, const NamedNumbers& numbers) {
  return absl::StrFormat(R"("%s":{%s})", std::string(name),
                         Joined(numbers, [](const auto& number, std::string* text) {
                           absl::StrAppendFormat(text, R"("%s":%d)", number.first, number.second);
                         }));
}

std::string Operations(const ServerNumbers& numbers) {
  return Joined(numbers.operations, [](const OperationNumbers& each, std::string* text) {
    absl::StrAppendFormat(text, R"("%s":{"count":%d,"errors":%d})", each.name, each.count,
                          each.errors);
  });
}

std::string Latency(const ServerNumbers& numbers) {
  return Joined(numbers.operations, [](const OperationNumbers& each, std::string* text) {
    absl::StrAppendFormat(text, R"("%s":{"p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f})", each.name,
                          Microseconds(each.latency.Percentile(0.5)),
                          Microseconds(each.latency.Percentile(0.99)),
                          Microseconds(each.latency.max_ns));
  });
}

// By the nanosecond that a bucket begins with, so that a reader needs to know no layout.
std::string Buckets(const ServerNumbers& numbers) {
  return Joined(numbers.operations, [](const OperationNumbers& each, std::string* text) {
    std::string buckets;
    for (size_t i = 0; i < each.latency.buckets.size(); ++i) {
      if (each.latency.buckets[i] == 0) continue;
      absl::StrAppendFormat(&buckets, R"(%s"%d":%d)", buckets.empty() ? "" : ",",
                            LatencyBuckets::BeginOf(i), each.latency.buckets[i]);
    }
    absl::StrAppendFormat(text, R"("%s":{%s})", each.name, buckets);
  });
}

std::string Workers(const ServerNumbers& numbers) {
  return Joined(numbers.workers, [](const WorkerLoad& each, std::string* text) {
    absl::StrAppendFormat(text,
                          R"({"cpu":%d,"in_flight":%d,"entries":%d,"slices_used":%d,"slices":%d})",
                          each.cpu, each.in_flight, each.entries, each.slices_used, each.slices);
  });
}

std::string Slowest(const ServerNumbers& numbers) {
  std::vector<CurrentRequest::Seen> slowest = numbers.current;
  std::sort(slowest.begin(), slowest.end(),
            [](const auto& a, const auto& b) { return a.start_ns < b.start_ns; });
  slowest.resize(std::min(slowest.size(), kSlowestShown));
  return Joined(slowest, [&numbers](const CurrentRequest::Seen& each, std::string* text) {
    const int64_t age_ns = std::max<int64_t>(numbers.now_ns - each.start_ns, 0);
    absl::StrAppendFormat(text, R"({"operation":"%s","nodeid":%d,"unique":%d,"age_us":%.1f})",
                          OperationName(each.opcode), each.nodeid, each.unique,
                          Microseconds(static_cast<uint64_t>(age_ns)));
  });
}

}  // namespace

std::string FormatServerStatus(const ServerNumbers& numbers) {
  std::string text = Object("transport", numbers.transport);
  absl::StrAppendFormat(&text, R"(,"operations":{%s},)", Operations(numbers));
  absl::StrAppend(&text, Object("io", numbers.io), ",", Object("resources", numbers.resources), ",",
                  Object("errors", numbers.errors));
  absl::StrAppendFormat(&text, R"(,"latency":{%s},"latency_buckets":{%s})", Latency(numbers),
                        Buckets(numbers));
  absl::StrAppendFormat(
      &text,
      R"(,"load":{"workers":[%s],"slow_pool":{"threads":%d,"busy":%d,"waiting":%d},)"
      R"("current":%d,"slowest":[%s]},"process":{"cpu_s":%.3f})",
      Workers(numbers), numbers.slow_pool.threads, numbers.slow_pool.busy,
      numbers.slow_pool.waiting, numbers.current.size(), Slowest(numbers), numbers.cpu_s);
  return text;
}

}  // namespace shuntfs
