#include "daemon/metrics_page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "core/file_system.h"

namespace shuntfs {
namespace {

class MetricsPageTest : public testing::Test {
 protected:
  void Count(abi::Opcode opcode, int error, uint64_t latency_ns) {
    Request request;
    request.header.opcode = static_cast<uint32_t>(opcode);
    FileSystem::CountReply(*counters_, request, Action::Error(Errno(error)), latency_ns);
  }
  void Make() {
    AddCounters({counters_.get()}, &numbers_);
    page_ = MetricsPage({"/s\n\"\\\xFF", "/mnt", "per-entry", 12.5}, numbers_);
  }
  bool Has(const std::string& line) {
    return ("\n" + page_).find("\n" + line + "\n") != std::string::npos;
  }
  // The count of the bucket that ends at `bound`, however that is spelled; -1: there is none.
  double CumulativeAt(const std::string& operation, double bound) {
    std::istringstream lines(page_);
    const std::string begin =
        "shuntfs_operation_duration_seconds_bucket{operation=\"" + operation + "\",le=\"";
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(begin)) continue;
      const double le = std::strtod(line.c_str() + begin.size(), nullptr);
      if (std::abs(le - bound) < bound / 1e9)
        return std::strtod(line.c_str() + line.rfind(' '), nullptr);
    }
    return -1;
  }

  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  ServerNumbers numbers_;
  std::string page_;
};

TEST_F(MetricsPageTest, CountsInBaseUnits) {
  Count(abi::Opcode::kRead, 0, 10'000);
  Count(abi::Opcode::kRead, 0, 2'000'000'000);
  Count(abi::Opcode::kLookup, ENOENT, 500);
  counters_->zero_copy_read_bytes.Add(5);
  counters_->ring_requests.Add(3);
  numbers_.cpu_s = 1.5;
  Make();
  EXPECT_TRUE(Has("shuntfs_operations_total{operation=\"READ\"} 2")) << page_;
  EXPECT_TRUE(Has("shuntfs_operation_errors_total{operation=\"LOOKUP\"} 1"));
  EXPECT_TRUE(Has("shuntfs_errors_total{errno=\"ENOENT\"} 1"));
  EXPECT_TRUE(Has("shuntfs_requests_total{transport=\"ring\"} 3"));
  EXPECT_TRUE(Has("shuntfs_read_bytes_total{path=\"zero_copy\"} 5"));
  EXPECT_TRUE(Has("shuntfs_cpu_seconds_total 1.5"));
  EXPECT_TRUE(Has("shuntfs_uptime_seconds 12.5"));
  EXPECT_TRUE(Has("shuntfs_operation_duration_seconds_count{operation=\"READ\"} 2"));
  EXPECT_TRUE(Has("shuntfs_operation_duration_seconds_sum{operation=\"READ\"} 2.00001"));
  EXPECT_EQ(CumulativeAt("READ", 8.192e-6), 0) << page_;
  EXPECT_EQ(CumulativeAt("READ", 16.384e-6), 1);
  EXPECT_EQ(CumulativeAt("READ", 1.073741824), 1);
  EXPECT_EQ(CumulativeAt("READ", 2.147483648), 2);
  EXPECT_TRUE(Has("shuntfs_operation_duration_seconds_bucket{operation=\"READ\",le=\"+Inf\"} 2"));
}

TEST_F(MetricsPageTest, ShowsTheLoad) {
  numbers_.now_ns = 5'000'000'000;
  numbers_.current = {{8, 1, 15, 4'000'000'000}, {9, 1, 15, 2'500'000'000}};
  numbers_.workers = {{3, 2, 16, 1, 8}};
  numbers_.slow_pool = {4, 3, 7};
  Make();
  EXPECT_TRUE(Has("shuntfs_oldest_request_seconds 2.5")) << page_;
  EXPECT_TRUE(Has("shuntfs_current_requests 2"));
  EXPECT_TRUE(Has("shuntfs_worker_requests{cpu=\"3\"} 2"));
  EXPECT_TRUE(Has("shuntfs_worker_slices_used{cpu=\"3\"} 1"));
  EXPECT_TRUE(Has("shuntfs_slow_pool_threads{state=\"busy\"} 3"));
  EXPECT_TRUE(Has("shuntfs_slow_pool_waiting_requests 7"));
}

TEST_F(MetricsPageTest, NothingToShowIsShownAsZero) {
  Make();
  EXPECT_TRUE(Has("shuntfs_current_requests 0"));
  EXPECT_TRUE(Has("shuntfs_oldest_request_seconds 0"));
  EXPECT_EQ(page_.find("nan"), std::string::npos);
}

TEST_F(MetricsPageTest, StrangePathsAreEscapedTwice) {
  Make();
  // As text of ours first (control characters, no UTF-8), as a label then.
  EXPECT_NE(page_.find(R"(source="/s\\012\"\\\\\\377")"), std::string::npos) << page_;
}

}  // namespace
}  // namespace shuntfs
