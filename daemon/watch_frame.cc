#include "daemon/watch_frame.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "daemon/printable.h"

namespace shuntfs {
namespace {

using Lines = std::vector<std::string>;

const JsonValue kNothing{};

const JsonValue& Member(const JsonValue& value, std::string_view name) {
  const JsonValue* member = value.Find(name);
  return member == nullptr ? kNothing : *member;
}

double Number(const JsonValue& value, std::string_view name) {
  return std::strtod(Member(value, name).text.c_str(), nullptr);
}

// Short and readable: 999, 12.3k, 4.56M.
std::string Short(double value, double step, std::string_view unit) {
  constexpr std::string_view kPrefixes = " kMGT";
  size_t prefix = 0;
  while (value >= step * 0.9995 && prefix + 1 < kPrefixes.size()) {
    value /= step;
    ++prefix;
  }
  const int digits = prefix == 0 && value == std::floor(value) ? 0
                     : value < 9.995                           ? 2
                     : value < 99.95                           ? 1
                                                               : 0;
  const std::string name = prefix == 0 ? "" : std::string(1, kPrefixes[prefix]);
  return absl::StrFormat("%.*f%s%s%s", digits, value, unit.empty() ? "" : " ", name,
                         std::string(unit));
}

std::string Bytes(double value) { return Short(value, 1000, "B/s"); }
std::string Rate(double value) { return Short(value, 1000, ""); }

std::string Duration(double us) {
  if (us < 999.5) return absl::StrFormat("%.0f us", us);
  if (us < 999.5e3) return absl::StrFormat("%.3g ms", us / 1e3);
  return absl::StrFormat("%.3g s", us / 1e6);
}

std::string Uptime(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole >= 86400) return absl::StrFormat("%dd %02dh", whole / 86400, whole / 3600 % 24);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

// The difference between two documents.
class Interval {
 public:
  Interval(const JsonValue& before, const JsonValue& now)
      : before_(before),
        now_(now),
        seconds_(std::max(Number(now, "uptime_s") - Number(before, "uptime_s"), 1e-3)) {}

  double Rate(std::string_view group, std::string_view name) const {
    return std::max(Number(Member(now_, group), name) - Number(Member(before_, group), name), 0.0) /
           seconds_;
  }
  double OperationRate(std::string_view operation, std::string_view name) const {
    const auto count = [&](const JsonValue& document) {
      return Number(Member(Member(document, "operations"), operation), name);
    };
    return std::max(count(now_) - count(before_), 0.0) / seconds_;
  }
  // What `fraction` of the interval's requests did not exceed, in us; negative without requests.
  double Percentile(std::string_view operation, double fraction) const {
    const JsonValue& after = Member(Member(now_, "latency_buckets"), operation);
    const JsonValue& earlier = Member(Member(before_, "latency_buckets"), operation);
    std::vector<std::pair<double, double>> counts;
    double all = 0;
    for (const auto& [begin, count] : after.members) {
      const double n = std::strtod(count.text.c_str(), nullptr) - Number(earlier, begin);
      if (n <= 0) continue;
      counts.emplace_back(std::strtod(begin.c_str(), nullptr), n);
      all += n;
    }
    double passed = 0;
    for (const auto& [begin_ns, count] : counts) {
      passed += count;
      // The middle of the bucket, a quarter wide: an eighth off at most.
      if (passed >= fraction * all) return begin_ns * 1.125 / 1e3;
    }
    return -1;
  }

 private:
  const JsonValue& before_;
  const JsonValue& now_;
  const double seconds_;
};

double Sum(const Interval& interval, std::string_view group,
           std::initializer_list<std::string_view> names) {
  double sum = 0;
  for (const std::string_view name : names) sum += interval.Rate(group, name);
  return sum;
}

Lines Head(const JsonValue& now, const Interval& interval) {
  double operations = 0;
  double errors = 0;
  for (const auto& [name, ignored] : Member(now, "operations").members) {
    operations += interval.OperationRate(name, "count");
    errors += interval.OperationRate(name, "errors");
  }
  return {
      absl::StrFormat("%s  (%s)  %s  pid %s  up %s", now.TextOf("mountpoint"), now.TextOf("source"),
                      now.TextOf("data_path"), now.TextOf("pid"), Uptime(Number(now, "uptime_s"))),
      absl::StrFormat(
          "read %s  write %s  %s op/s  %s errors/s  CPU %.0f%%  in work %s",
          Bytes(Sum(interval, "io",
                    {"fixed_read_bytes", "zero_copy_read_bytes", "plain_read_bytes"})),
          Bytes(Sum(interval, "io",
                    {"fixed_write_bytes", "zero_copy_write_bytes", "plain_write_bytes"})),
          Rate(operations), Rate(errors), interval.Rate("process", "cpu_s") * 100,
          Member(now, "load").TextOf("current"))};
}

std::string OrDash(double us) { return us < 0 ? "-" : Duration(us); }

Lines Operations(const JsonValue& now, const Interval& interval) {
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [name, ignored] : Member(now, "operations").members)
    order.emplace_back(-interval.OperationRate(name, "count"), name);
  std::sort(order.begin(), order.end());
  Lines lines = {absl::StrFormat("%-16s %9s %9s %9s %9s %9s", "OPERATION", "OP/S", "ERRORS/S",
                                 "P50", "P99", "MAX")};
  for (const auto& [rate, name] : order) {
    const double max_us = Number(Member(Member(now, "latency"), name), "max_us");
    // A bucket's middle may lie above the longest of all.
    const auto percentile = [&, name = name](double fraction) {
      const double us = interval.Percentile(name, fraction);
      return OrDash(max_us > 0 ? std::min(us, max_us) : us);
    };
    lines.push_back(absl::StrFormat("%-16s %9s %9s %9s %9s %9s", name, Rate(-rate),
                                    Rate(interval.OperationRate(name, "errors")), percentile(0.5),
                                    percentile(0.99), Duration(max_us)));
  }
  return lines;
}

Lines Workers(const JsonValue& now) {
  Lines cells;
  for (const JsonValue& worker : Member(Member(now, "load"), "workers").items) {
    std::string cell = absl::StrFormat("cpu %s: %s/%s", worker.TextOf("cpu"),
                                       worker.TextOf("in_flight"), worker.TextOf("entries"));
    if (worker.TextOf("slices") != "0")
      cell += absl::StrFormat(" pool %s/%s", worker.TextOf("slices_used"), worker.TextOf("slices"));
    cells.push_back(std::move(cell));
  }
  const JsonValue& slow = Member(Member(now, "load"), "slow_pool");
  cells.push_back(absl::StrFormat("slow pool: %s/%s, %s waiting", slow.TextOf("busy"),
                                  slow.TextOf("threads"), slow.TextOf("waiting")));
  return {"QUEUES  " + absl::StrJoin(cells, "  ")};
}

Lines Errors(const JsonValue& now, const Interval& interval) {
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [name, count] : Member(now, "errors").members)
    order.emplace_back(-interval.Rate("errors", name), absl::StrFormat("%s %s", name, count.text));
  if (order.empty()) return {};
  std::sort(order.begin(), order.end());
  Lines cells;
  for (const auto& [rate, text] : order)
    cells.push_back(rate == 0 ? text : absl::StrFormat("%s (%s/s)", text, Rate(-rate)));
  return {"ERRORS  " + absl::StrJoin(cells, "  ")};
}

Lines Slowest(const JsonValue& now) {
  Lines lines;
  for (const JsonValue& request : Member(Member(now, "load"), "slowest").items) {
    lines.push_back(absl::StrFormat("%-8s%-16s inode %s  request %s  for %s",
                                    lines.empty() ? "SLOWEST" : "", request.TextOf("operation"),
                                    request.TextOf("nodeid"), request.TextOf("unique"),
                                    Duration(Number(request, "age_us"))));
  }
  return lines;
}

}  // namespace

std::vector<std::string> WatchFrame(const JsonValue& before, const JsonValue& now,
                                    const FrameSize& size) {
  constexpr size_t kLeastOperations = 4;  // with their heading
  const Interval interval(before, now);
  Lines frame = Head(now, interval);
  Lines below = Workers(now);
  for (const Lines& part : {Errors(now, interval), Slowest(now)})
    below.insert(below.end(), part.begin(), part.end());
  Lines operations = Operations(now, interval);
  // The quietest operations give way first, then what is below.
  const size_t taken = frame.size() + below.size();
  const size_t room = size.rows > taken ? size.rows - taken : 0;
  operations.resize(std::min(operations.size(), std::max(room, kLeastOperations)));
  frame.insert(frame.end(), operations.begin(), operations.end());
  frame.insert(frame.end(), below.begin(), below.end());
  frame.resize(std::min(frame.size(), size.rows));
  for (std::string& line : frame) line = std::string(FirstColumns(Printable(line), size.columns));
  return frame;
}

}  // namespace shuntfs
