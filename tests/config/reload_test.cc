#include "config/reload.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace shuntfs {
namespace {

using Lines = std::vector<std::string>;

class ReloadTest : public testing::Test {
 protected:
  ReloadTest() {
    std::string pattern = testing::TempDir() + "/reload.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    sources_.file = folder_ + "/a.toml";
  }
  ~ReloadTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text) const { std::ofstream(sources_.file) << text; }

  Reloader Start() const {
    const LoadedConfig loaded = LoadConfig(sources_);
    EXPECT_TRUE(ToStatus(loaded.mistakes).ok()) << ToStatus(loaded.mistakes);
    return {sources_, loaded.configuration};
  }

  std::string folder_;
  ConfigSources sources_;
};

TEST_F(ReloadTest, TakesWhatCanChangeAndListsTheRest) {
  Write("attr_timeout = 5\nworkers = 1\nlog_level = 3\n");
  Reloader reloader = Start();
  EXPECT_EQ(reloader.Reload()->ToString(), "nothing changed\n");
  Write("attr_timeout = 7\nworkers = 2\n");
  const absl::StatusOr<ReloadReport> report = reloader.Reload();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->applied, (Lines{"attr_timeout: 5 -> 7", "log_level: 3 -> 2"}));
  EXPECT_EQ(report->needs_remount, Lines{"workers: 1 -> 2"});
  EXPECT_DOUBLE_EQ(reloader.options().attr_timeout_s, 7);
  EXPECT_EQ(reloader.options().log_level, 2) << "the default, since the file no longer says it";
  EXPECT_EQ(reloader.options().workers, 1u) << "what runs, not what is wished for";
  EXPECT_EQ(reloader.Reload()->ToString(), "needs a remount: workers: 1 -> 2\n");
}

TEST_F(ReloadTest, ANewlineInAValueForgesNoLine) {
  Write("fsname = \"a\"\n");
  Reloader reloader = Start();
  Write("fsname = \"b\\napplied: ro: off -> on\"\n");
  EXPECT_EQ(reloader.Reload()->ToString(),
            "needs a remount: fsname: a -> b\\012applied: ro: off -> on\n");
}

TEST_F(ReloadTest, AMistakeChangesNothing) {
  Write("attr_timeout = 5\n");
  Reloader reloader = Start();
  Write("attr_timeout = 7\nentry_timeout = true\n");
  EXPECT_EQ(reloader.Reload().status().message(),
            sources_.file +
                ":2: entry_timeout: is true or false; it takes seconds, as a decimal "
                "number, from 0 to 31536000 seconds, without quotes");
  EXPECT_DOUBLE_EQ(reloader.options().attr_timeout_s, 5);
  std::filesystem::remove(sources_.file);
  EXPECT_FALSE(reloader.Reload().ok());
  EXPECT_DOUBLE_EQ(reloader.options().attr_timeout_s, 5);
  Write("attr_timeout = 7\n");
  EXPECT_EQ(reloader.Reload()->applied, Lines{"attr_timeout: 5 -> 7"});
}

TEST_F(ReloadTest, WhatTheCommandLineSaidStillWins) {
  Write("attr_timeout = 5\n");
  ASSERT_TRUE(ParseOptionList("attr_timeout=6", &sources_.list).ok());
  Reloader reloader = Start();
  Write("attr_timeout = 7\ncache = \"none\"\n");
  EXPECT_EQ(reloader.Reload()->applied, Lines{"entry_timeout: 1 -> 0"});
  EXPECT_DOUBLE_EQ(reloader.options().attr_timeout_s, 6);
}

TEST_F(ReloadTest, WithoutAFileItSaysSo) {
  sources_.file = "";
  Reloader reloader = Start();
  EXPECT_NE(reloader.Reload().status().message().find("without a configuration file"),
            std::string::npos);
}

// The default of what can be reloaded is a value, since a file can stop saying anything about it.
TEST_F(ReloadTest, ReloadableDefaultsAreValues) {
  for (const OptionSpec& spec : OptionTable()) {
    if (!spec.reloadable) continue;
    EXPECT_TRUE(ReadOptionValue(spec, std::string(spec.default_text)).ok()) << spec.name;
  }
}

}  // namespace
}  // namespace shuntfs
