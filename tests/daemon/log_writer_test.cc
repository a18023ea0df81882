#include "daemon/log_writer.h"

#include <gtest/gtest.h>
#include <syslog.h>

#include <cerrno>
#include <string>
#include <vector>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

struct Taken {
  std::vector<LogLine> lines;
  int refuse_with = 0;
};

class FakeTarget : public LogTarget {
 public:
  explicit FakeTarget(Taken* taken) : taken_(taken) {}
  int Write(const LogLine& line) override {
    if (taken_->refuse_with != 0) return taken_->refuse_with;
    taken_->lines.push_back(line);
    return 0;
  }

 private:
  Taken* taken_;
};

class LogWriterTest : public ::testing::Test {
 protected:
  void Log(std::string_view text, int priority = LOG_WARNING) {
    writer_.Write(priority, "daemon/a.cc", 7, text, now_);
  }
  std::string Last() { return taken_.lines.empty() ? "" : taken_.lines.back().text; }

  Taken taken_;
  LogWriter writer_{std::make_unique<FakeTarget>(&taken_)};
  LogWriter::Clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(LogWriterTest, NobodyForgesALineOrMovesTheCursor) {
  Log("a name\nE20261128 20:03:33.1 1 x.cc:1] forged");
  EXPECT_EQ(Last(), "a name\\012E20261128 20:03:33.1 1 x.cc:1] forged");
  Log("\x1b]0;title\x07\x1b[2J\r");
  EXPECT_EQ(Last(), "\\033]0;title\\007\\033[2J\\015");
  Log("\x9b"
      "31m \xc2\x9b"
      "31m \xff \xed\xa0\x80");
  EXPECT_EQ(Last(), "\\23331m \\302\\23331m \\377 \\355\\240\\200");
  Log("a backslash\\012 is one");
  EXPECT_EQ(Last(), "a backslash\\\\012 is one");
  Log("Grüße, 日本");
  EXPECT_EQ(Last(), "Grüße, 日本");
  EXPECT_EQ(taken_.lines.size(), 5u);
}

TEST_F(LogWriterTest, KeepsWhereAndHowBad) {
  Log("text", LOG_ERR);
  ASSERT_EQ(taken_.lines.size(), 1u);
  EXPECT_EQ(taken_.lines[0].priority, LOG_ERR);
  EXPECT_EQ(taken_.lines[0].Place(), "a.cc:7");
}

TEST_F(LogWriterTest, ALineHasAnEnd) {
  std::string text;
  for (size_t i = 0; i < kMaxLogBytes; ++i) text += "ü";
  Log(text);
  EXPECT_EQ(Last(), text.substr(0, kMaxLogBytes) + "...");
  Log("x" + text);
  EXPECT_EQ(Last(), ("x" + text).substr(0, kMaxLogBytes - 1) + "...");
}

TEST_F(LogWriterTest, RepetitionsAreHeldBackAndCounted) {
  for (int i = 0; i < kLogLinesPerPlace + 25; ++i) Log("again");
  ASSERT_EQ(taken_.lines.size(), size_t{kLogLinesPerPlace});
  EXPECT_EQ(Last(), "again (more of these within 30 s are held back)");
  EXPECT_EQ(writer_.counts().held_back, 25u);
  now_ += std::chrono::seconds(kLogIntervalSec);
  writer_.Write(LOG_INFO, "daemon/b.cc", 1, "another", now_);
  ASSERT_EQ(taken_.lines.size(), size_t{kLogLinesPerPlace} + 2);
  EXPECT_EQ(taken_.lines[kLogLinesPerPlace].text, "25 more lines of a.cc:7 were held back");
  EXPECT_EQ(Last(), "another");
}

TEST_F(LogWriterTest, TheEndTellsWhatWasHeldBack) {
  for (int i = 0; i < kLogLinesPerPlace + 3; ++i) Log("again");
  writer_.TellHeldBack();
  EXPECT_EQ(Last(), "3 more lines of a.cc:7 were held back");
}

TEST_F(LogWriterTest, ACrashIsNeverHeldBack) {
  for (int i = 0; i < 3 * kLogLinesPerPlace; ++i) Log("Check failed", LOG_CRIT);
  EXPECT_EQ(taken_.lines.size(), size_t{3 * kLogLinesPerPlace});
}

TEST_F(LogWriterTest, LostLinesAreCountedAndToldWhenThereIsRoom) {
  taken_.refuse_with = ENOSPC;
  for (int i = 0; i < 3; ++i) Log("lost");
  EXPECT_EQ(writer_.counts().lost, 3u);
  taken_.refuse_with = 0;
  Log("there is room");
  ASSERT_EQ(taken_.lines.size(), 2u);
  EXPECT_EQ(taken_.lines[0].text, "3 lines before this one were lost");
  EXPECT_EQ(Last(), "there is room");
  Log("and no more of that");
  EXPECT_EQ(taken_.lines.size(), 3u);
}

}  // namespace
}  // namespace shuntfs
