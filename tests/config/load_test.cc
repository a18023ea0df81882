#include "config/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/config_file.h"

namespace shuntfs {
namespace {

class LoadTest : public testing::Test {
 protected:
  LoadTest() {
    std::string pattern = testing::TempDir() + "/load.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~LoadTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << text;
    chmod(Path(name).c_str(), 0644);
    return Path(name);
  }

  static LoadedConfig Load(const std::string& file, bool for_root = false) {
    ConfigSources sources;
    sources.file = file;
    sources.for_root = for_root;
    return LoadConfig(sources);
  }

  // The mistakes in a file with this text, without the folder.
  std::vector<std::string> MistakesIn(const std::string& text) const {
    std::vector<std::string> lines;
    for (Mistake mistake : Load(Write("a.toml", text)).mistakes) {
      mistake.file = "a.toml";
      lines.push_back(mistake.ToString());
    }
    return lines;
  }

  // The one mistake there is.
  std::string MistakeIn(const std::string& text) const {
    const std::vector<std::string> all = MistakesIn(text);
    EXPECT_EQ(all.size(), 1u) << text << ": " << testing::PrintToString(all);
    return all.empty() ? "" : all[0];
  }

  std::string MistakeOf(const std::string& file, bool for_root = false) const {
    const LoadedConfig loaded = Load(file, for_root);
    EXPECT_EQ(loaded.mistakes.size(), 1u);
    return loaded.mistakes.empty() ? "" : loaded.mistakes[0].ToString();
  }

  std::string folder_;
};

TEST_F(LoadTest, AZeroByteThatIsWrittenAsAnEscapeIsRefused) {
  EXPECT_EQ(MistakeIn("source = \"/srv\\u0000/data\"\n"),
            "a.toml:1: source: contains a zero byte; leave it out");
}

// The search for an earlier line with the same key goes through the file once. When it began anew
// for each line, this took minutes.
TEST_F(LoadTest, AMistakeBehindAMillionLinesIsFound) {
  const std::string found = MistakeIn(std::string(1'000'000, '\n') + "x x\n");
  EXPECT_TRUE(found.starts_with("a.toml:1000001: is not TOML: ")) << found;
}

TEST_F(LoadTest, EveryKindOfValue) {
  const LoadedConfig loaded = Load(Write("a.toml", R"(# A comment.
source = "/srv/data"
ro = true
entry_timeout = 2.5
attr_timeout = 3
memory_budget = "128M"
max_write = 65536
workers = 2
data_path = "device"
fsname = "a,b\\c"
)"));
  EXPECT_TRUE(ToStatus(loaded.mistakes).ok()) << ToStatus(loaded.mistakes);
  const Options options = loaded.configuration.ToOptions();
  EXPECT_EQ(options.source, "/srv/data");
  EXPECT_TRUE(options.read_only);
  EXPECT_DOUBLE_EQ(options.entry_timeout_s, 2.5);
  EXPECT_DOUBLE_EQ(options.attr_timeout_s, 3);
  EXPECT_EQ(options.memory_budget_bytes, uint64_t{128} << 20);
  EXPECT_EQ(options.max_write_bytes, 65536u);
  EXPECT_EQ(options.workers, 2u);
  EXPECT_EQ(options.data_path, "device");
  EXPECT_EQ(options.fsname, "a,b\\c");
  EXPECT_EQ(loaded.configuration.Find("entry_timeout")->origin.ToString(), Path("a.toml") + ":4");
}

TEST_F(LoadTest, FlagBeforeListBeforeDropInBeforeFileBeforeDefault) {
  ConfigSources sources;
  sources.file =
      Write("a.toml", "workers = 1\ndevice_threads = 1\nlog_level = 1\nmax_write = 4096\n");
  Write("a.toml.d/20.toml", "workers = 3\n");
  Write("a.toml.d/10.toml", "\nworkers = 2\ndevice_threads = 2\nlog_level = 3\n");
  Write("a.toml.d/.30.toml", "workers = 4\n");
  Write("a.toml.d/README", "not TOML\n");
  ASSERT_TRUE(ParseOptionList("log_level=4,stop_timeout=4", &sources.list).ok());
  ASSERT_TRUE(ParseOptionList("stop_timeout=5", &sources.flags).ok());
  const LoadedConfig loaded = LoadConfig(sources);
  ASSERT_TRUE(ToStatus(loaded.mistakes).ok()) << ToStatus(loaded.mistakes);
  const Options options = loaded.configuration.ToOptions();
  EXPECT_EQ(options.workers, 3u);
  EXPECT_EQ(options.device_threads, 2u);
  EXPECT_EQ(options.log_level, 4);
  EXPECT_DOUBLE_EQ(options.stop_timeout_s, 5);
  EXPECT_EQ(options.max_write_bytes, 4096u);
  EXPECT_EQ(loaded.configuration.Find("device_threads")->origin.ToString(),
            Path("a.toml.d/10.toml") + ":3");
  EXPECT_EQ(loaded.configuration.Find("attr_timeout"), nullptr);
}

TEST_F(LoadTest, EveryMistakeIsTold) {
  EXPECT_EQ(MistakesIn("ro = 1\n"
                       "entry_timout = 3\n"
                       "memory_budget = \"1Q\"\n"
                       "workers = = 3\n"
                       "\n"
                       "workers = 5000\n"),
            (std::vector<std::string>{
                "a.toml:1: ro: is a number; it takes true or false",
                "a.toml:2: entry_timout: unknown key \"entry_timout\"; did you mean "
                "\"entry_timeout\"?",
                "a.toml:3: memory_budget: is \"1Q\"; it takes a number of bytes, with an optional "
                "K, M or G, from 1M to 256G",
                MistakesIn("\n\n\nworkers = = 3\n").at(0),
                "a.toml:6: workers: is 5000; allowed is from 0 to 4096"}));
}

TEST_F(LoadTest, WrongTypesAreNamed) {
  EXPECT_NE(MistakeIn("workers = \"2\"").find("is a string; it takes a whole number"),
            std::string::npos);
  EXPECT_NE(MistakeIn("workers = 1.5").find("is a number; it takes a whole number"),
            std::string::npos);
  EXPECT_NE(MistakeIn("workers = -1").find("is \"-1\"; it takes a whole number"),
            std::string::npos);
  EXPECT_NE(MistakeIn("attr_timeout = \"1s\"").find("is a string; it takes seconds"),
            std::string::npos);
  EXPECT_NE(MistakeIn("attr_timeout = inf").find("it takes seconds"), std::string::npos);
  EXPECT_NE(MistakeIn("data_path = [\"device\"]").find("is a list; it takes auto, "),
            std::string::npos);
  EXPECT_NE(MistakeIn("ro = \"yes\"").find("is a string; it takes true or false"),
            std::string::npos);
  EXPECT_NE(MistakeIn("fsname = 2026-01-01").find("is a date or time"), std::string::npos);
  EXPECT_NE(MistakeIn("fsname = \"\"").find("needs a value"), std::string::npos);
  EXPECT_NE(MistakeIn("source = \"data\"").find("begins with /"), std::string::npos);
}

TEST_F(LoadTest, KeysThatAreNoneAreRefused) {
  EXPECT_NE(MistakeIn("[mount]\nro = true").find("unknown section \"mount\""), std::string::npos);
  EXPECT_NE(MistakeIn("rw = true").find("write ro = false"), std::string::npos);
  EXPECT_NE(MistakeIn("nofail = true").find("no meaning in the file"), std::string::npos);
  EXPECT_NE(MistakeIn("config = \"/a\"").find("no meaning in the file"), std::string::npos);
  EXPECT_NE(MistakeIn("subtype = \"x\"").find("cannot be set"), std::string::npos);
}

TEST_F(LoadTest, AKeyThatIsThereTwiceNamesBothLines) {
  EXPECT_EQ(MistakeIn("ro = true\n\nworkers = 2\nro = false\n"),
            "a.toml:4: ro: is given twice, the first time in line 1; leave out one of them");
}

TEST_F(LoadTest, ConflictsAreToldWhereTheyAre) {
  EXPECT_EQ(MistakeIn("allow_other = true\nallow_root = true\n"),
            "a.toml:2: allow_root: contradicts \"allow_other\"; give one of them");
  EXPECT_NE(MistakeIn("\nmemory_budget = \"1M\"\nmax_write = \"1M\"\nwriteback = true\n"
                      "data_path = \"kernel\"")
                .find("a.toml:4: writeback: contradicts the data path kernel"),
            std::string::npos);
  ConfigSources sources;
  ASSERT_TRUE(ParseOptionList("allow_other,allow_root", &sources.list).ok());
  EXPECT_EQ(ToStatus(LoadConfig(sources).mistakes).message(),
            "option \"allow_root\" contradicts \"allow_other\"; give one of them");
}

TEST_F(LoadTest, TheThresholdHasToBeReachable) {
  EXPECT_NE(MistakeIn("max_background = 5\ncongestion_threshold = 6").find("never be reached"),
            std::string::npos);
}

TEST_F(LoadTest, BytesThatAreNotTextAreRefused) {
  EXPECT_EQ(MistakeIn(std::string("ro = true\n# \0\n", 14)),
            "a.toml:2: has a byte that is not text; save the file as UTF-8");
  for (const char* bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_NE(MistakeIn(std::string("\n\n# ") + bad + "\n").find("a.toml:3: has a byte"),
              std::string::npos);
  }
  EXPECT_TRUE(MistakesIn("fsname = \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"").empty());
}

TEST_F(LoadTest, TheHopelessIsToldInBoundedLength) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "this is prose\n";
  EXPECT_EQ(MistakesIn(text).size(), 20u);
}

// The parser recurses once a level. A reload parses in the daemon of a live mount.
TEST_F(LoadTest, DeepNestingIsRefusedBeforeItIsParsed) {
  std::string dots;
  for (int i = 0; i < 100'000; ++i) dots += "a.";
  const std::string brackets(100'000, '[');
  for (const std::string& deep : {dots + "a = 1", "[" + dots + "a]", "\"x\"." + dots + "a = 1",
                                  "a = {" + dots + "a = 1}", "a = " + brackets, brackets}) {
    EXPECT_EQ(MistakeIn("ro = true\n" + deep + "\n"),
              "a.toml:2: has more dots and brackets than the 256 that a file may have; an option "
              "is written as NAME = VALUE")
        << deep.substr(0, 20);
  }
}

// Levels that are opened in different lines add up.
TEST_F(LoadTest, NestingOverManyLinesIsRefused) {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "[{a.a.a =\n";
  EXPECT_EQ(MistakeIn("a = \n" + lines),
            "a.toml:66: has more dots and brackets than the 256 that a file may have; an option is "
            "written as NAME = VALUE");
}

TEST_F(LoadTest, DotsInStringsAndCommentsAreNoNesting) {
  const std::string dots(1000, '.');
  const std::string text = "# " + dots + "[[[ '\n" +                             //
                           "hide = \"\\\"" + dots.substr(0, 200) + "\"\n" +      //
                           "fsname = '" + dots + "\\' # ' \"\n" +                //
                           "source = \"\"\"/" + dots + "\"\"\n\\\"\"\"\"\"\n" +  //
                           "mountpoint = '''/\n" + dots + "'''''\n" +            //
                           "ro = true\n";
  EXPECT_EQ(MistakesIn(text), std::vector<std::string>());
}

TEST_F(LoadTest, SecondsArePrintedAsTheyAreRead) {
  for (const char* seconds : {"1.23456789", "0.00001", "1234567.5", "31535999.875", "0.1"}) {
    const LoadedConfig loaded =
        Load(Write("a.toml", std::string("entry_timeout = ") + seconds + "\n"));
    EXPECT_TRUE(ToStatus(loaded.mistakes).ok()) << ToStatus(loaded.mistakes);
    ASSERT_NE(loaded.configuration.Find("entry_timeout"), nullptr);
    EXPECT_EQ(loaded.configuration.Find("entry_timeout")->value.text, seconds);
    EXPECT_EQ(loaded.configuration.ToOptions().entry_timeout_s, std::stod(seconds));
  }
}

// Each mistake is one line: a value cannot add another.
TEST_F(LoadTest, ANewlineInAValueForgesNoMistake) {
  const LoadedConfig loaded = Load(Write("a.toml", "squash = \"x\\n/etc/b.toml:1: forged\"\n"));
  const std::string told(ToStatus(loaded.mistakes).message());
  EXPECT_EQ(told.find('\n'), std::string::npos) << told;
  EXPECT_NE(told.find("x\\012/etc/b.toml:1: forged"), std::string::npos) << told;
}

TEST_F(LoadTest, WhatIsNoFileIsRefused) {
  EXPECT_EQ(MistakeOf(Path("none")), Path("none") + ": cannot be read: No such file or directory");
  EXPECT_EQ(MistakeOf(folder_), folder_ + ": is a directory, not a file");
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);  // Opening it to read would wait for ever.
  EXPECT_EQ(MistakeOf(Path("fifo")), Path("fifo") + ": is a pipe, not a file");
  EXPECT_EQ(MistakeOf("/dev/zero"), "/dev/zero: is a device, not a file");
}

TEST_F(LoadTest, LongFilesAreRefusedUnread) {
  const std::string file = Write("a.toml", "");
  ASSERT_EQ(truncate(file.c_str(), off_t{1} << 40), 0);
  EXPECT_EQ(MistakeOf(file), file + ": is longer than 1M; a configuration file is a few lines");
  const std::string comment(kMaxConfigBytes - 1, '#');
  EXPECT_TRUE(Load(Write("a.toml", comment + "\n")).mistakes.empty());
}

TEST_F(LoadTest, UnreadableFilesAreRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const std::string file = Write("a.toml", "");
  chmod(file.c_str(), 0);
  EXPECT_EQ(MistakeOf(file), file + ": cannot be read: Permission denied");
}

TEST_F(LoadTest, RootObeysNoFileThatOthersCanWrite) {
  const std::string file = Write("a.toml", "ro = true\n");
  if (geteuid() == 0) {
    EXPECT_TRUE(Load(file, /*for_root=*/true).mistakes.empty());
    for (const mode_t mode : {0664U, 0646U}) {
      chmod(file.c_str(), mode);
      EXPECT_NE(MistakeOf(file, /*for_root=*/true).find("can be written by others"),
                std::string::npos);
    }
    chmod(file.c_str(), 0644);
    Write("a.toml.d/1.toml", "");
    chmod(Path("a.toml.d").c_str(), 0777);
    EXPECT_NE(MistakeOf(file, /*for_root=*/true).find("a.toml.d: can be written by others"),
              std::string::npos);
    chmod(Path("a.toml.d").c_str(), 0755);
    ASSERT_EQ(chown(file.c_str(), 12345, 0), 0);
    EXPECT_NE(MistakeOf(file, /*for_root=*/true).find("belongs to uid 12345"), std::string::npos);
  } else {
    EXPECT_NE(MistakeOf(file, /*for_root=*/true).find("belongs to uid"), std::string::npos);
  }
  EXPECT_TRUE(Load(file, /*for_root=*/false).mistakes.empty());
}

}  // namespace
}  // namespace shuntfs
