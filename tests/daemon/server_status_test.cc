#include "daemon/server_status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "core/file_system.h"
#include "daemon/json.h"

namespace shuntfs {
namespace {

void Count(Counters& counters, abi::Opcode opcode, int error, uint64_t latency_ns) {
  Request request;
  request.header.opcode = static_cast<uint32_t>(opcode);
  FileSystem::CountReply(counters, request, Action::Error(Errno(error)), latency_ns);
}

class ServerStatusTest : public testing::Test {
 protected:
  JsonValue Document() {
    AddCounters({one_.get(), other_.get()}, &numbers_);
    const std::optional<JsonValue> document = ParseJson("{" + FormatServerStatus(numbers_) + "}");
    EXPECT_TRUE(document);
    return document.value_or(JsonValue());
  }

  std::unique_ptr<Counters> one_ = std::make_unique<Counters>();
  std::unique_ptr<Counters> other_ = std::make_unique<Counters>();
  ServerNumbers numbers_;
};

TEST_F(ServerStatusTest, AddsThreadsUpByOperation) {
  Count(*one_, abi::Opcode::kRead, 0, 10'000);
  Count(*other_, abi::Opcode::kRead, 0, 10'000);
  Count(*other_, abi::Opcode::kLookup, ENOENT, 3'000'000);
  one_->plain_read_bytes.Add(5);
  other_->plain_read_bytes.Add(6);
  const JsonValue document = Document();
  EXPECT_EQ(document.Find("operations")->Find("READ")->TextOf("count"), "2");
  EXPECT_EQ(document.Find("operations")->Find("LOOKUP")->TextOf("errors"), "1");
  EXPECT_EQ(document.Find("operations")->Find("WRITE"), nullptr);
  EXPECT_EQ(document.Find("io")->TextOf("plain_read_bytes"), "11");
  EXPECT_EQ(document.Find("latency")->Find("READ")->TextOf("max_us"), "10.0");
  EXPECT_EQ(document.Find("latency")->Find("LOOKUP")->TextOf("p99_us"), "3000.0");
  ASSERT_EQ(document.Find("latency_buckets")->Find("READ")->members.size(), 1u);
  EXPECT_EQ(document.Find("latency_buckets")->Find("READ")->members[0].second.text, "2");
}

TEST_F(ServerStatusTest, ErrorsHaveTheirNamesAndStrangeOnesShareAPlace) {
  Count(*one_, abi::Opcode::kLookup, ENOENT, 1);
  Count(*one_, abi::Opcode::kOpen, ENOENT, 1);
  Count(*one_, abi::Opcode::kOpen, 133, 1);
  Count(*one_, abi::Opcode::kOpen, 512, 1);
  Count(*one_, abi::Opcode::kOpen, 100'000, 1);
  const JsonValue document = Document();
  EXPECT_EQ(document.Find("errors")->TextOf("ENOENT"), "2");
  EXPECT_EQ(document.Find("errors")->TextOf("EHWPOISON"), "1");
  EXPECT_EQ(document.Find("errors")->TextOf("others"), "2");
  EXPECT_EQ(document.Find("errors")->members.size(), 3u);
}

TEST_F(ServerStatusTest, TheSlowestRequestsComeFirstAndAreBounded) {
  numbers_.now_ns = 1'000'000;
  for (uint64_t i = 1; i <= 20; ++i) {
    numbers_.current.push_back({i, i * 10, static_cast<uint32_t>(abi::Opcode::kFsync),
                                static_cast<int64_t>((i * 7) % 23) * 1000});
  }
  numbers_.workers = {{3, 20, 32, 4, 8}};
  numbers_.slow_pool = {5, 2, 1};
  numbers_.cpu_s = 1.25;
  const JsonValue document = Document();
  const JsonValue& load = *document.Find("load");
  EXPECT_EQ(load.TextOf("current"), "20");
  ASSERT_EQ(load.Find("slowest")->items.size(), kSlowestShown);
  const JsonValue& slowest = load.Find("slowest")->items[0];
  EXPECT_EQ(slowest.TextOf("unique"), "10") << "it began at 1 us, before all others";
  EXPECT_EQ(slowest.TextOf("nodeid"), "100");
  EXPECT_EQ(slowest.TextOf("operation"), "FSYNC");
  EXPECT_EQ(slowest.TextOf("age_us"), "999.0");
  EXPECT_EQ(load.Find("workers")->items[0].TextOf("in_flight"), "20");
  EXPECT_EQ(load.Find("workers")->items[0].TextOf("slices_used"), "4");
  EXPECT_EQ(load.Find("slow_pool")->TextOf("busy"), "2");
  EXPECT_EQ(document.Find("process")->TextOf("cpu_s"), "1.250");
}

}  // namespace
}  // namespace shuntfs
