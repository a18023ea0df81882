#include "config/flags.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace shuntfs {
namespace {

using Arguments = std::vector<std::string>;

CommandLine Parsed(const Arguments& arguments) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  EXPECT_TRUE(line.ok()) << line.status().ToString();
  return line.ok() ? *line : CommandLine();
}

std::string ErrorOf(const Arguments& arguments) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(line.status().message());
}

TEST(CommandLine, MountWithEveryFlag) {
  const CommandLine line =
      Parsed({"mount", "-f", "-o", "ro,workers=2", "--data-path=device", "/src", "/mnt"});
  EXPECT_EQ(line.command, Command::kMount);
  EXPECT_TRUE(line.foreground);
  EXPECT_EQ(line.options.data_path, "device");
  EXPECT_TRUE(line.options.read_only);
  EXPECT_EQ(line.options.workers, 2u);
  EXPECT_EQ(line.operands, (Arguments{"/src", "/mnt"}));
}

TEST(CommandLine, FlagsMayFollowOperandsAndOptionsAddUp) {
  const CommandLine line = Parsed(
      {"mount", "a", "b", "-oro", "-fo", "nosuid", "--options=nodev", "--data-path", "per-entry"});
  EXPECT_TRUE(line.foreground);
  EXPECT_TRUE(line.options.read_only && line.options.nosuid.value_or(false) && line.options.nodev);
  EXPECT_EQ(line.options.data_path, "per-entry");
  EXPECT_EQ(line.operands, (Arguments{"a", "b"}));
}

TEST(CommandLine, DoubleDashEndsFlags) {
  EXPECT_EQ(Parsed({"mount", "--", "-f", "-o"}).operands, (Arguments{"-f", "-o"}));
  EXPECT_EQ(Parsed({"umount", "-"}).operands, (Arguments{"-"}));
}

TEST(CommandLine, UmountTakesItsMountpointFromAFileTooWhateverElseIsWrongInIt) {
  const std::string file = std::string(getenv("TEST_TMPDIR")) + "/umount.toml";
  std::ofstream(file) << "mountpoint = \"/mnt/data\"\nworkers = \"many\"\n";
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_write | std::filesystem::perms::owner_read);
  EXPECT_EQ(Parsed({"umount", "--config", file}).operands, (Arguments{"/mnt/data"}));
  EXPECT_TRUE(Parsed({"umount", "--dead", "--config=" + file}).dead);
  EXPECT_FALSE(Parsed({"umount", "/mnt/data"}).dead);
  EXPECT_NE(ErrorOf({"umount", "--config=" + file, "m"}).find("not both"), std::string::npos);
  EXPECT_NE(ErrorOf({"umount"}).find("needs MNT"), std::string::npos);
  std::ofstream(file) << "mountpoint = 1\n";
  EXPECT_NE(ErrorOf({"umount", "--config=" + file}).find("umount.toml:1: mountpoint: is a number"),
            std::string::npos);
  std::ofstream(file) << "# nothing\n";
  EXPECT_NE(ErrorOf({"umount", "--config=" + file}).find("names no mountpoint"), std::string::npos);
}

TEST(CommandLine, NothingIsLeftOfTheLineBefore) {
  EXPECT_TRUE(Parsed({"status", "--json"}).json);
  EXPECT_FALSE(Parsed({"status"}).json);
  EXPECT_TRUE(Parsed({"mount", "-f", "--data-path=device", "a", "b"}).foreground);
  const CommandLine line = Parsed({"mount", "a", "b"});
  EXPECT_FALSE(line.foreground);
  EXPECT_EQ(line.options.data_path, "auto");
}

TEST(CommandLine, WatchWithItsInterval) {
  EXPECT_EQ(Parsed({"status", "--watch"}).interval_s, 1);
  const CommandLine line = Parsed({"status", "--watch", "--interval=0.5", "/mnt"});
  EXPECT_TRUE(line.watch);
  EXPECT_EQ(line.interval_s, 0.5);
  EXPECT_FALSE(Parsed({"status"}).watch);
  for (const char* text : {"0", "-1", "3601", "x", "nan", ""}) {
    EXPECT_NE(ErrorOf({"status", "--watch", "--interval", text}).find("0.1 to 3600"),
              std::string::npos)
        << text;
  }
  EXPECT_NE(ErrorOf({"status", "--watch", "--json"}).find("exclude each other"), std::string::npos);
}

TEST(CommandLine, TraceWithItsOperations) {
  const CommandLine line = Parsed({"trace", "--op=READ,open", "/mnt"});
  EXPECT_EQ(line.command, Command::kTrace);
  EXPECT_EQ(line.operations, "READ,open");
  EXPECT_EQ(Parsed({"trace", "/mnt"}).operations, "");
  EXPECT_NE(ErrorOf({"trace"}).find("needs MNT"), std::string::npos);
}

TEST(CommandLine, HelpAndVersion) {
  EXPECT_EQ(Parsed({"-h"}).command, Command::kHelp);
  EXPECT_EQ(Parsed({"--help"}).command, Command::kHelp);
  EXPECT_EQ(Parsed({"-v"}).command, Command::kVersion);
  EXPECT_EQ(Parsed({"version"}).command, Command::kVersion);
  EXPECT_EQ(Parsed({"help", "mount"}).help_topic, "mount");
  EXPECT_EQ(Parsed({"mount", "--help"}).help_topic, "mount");  // Without its operands.
  EXPECT_NE(HelpText("mount").find("data_path=auto|zero-copy"), std::string::npos);
  EXPECT_NE(HelpText("mount").find("entry_timeout"), std::string::npos);
  EXPECT_NE(HelpText("").find("umount"), std::string::npos);
}

TEST(CommandLine, WrongOnesSayWhy) {
  EXPECT_NE(ErrorOf({}).find("command is missing"), std::string::npos);
  EXPECT_NE(ErrorOf({"mout", "a", "b"}).find("did you mean \"mount\""), std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "a"}).find("needs SRC MNT"), std::string::npos);
  EXPECT_NE(ErrorOf({"mount"}).find("names no source"), std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "a", "b", "c"}).find("\"c\" is too much"), std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "--jsn", "a", "b"}).find("unknown flag"), std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "--data-pth=x"}).find("did you mean \"--data-path\""),
            std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "a", "b", "-o"}).find("needs a value"), std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "--foreground=yes", "a", "b"}).find("takes no value"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "--data-path=fast", "a", "b"})
                .find("auto, zero-copy, buffer-pool, per-entry, device or kernel"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"umount", "--json", "m"}).find("unknown flag"), std::string::npos);
}

TEST(CommandLine, ANewlineInAWordForgesNoSecondError) {
  for (const Arguments& arguments : {Arguments{"x\nshuntfs: forged"},
                                     {"mount", "-o", "x\nshuntfs: forged", "/a", "/b"},
                                     {"mount", "--squash=x\nshuntfs: forged", "/a", "/b"},
                                     {"config", "x\nshuntfs: forged"},
                                     {"mount", "--x\nshuntfs: forged"}}) {
    const std::string error = ErrorOf(arguments);
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    EXPECT_NE(error.find("x\\012shuntfs: forged"), std::string::npos) << error;
  }
}

TEST(CommandLine, EveryOptionIsAFlag) {
  const CommandLine line = Parsed({"mount", "--memory-budget=128M", "--log_level", "4", "--ro",
                                   "--noexec=false", "--rw", "a", "b"});
  EXPECT_EQ(line.options.memory_budget_bytes, uint64_t{128} << 20);
  EXPECT_EQ(line.options.log_level, 4);
  EXPECT_FALSE(line.options.read_only || line.options.noexec);
  EXPECT_EQ(line.configuration.Find("memory_budget")->origin.ToString(), "--memory-budget");
  EXPECT_EQ(line.configuration.Find("source")->origin.ToString(), "operand");
  for (const OptionSpec& spec : OptionTable()) {
    if (!spec.is_flag()) continue;
    // Without a value, and with one that no option takes: known, but not like this.
    EXPECT_EQ(ErrorOf({"mount", "--" + std::string(spec.name) + "="}).find("unknown"),
              std::string::npos);
  }
  EXPECT_NE(ErrorOf({"mount", "--memory-budget=1Q", "a", "b"})
                .find("flag \"--memory-budget\" is \"1Q\"; it takes a number of bytes"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"mount", "--nofail", "a", "b"}).find("unknown flag"), std::string::npos);
  EXPECT_NE(ErrorOf({"umount", "--ro", "a"}).find("unknown flag"), std::string::npos);
}

TEST(CommandLine, FlagsWinOverTheList) {
  const CommandLine line = Parsed({"mount", "--workers=3", "-o", "workers=2,ro", "a", "b"});
  EXPECT_EQ(line.options.workers, 3u);
  EXPECT_TRUE(line.options.read_only);
}

TEST(CommandLine, ContradictionsAreRefused) {
  EXPECT_NE(ErrorOf({"mount", "--allow-root", "-oallow_other", "a", "b"})
                .find("option \"allow_root\" contradicts \"allow_other\""),
            std::string::npos);
}

// glog's flags are registered in the same process, but are not ours to offer.
TEST(CommandLine, FlagsOfLibrariesAreUnknown) {
  EXPECT_NE(ErrorOf({"status", "--logtostderr"}).find("unknown flag"), std::string::npos);
  EXPECT_NE(ErrorOf({"status", "--flagfile=x"}).find("unknown flag"), std::string::npos);
}

}  // namespace
}  // namespace shuntfs
