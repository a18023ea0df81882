#include "daemon/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <utility>
#include <vector>

#include "daemon/printable.h"

namespace shuntfs {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Bounds of the shown buckets: powers of two from 1 us to 17 s.
constexpr int kFirstShownBit = 10;
constexpr int kLastShownBit = 34;

double Seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

uint64_t NumberOf(const NamedNumbers& numbers, std::string_view name) {
  for (const auto& [each, number] : numbers) {
    if (each == name) return number;
  }
  return 0;
}

class Page {
 public:
  // Begins a metric; what follows belongs to it.
  void Counter(std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), MetricType::Counter, {}});
  }
  void Gauge(std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), MetricType::Gauge, {}});
  }
  void Histogram(std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), MetricType::Histogram, {}});
  }
  void Value(double value, Labels labels = {}) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    (families_.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        value;
  }
  void Value(uint64_t value, Labels labels = {}) {
    Value(static_cast<double>(value), std::move(labels));
  }
  void Distribution(const LatencySum& latency, Labels labels) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    metric.histogram.sample_count = latency.count;
    metric.histogram.sample_sum = Seconds(latency.sum_ns);
    size_t next = 0;
    uint64_t below = 0;
    for (int bit = kFirstShownBit; bit <= kLastShownBit; ++bit) {
      const uint64_t bound = uint64_t{1} << bit;
      for (; LatencyBuckets::BeginOf(next) < bound; ++next) below += latency.buckets[next];
      metric.histogram.bucket.push_back({below, Seconds(bound)});
    }
  }
  std::string Text() const {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, families_);
    return text.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

void AddOperations(const ServerNumbers& numbers, Page* page) {
  page->Counter("shuntfs_operations_total", "Requests answered, by operation.");
  for (const auto& each : numbers.operations) page->Value(each.count, {{"operation", each.name}});
  page->Counter("shuntfs_operation_errors_total", "Requests answered with an error, by operation.");
  for (const auto& each : numbers.operations) page->Value(each.errors, {{"operation", each.name}});
  page->Counter("shuntfs_errors_total", "Requests answered with an error, by errno.");
  for (const auto& [name, count] : numbers.errors) page->Value(count, {{"errno", name}});
  page->Histogram("shuntfs_operation_duration_seconds",
                  "Time from finding a request to having its answer, by operation.");
  for (const auto& each : numbers.operations)
    page->Distribution(each.latency, {{"operation", each.name}});
}

void AddTransport(const ServerNumbers& numbers, Page* page) {
  const NamedNumbers& transport = numbers.transport;
  page->Counter("shuntfs_requests_total", "Requests received, by the way they came.");
  page->Value(NumberOf(transport, "ring_requests"), {{"transport", "ring"}});
  page->Value(NumberOf(transport, "device_requests"), {{"transport", "device"}});
  const auto counter = [&](std::string name, std::string help, std::string_view number) {
    page->Counter(std::move(name), std::move(help));
    page->Value(NumberOf(transport, number));
  };
  counter("shuntfs_offloaded_requests_total", "Requests that the slow pool served.", "offloaded");
  counter("shuntfs_late_closes_total", "Files that the slow pool closed after the answer.",
          "late_closes");
  counter("shuntfs_refused_waits_total",
          "Requests refused, since their user had a share of what may wait for ever already.",
          "refused_waits");
  counter("shuntfs_malformed_requests_total", "Requests that made no sense.", "malformed");
  counter("shuntfs_odd_forgets_total", "FORGETs of more lookups than were counted.", "odd_forgets");
  counter("shuntfs_pool_dry_requests_total", "Requests that took the last slice of their pool.",
          "pool_dry");
  counter("shuntfs_handed_over_requests_total", "Requests left to another worker.", "handed_over");
  counter("shuntfs_linked_reads_total", "Reads sent to the kernel together with their answer.",
          "linked_reads");
  counter("shuntfs_stay_commits_total", "Answers whose caller was kept on its CPU.",
          "stay_commits");
  counter("shuntfs_notices_total", "Notices to the kernel about what it caches.", "notices");
  counter("shuntfs_notices_failed_total", "Notices that the kernel refused.", "notices_failed");
  counter("shuntfs_notices_declined_total",
          "Write-backs not asked of the kernel, since too many were under way.",
          "notices_declined");
}

void AddBytes(const ServerNumbers& numbers, Page* page) {
  constexpr std::string_view kPaths[] = {"fixed", "zero_copy", "plain"};
  for (const bool reads : {true, false}) {
    const std::string word = reads ? "read" : "write";
    const std::string done = reads ? "read" : "written";
    page->Counter("shuntfs_" + done + "_bytes_total",
                  "Bytes of file data " + done + ", by the way they took.");
    for (const std::string_view path : kPaths) {
      page->Value(NumberOf(numbers.io, std::string(path) + "_" + word + "_bytes"),
                  {{"path", std::string(path)}});
    }
    page->Counter("shuntfs_direct_" + done + "_bytes_total",
                  "Of all bytes " + done + ", those past the page cache of the source.");
    page->Value(NumberOf(numbers.io, "direct_" + word + "_bytes"));
  }
}

void AddResources(const ServerNumbers& numbers, Page* page) {
  const auto gauge = [&](std::string name, std::string help, std::string_view number) {
    page->Gauge(std::move(name), std::move(help));
    page->Value(NumberOf(numbers.resources, number));
  };
  gauge("shuntfs_inodes", "Inodes that the kernel knows.", "inodes");
  gauge("shuntfs_handles", "Open files and directories.", "handles");
  gauge("shuntfs_path_descriptors", "Descriptors kept for inodes.", "path_fds");
  gauge("shuntfs_path_descriptors_limit", "Most descriptors kept for inodes.", "path_fd_limit");
  gauge("shuntfs_descriptors_limit", "Most descriptors of the process.", "fd_limit");
  gauge("shuntfs_region_bytes", "Memory registered for requests in flight.", "region_bytes");
  gauge("shuntfs_request_limit_bytes", "Largest single request.", "max_write_bytes");
}

void AddLoad(const ServerNumbers& numbers, Page* page) {
  const auto by_worker = [&](std::string name, std::string help, uint64_t WorkerLoad::*number) {
    page->Gauge(std::move(name), std::move(help));
    for (const WorkerLoad& each : numbers.workers)
      page->Value(each.*number, {{"cpu", std::to_string(each.cpu)}});
  };
  by_worker("shuntfs_worker_requests", "Requests in work, by ring worker.", &WorkerLoad::in_flight);
  by_worker("shuntfs_worker_entries", "Requests that can be in work, by ring worker.",
            &WorkerLoad::entries);
  by_worker("shuntfs_worker_slices_used", "Slices of buffer pools in use, by ring worker.",
            &WorkerLoad::slices_used);
  by_worker("shuntfs_worker_slices", "Slices of buffer pools, by ring worker.",
            &WorkerLoad::slices);
  page->Gauge("shuntfs_slow_pool_threads", "Threads of the slow pool.");
  page->Value(numbers.slow_pool.busy, {{"state", "busy"}});
  page->Value(numbers.slow_pool.threads - numbers.slow_pool.busy, {{"state", "idle"}});
  page->Gauge("shuntfs_slow_pool_waiting_requests", "Requests that wait for the slow pool.");
  page->Value(numbers.slow_pool.waiting);
  page->Gauge("shuntfs_current_requests", "Requests in work.");
  page->Value(static_cast<uint64_t>(numbers.current.size()));
  int64_t oldest_ns = numbers.now_ns;
  for (const CurrentRequest::Seen& each : numbers.current)
    oldest_ns = std::min(oldest_ns, each.start_ns);
  page->Gauge("shuntfs_oldest_request_seconds", "Age of the oldest request in work.");
  page->Value(Seconds(static_cast<uint64_t>(numbers.now_ns - oldest_ns)));
}

}  // namespace

std::string MetricsPage(const MetricsFacts& facts, const ServerNumbers& numbers) {
  Page page;
  page.Gauge("shuntfs_info", "1, with what the mount is.");
  page.Value(1.0, {{"source", Printable(facts.source)},
                   {"mountpoint", Printable(facts.mountpoint)},
                   {"data_path", facts.data_path}});
  page.Gauge("shuntfs_uptime_seconds", "Time since the mount began.");
  page.Value(facts.uptime_s);
  page.Counter("shuntfs_cpu_seconds_total", "Processor time of the daemon.");
  page.Value(numbers.cpu_s);
  AddOperations(numbers, &page);
  AddTransport(numbers, &page);
  AddBytes(numbers, &page);
  AddResources(numbers, &page);
  AddLoad(numbers, &page);
  return page.Text();
}

}  // namespace shuntfs
