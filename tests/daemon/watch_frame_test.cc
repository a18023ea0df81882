#include "daemon/watch_frame.h"

#include <gtest/gtest.h>

#include <string>

#include "daemon/printable.h"

namespace shuntfs {
namespace {

constexpr FrameSize kLarge{100, 200};

JsonValue Parsed(const std::string& text) {
  const std::optional<JsonValue> value = ParseJson(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(JsonValue());
}

JsonValue Earlier() {
  return Parsed(R"({"source": "/src", "mountpoint": "/mnt", "pid": 7, "uptime_s": 10.0,
    "data_path": "per-entry",
    "operations": {"READ": {"count": 100, "errors": 0}, "LOOKUP": {"count": 900, "errors": 3}},
    "io": {"fixed_read_bytes": 1000, "plain_write_bytes": 0},
    "errors": {"ENOENT": 3},
    "latency_buckets": {"READ": {"1024": 100}, "LOOKUP": {"2048": 900}},
    "process": {"cpu_s": 1.0}})");
}

JsonValue Later() {
  return Parsed(R"({"source": "/src", "mountpoint": "/mnt", "pid": 7, "uptime_s": 12.0,
    "data_path": "per-entry",
    "operations": {"READ": {"count": 300, "errors": 0}, "LOOKUP": {"count": 900, "errors": 3},
                   "OPEN": {"count": 2, "errors": 2}},
    "io": {"fixed_read_bytes": 4001000, "plain_write_bytes": 500},
    "errors": {"ENOENT": 3, "EACCES": 2},
    "latency": {"READ": {"p50_us": 1, "p99_us": 1, "max_us": 2500.0},
                "LOOKUP": {"p50_us": 1, "p99_us": 1, "max_us": 90.0}},
    "latency_buckets": {"READ": {"1024": 100, "16384": 150, "1048576": 50},
                        "LOOKUP": {"2048": 900}},
    "load": {"workers": [{"cpu": 0, "in_flight": 3, "entries": 16, "slices_used": 2, "slices": 8},
                         {"cpu": 1, "in_flight": 0, "entries": 16, "slices_used": 0, "slices": 0}],
             "slow_pool": {"threads": 2, "busy": 1, "waiting": 4}, "current": 3,
             "slowest": [{"operation": "FSYNC", "nodeid": 9, "unique": 80, "age_us": 1250000.0},
                         {"operation": "READ", "nodeid": 3, "unique": 82, "age_us": 20.0}]},
    "process": {"cpu_s": 1.5}})");
}

std::string LineOf(const std::vector<std::string>& frame, const std::string& begin) {
  for (const std::string& line : frame) {
    if (line.starts_with(begin)) return line;
  }
  return "no line begins with " + begin;
}

// The line's words, with one space between them.
std::string Words(const std::string& line) {
  std::string words;
  for (const char c : line) {
    if (c != ' ' || (!words.empty() && words.back() != ' ')) words += c;
  }
  return words;
}

TEST(WatchFrame, ShowsTheRatesBetweenTwoDocuments) {
  const std::vector<std::string> frame = WatchFrame(Earlier(), Later(), kLarge);
  EXPECT_EQ(frame[0], "/mnt  (/src)  per-entry  pid 7  up 0:00:12");
  EXPECT_EQ(frame[1], "read 2.00 MB/s  write 250 B/s  101 op/s  1 errors/s  CPU 25%  in work 3");
  EXPECT_EQ(Words(LineOf(frame, "READ ")), "READ 100 0 18 us 1.18 ms 2.5 ms");
  EXPECT_EQ(Words(LineOf(frame, "OPEN ")), "OPEN 1 1 - - 0 us");
  EXPECT_EQ(Words(LineOf(frame, "LOOKUP ")), "LOOKUP 0 0 - - 90 us");
  EXPECT_EQ(LineOf(frame, "QUEUES"),
            "QUEUES  cpu 0: 3/16 pool 2/8  cpu 1: 0/16  slow pool: 1/2, 4 waiting");
  EXPECT_EQ(LineOf(frame, "ERRORS"), "ERRORS  EACCES 2 (1/s)  ENOENT 3");
  EXPECT_EQ(Words(LineOf(frame, "SLOWEST")), "SLOWEST FSYNC inode 9 request 80 for 1.25 s");
  EXPECT_EQ(Words(frame.back()), "READ inode 3 request 82 for 20 us");
}

TEST(WatchFrame, TheBusiestOperationComesFirst) {
  const std::vector<std::string> frame = WatchFrame(Earlier(), Later(), kLarge);
  EXPECT_TRUE(frame[2].starts_with("OPERATION"));
  EXPECT_TRUE(frame[3].starts_with("READ"));
  EXPECT_TRUE(frame[4].starts_with("OPEN"));
  EXPECT_TRUE(frame[5].starts_with("LOOKUP"));
}

TEST(WatchFrame, NoPercentileIsAboveTheMaximum) {
  const JsonValue document = Parsed(R"({"uptime_s": 1.0, "operations": {"READ": {"count": 1}},
    "latency": {"READ": {"max_us": 1031.0}}, "latency_buckets": {"READ": {"1048576": 1}}})");
  EXPECT_EQ(Words(LineOf(WatchFrame(JsonValue(), document, kLarge), "READ ")),
            "READ 1 0 1.03 ms 1.03 ms 1.03 ms");
}

TEST(WatchFrame, TheFirstFrameIsOfTheWholeLife) {
  const std::vector<std::string> frame = WatchFrame(JsonValue(), Earlier(), kLarge);
  EXPECT_EQ(frame[1], "read 100 B/s  write 0 B/s  100 op/s  0.30 errors/s  CPU 10%  in work ");
  EXPECT_EQ(Words(LineOf(frame, "LOOKUP ")), "LOOKUP 90 0.30 2 us 2 us 0 us");
}

TEST(WatchFrame, FitsIntoEveryWindow) {
  for (size_t rows = 0; rows < 15; ++rows) {
    for (const size_t columns : {0u, 1u, 7u, 40u, 120u}) {
      const std::vector<std::string> frame = WatchFrame(Earlier(), Later(), {rows, columns});
      EXPECT_LE(frame.size(), rows);
      for (const std::string& line : frame) EXPECT_LE(line.size(), columns);
    }
  }
  // The quietest operation gave way to what is below.
  const std::vector<std::string> frame = WatchFrame(Earlier(), Later(), {10, 80});
  EXPECT_EQ(frame.size(), 10u);
  EXPECT_EQ(LineOf(frame, "SLOWEST").substr(0, 7), "SLOWEST");
}

TEST(WatchFrame, TakesAnyDocument) {
  EXPECT_FALSE(WatchFrame(JsonValue(), JsonValue(), kLarge).empty());
  EXPECT_FALSE(WatchFrame(Later(), Earlier(), kLarge).empty()) << "a clock that goes back";
  const JsonValue odd = Parsed(R"({"operations": [1, 2], "load": 3, "uptime_s": "x"})");
  EXPECT_FALSE(WatchFrame(odd, odd, kLarge).empty());
}

TEST(WatchFrame, NamesCannotMoveTheCursor) {
  JsonValue document = Parsed(R"({"mountpoint": "/m\u001b[2J\u009bx", "source": "/s\nQUEUES"})");
  const std::vector<std::string> frame = WatchFrame(JsonValue(), document, kLarge);
  EXPECT_TRUE(frame[0].starts_with("/m\\033[2J\\302\\233x  (/s\\012QUEUES)")) << frame[0];
}

TEST(Printable, KeepsTextAndEscapesTheRest) {
  EXPECT_EQ(Printable("name \xC3\xA4.txt"), "name \xC3\xA4.txt");
  EXPECT_EQ(Printable("a\\b\t\x7F"), "a\\\\b\\011\\177");
  EXPECT_EQ(Printable("\xFF\xC3"), "\\377\\303");
  EXPECT_EQ(Printable(std::string_view("\0x", 2)), "\\000x");
}

TEST(FirstColumns, CountsCharacters) {
  EXPECT_EQ(FirstColumns("\xC3\xA4\xC3\xB6x", 2), "\xC3\xA4\xC3\xB6");
  EXPECT_EQ(FirstColumns("ab", 5), "ab");
  EXPECT_EQ(FirstColumns("ab", 0), "");
}

}  // namespace
}  // namespace shuntfs
