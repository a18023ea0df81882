#include "daemon/log_target.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "core/base/unique_fd.h"
#include "daemon/log_file.h"
#include "daemon/log_stream.h"

namespace shuntfs {
namespace {

const LogLine kLine{LOG_WARNING, "io/ring_worker.cc", 36, "a text"};
constexpr char kStamp[] = R"(W[0-9]{8} [0-9:]{8}\.[0-9]{6} [0-9]+ ring_worker\.cc:36\] a text)";

std::string Choice(const std::string& wanted, const LogSurroundings& surroundings) {
  const absl::StatusOr<std::string> name = ChooseLogTarget(wanted, surroundings);
  return name.ok() ? *name : "error: " + std::string(name.status().message());
}

TEST(LogTarget, AutoTakesTheJournalWhereItIsOneAndNobodyElseLooks) {
  constexpr bool kForeground = true;
  constexpr bool kBackground = false;
  EXPECT_EQ(Choice("auto", {kForeground, true, true}), "journal");
  EXPECT_EQ(Choice("auto", {kForeground, false, true}), "stderr");
  EXPECT_EQ(Choice("auto", {kForeground, true, false}), "stderr");
  EXPECT_EQ(Choice("auto", {kBackground, false, true}), "journal");
  EXPECT_EQ(Choice("auto", {kBackground, true, false}), "syslog");
}

TEST(LogTarget, WhatIsNamedIsTakenOrRefused) {
  EXPECT_EQ(Choice("journal", {true, false, true}), "journal");
  EXPECT_EQ(Choice("syslog", {true, true, true, true}), "syslog");
  EXPECT_EQ(Choice("stderr", {true, true, true}), "stderr");
  EXPECT_EQ(Choice("/a/file", {false, true, true}), "/a/file");
  EXPECT_NE(Choice("journal", {true, true, false}).find("nobody listens at /run/systemd/journal"),
            std::string::npos);
  EXPECT_NE(Choice("syslog", {true, true, true, false}).find("nobody listens at /dev/log"),
            std::string::npos);
  EXPECT_NE(Choice("stderr", {false, false, true}).find("mount with -f"), std::string::npos);
}

TEST(LogTarget, KnowsWhetherStderrIsTheJournal) {
  struct stat st {};
  ASSERT_EQ(fstat(STDERR_FILENO, &st), 0);
  const std::string named = std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino);
  setenv("JOURNAL_STREAM", named.c_str(), 1);
  EXPECT_TRUE(LookAround(true).stderr_is_journal);
  setenv("JOURNAL_STREAM", (named + "1").c_str(), 1);
  EXPECT_FALSE(LookAround(true).stderr_is_journal);
  unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(LookAround(true).stderr_is_journal);
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  // What is there now.
  std::string Read() {
    std::array<char, 1 << 16> buffer;
    const ssize_t count = read(reader.get(), buffer.data(), buffer.size());
    return {buffer.data(), count > 0 ? static_cast<size_t>(count) : 0};
  }
  UniqueFd reader;
  UniqueFd writer;
};

TEST(LogStream, HasTheStylesOfPeopleAndOfTheJournal) {
  Pipe pipe;
  LogStream people(pipe.writer.get(), LogStream::Style::kStamp);
  EXPECT_EQ(people.Write(kLine), 0);
  const std::string text = pipe.Read();
  EXPECT_TRUE(std::regex_match(text, std::regex(std::string(kStamp) + "\n"))) << text;
  LogStream journal(pipe.writer.get(), LogStream::Style::kPriority);
  EXPECT_EQ(journal.Write(kLine), 0);
  EXPECT_EQ(pipe.Read(), "<4>a text\n");
}

TEST(LogStream, AFullPipeLosesLinesAndHoldsNobodyUp) {
  Pipe pipe;
  LogStream stream(pipe.writer.get(), LogStream::Style::kPriority);
  int written = 0;
  while (stream.Write(kLine) == 0) ++written;
  EXPECT_EQ(stream.Write(kLine), EAGAIN);
  EXPECT_GT(written, 0);
  for (std::string text; written > 0;) {
    text = pipe.Read();
    written -= static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    EXPECT_EQ(text.back(), '\n');
  }
  EXPECT_EQ(stream.Write(kLine), 0);
  EXPECT_EQ(pipe.Read(), "<4>a text\n");
}

TEST(LogStream, ALineAfterATornOneStandsAlone) {
  const std::string path = std::string(getenv("TEST_TMPDIR")) + "/torn";
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  LogStream stream(fd.get(), LogStream::Style::kPriority);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4, before.rlim_max};  // As a disk that has room for four bytes.
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const int error = stream.Write(kLine);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(error, EFBIG);
  EXPECT_EQ(stream.Write(kLine), 0);
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  EXPECT_EQ(content.str(), "<4>a\n<4>a text\n");
}

class LogFileTest : public ::testing::Test {
 protected:
  LogFileTest() {
    std::string base = std::string(getenv("TEST_TMPDIR")) + "/log.XXXXXX";
    base_ = mkdtemp(base.data());
    path_ = base_ + "/log";
  }
  std::string Error(const std::string& path) {
    const auto file = LogFile::Open(path, base_ + "/mnt");
    return file.ok() ? "" : std::string(file.status().message());
  }
  static std::string Content(const std::string& path) {
    std::stringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
  }

  std::string base_;
  std::string path_;
};

TEST_F(LogFileTest, IsAppendedToAndOpenedAnew) {
  std::ofstream(path_) << "before\n";
  const auto file = LogFile::Open(path_, base_ + "/mnt");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Write(kLine), 0);
  EXPECT_TRUE(std::regex_match(Content(path_), std::regex("before\n" + std::string(kStamp) + "\n")))
      << Content(path_);
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  const std::string rotated = Content(path_ + ".1");
  ASSERT_TRUE((*file)->Reopen().ok());
  EXPECT_EQ((*file)->Write(kLine), 0);
  EXPECT_EQ(Content(path_ + ".1"), rotated);
  EXPECT_TRUE(std::regex_match(Content(path_), std::regex(std::string(kStamp) + "\n")));
}

TEST_F(LogFileTest, StaysWhenItCannotBeOpenedAnew) {
  const auto file = LogFile::Open(path_, base_ + "/mnt");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE((*file)->Reopen().ok());
  EXPECT_EQ((*file)->Write(kLine), 0);
  EXPECT_TRUE(std::regex_match(Content(path_ + ".1"), std::regex(std::string(kStamp) + "\n")));
}

TEST_F(LogFileTest, RefusesWhatIsNoFileToLogTo) {
  EXPECT_NE(Error(base_ + "/missing/log").find("make the directory"), std::string::npos);
  EXPECT_NE(Error(base_).find(base_), std::string::npos);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(Error(path_).find("it is a pipe"), std::string::npos);
  const UniqueFd reader(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_NE(Error(path_).find("it is a pipe"), std::string::npos) << "a pipe with a reader";
}

TEST_F(LogFileTest, RefusesAFileBelowTheMount) {
  ASSERT_EQ(mkdir((base_ + "/mnt").c_str(), 0700), 0);
  ASSERT_EQ(symlink("mnt", (base_ + "/link").c_str()), 0);
  EXPECT_NE(Error(base_ + "/mnt/log").find("on the mount"), std::string::npos);
  EXPECT_NE(Error(base_ + "/mnt/deep/log").find("on the mount"), std::string::npos);
  EXPECT_NE(Error(base_ + "/link/log").find("on the mount"), std::string::npos);
  EXPECT_EQ(Error(base_ + "/mnt2"), "");
}

TEST_F(LogFileTest, AFullDiskIsAnErrorOfTheLine) {
  const auto file = LogFile::Open("/dev/full", base_ + "/mnt");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Write(kLine), ENOSPC);
}

}  // namespace
}  // namespace shuntfs
