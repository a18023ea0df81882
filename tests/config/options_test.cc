#include "config/options.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/option_help.h"
#include "config/option_table.h"

namespace shuntfs {
namespace {

Configuration Said(const std::string& text) {
  std::vector<Setting> settings;
  const absl::Status status = ParseOptionList(text, &settings);
  EXPECT_TRUE(status.ok()) << text << ": " << status.ToString();
  Configuration configuration;
  configuration.Add(settings);
  return configuration;
}

Options Parsed(const std::string& text) { return Said(text).ToOptions(); }

std::string ErrorOf(const std::string& text) {
  std::vector<Setting> settings;
  const absl::Status status = ParseOptionList(text, &settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(Options, EmptyListKeepsDefaults) {
  for (const char* text : {"", ",", ",,,"}) {
    const Options options = Parsed(text);
    EXPECT_FALSE(options.read_only);
    EXPECT_DOUBLE_EQ(options.entry_timeout_s, 1);
    EXPECT_EQ(options.memory_budget_bytes, uint64_t{64} << 20);
    EXPECT_EQ(options.max_write_bytes, 1u << 20);
    EXPECT_EQ(options.read_policy, "auto");
    EXPECT_DOUBLE_EQ(options.stop_timeout_s, 5);
  }
}

TEST(Options, EveryNameSetsItsMember) {
  const Options options = Parsed(
      "ro,nosuid,nodev,noexec,noatime,allow_other,default_permissions,fsname=x,entry_timeout=2.5,"
      "attr_timeout=3,negative_timeout=4,writeback,backing_direct,memory_budget=32M,max_write=128K,"
      "workers=3,"
      "device_threads=2,read_policy=fixed,write_policy=plain,stop_timeout=0.5,log_level=4");
  EXPECT_TRUE(options.read_only && options.nosuid.value_or(false) && options.nodev &&
              options.noexec);
  EXPECT_TRUE(options.noatime && *options.allow_other && *options.default_permissions);
  EXPECT_EQ(options.fsname, "x");
  EXPECT_DOUBLE_EQ(options.entry_timeout_s, 2.5);
  EXPECT_DOUBLE_EQ(options.attr_timeout_s, 3);
  EXPECT_DOUBLE_EQ(options.negative_timeout_s, 4);
  EXPECT_TRUE(options.writeback && options.backing_direct);
  EXPECT_EQ(options.memory_budget_bytes, uint64_t{32} << 20);
  EXPECT_EQ(options.max_write_bytes, 128u << 10);
  EXPECT_EQ(options.workers, 3u);
  EXPECT_EQ(options.device_threads, 2u);
  EXPECT_EQ(options.read_policy, "fixed");
  EXPECT_EQ(options.write_policy, "plain");
  EXPECT_DOUBLE_EQ(options.stop_timeout_s, 0.5);
  EXPECT_EQ(options.log_level, 4);
  EXPECT_TRUE(Parsed("allow_root").allow_root);
  EXPECT_TRUE(Parsed("allow_pseudo_filesystems").allow_pseudo_filesystems);
}

TEST(Options, LastOneCounts) {
  EXPECT_FALSE(Parsed("ro,rw").read_only);
  EXPECT_TRUE(Parsed("rw,ro").read_only);
  EXPECT_FALSE(Parsed("nosuid,nodev,noexec,noatime,suid,dev,exec,atime").nosuid.value_or(true));
  EXPECT_EQ(Parsed("workers=1,workers=2").workers, 2u);
}

TEST(Options, EscapesCommasAndBackslashes) {
  EXPECT_EQ(Parsed("fsname=a\\,b\\\\c,ro").fsname, "a,b\\c");
  EXPECT_TRUE(Parsed("fsname=a\\,b,ro").read_only);
  EXPECT_EQ(Parsed("fsname=a=b").fsname, "a=b");
  EXPECT_NE(ErrorOf("fsname=a\\").find("backslash"), std::string::npos);
}

TEST(Options, IgnoresWhatIsMeantForOthers) {
  for (const char* text : {"x-systemd.automount", "x-mount.mkdir=0755", "_netdev", "nofail",
                           "noauto", "user", "comment=hello", "defaults"}) {
    EXPECT_FALSE(Parsed(text).read_only) << text;
  }
}

TEST(Options, UnknownNameIsRefusedWithWhatWasMeant) {
  EXPECT_EQ(ErrorOf("entry_timout=1"),
            "unknown option \"entry_timout\"; did you mean \"entry_timeout\"?");
  EXPECT_NE(ErrorOf("quux_zork").find("unknown option \"quux_zork\""), std::string::npos);
  EXPECT_EQ(ErrorOf("quux_zork").find("did you mean"), std::string::npos);
  EXPECT_NE(ErrorOf("=3").find("without a name"), std::string::npos);
  EXPECT_NE(ErrorOf("ROO").find("unknown option"), std::string::npos);
}

TEST(Options, OutOfRangeNamesTheRange) {
  struct Case {
    const char* text;
    const char* allowed;
  };
  for (const Case& c : std::vector<Case>{{"max_write=1K", "from 4K to 1M"},
                                         {"max_write=2M", "from 4K to 1M"},
                                         {"memory_budget=1K", "from 1M to 256G"},
                                         {"workers=5000", "from 0 to 4096"},
                                         {"stop_timeout=3601", "from 0 to 3600 seconds"},
                                         {"log_level=10", "from 0 to 9"}}) {
    const std::string error = ErrorOf(c.text);
    EXPECT_NE(error.find(c.allowed), std::string::npos) << error;
  }
}

TEST(Options, MalformedValuesAreRefused) {
  for (const char* text :
       {"entry_timeout=abc", "entry_timeout=-1", "entry_timeout=1e3", "memory_budget=1Q",
        "workers=1.5", "workers=two", "log_level=-1", "read_policy=fast", "read_policy=auto|fixed",
        "max_write=5000", "data_path=fast", "cache=much"}) {
    const std::string error = ErrorOf(text);
    const std::string name = std::string(text).substr(0, std::string(text).find('='));
    EXPECT_NE(error.find("\"" + name + "\""), std::string::npos) << error;
  }
}

TEST(Options, ValuesWhereTheyBelong) {
  EXPECT_NE(ErrorOf("ro=1").find("it takes on or off"), std::string::npos);
  EXPECT_NE(ErrorOf("source=/a").find("no place in -o"), std::string::npos);
  EXPECT_NE(ErrorOf("workers").find("needs a value"), std::string::npos);
  EXPECT_NE(ErrorOf("fsname=").find("needs a value"), std::string::npos);
  EXPECT_NE(ErrorOf("subtype=x").find("fuse.shuntfs"), std::string::npos);
}

TEST(Options, ZeroBytesAreRefused) {
  EXPECT_NE(ErrorOf(std::string("fsname=a\0b", 10)).find("zero byte"), std::string::npos);
}

TEST(Options, SwitchesCanBeTakenBack) {
  EXPECT_FALSE(Parsed("writeback,writeback=off").writeback);
  EXPECT_TRUE(Parsed("writeback=on").writeback);
  EXPECT_FALSE(*Parsed("allow_other=false").allow_other);
  EXPECT_TRUE(Parsed("rw=off").read_only);
}

TEST(Options, AWordStandsForTheTimeouts) {
  EXPECT_DOUBLE_EQ(Parsed("cache=none").entry_timeout_s, 0);
  EXPECT_DOUBLE_EQ(Parsed("cache=always").negative_timeout_s, 31536000);
  const Options options = Parsed("attr_timeout=7,cache=none");
  EXPECT_DOUBLE_EQ(options.attr_timeout_s, 7) << "given itself, so it wins, whatever the order";
  EXPECT_DOUBLE_EQ(options.entry_timeout_s, 0);
  EXPECT_EQ(Said("cache=none").Find("entry_timeout")->origin.ToString(), "-o (cache)");
}

// A later place wins over a timeout of an earlier one with its word.
TEST(Options, AWordOfALaterPlaceWins) {
  Configuration configuration = Said("attr_timeout=7");
  std::vector<Setting> flags;
  ASSERT_TRUE(ParseOptionList("cache=none", &flags).ok());
  configuration.Add(flags);
  EXPECT_DOUBLE_EQ(configuration.ToOptions().attr_timeout_s, 0);
}

TEST(Options, ContradictionsAreFound) {
  EXPECT_TRUE(FindConflicts(Options()).empty());
  EXPECT_EQ(FindConflicts(Parsed("allow_other,allow_root")).at(0).name, "allow_root");
  EXPECT_TRUE(FindConflicts(Parsed("allow_other=off,allow_root")).empty());
  EXPECT_EQ(FindConflicts(Parsed("writeback,data_path=kernel")).at(0).name, "writeback");
  EXPECT_TRUE(FindConflicts(Parsed("memory_budget=1M,max_write=1M")).empty());
}

TEST(Options, PoliciesThatCannotBeAtOnceAreConflicts) {
  struct Row {
    const char* words;
    const char* name;
    const char* other;
  };
  for (const Row& row : {Row{"force_user=1,map_users=1:1", "force_user", "map_users"},
                         {"force_group=1,map_groups=1:1", "force_group", "map_groups"},
                         {"squash=all,create_user=5", "create_user", "squash"},
                         {"squash=all,create_group=5", "create_group", "squash"},
                         {"squash=all,default_permissions", "default_permissions", "squash"},
                         {"force_user=1,suid", "suid", "nosuid"},
                         {"map_users=1:1,suid", "suid", "nosuid"},
                         {"create_group=1,suid", "suid", "nosuid"},
                         {"squash_user=5", "squash_user", "squash"},
                         {"squash_group=5", "squash_group", "squash"}}) {
    const std::vector<Conflict> conflicts = FindConflicts(Parsed(row.words));
    ASSERT_EQ(conflicts.size(), 1u) << row.words;
    EXPECT_EQ(conflicts[0].name, row.name);
    EXPECT_EQ(conflicts[0].other, row.other);
  }
  for (const char* words :
       {"squash=root,create_user=5,squash_user=6", "force_user=1,map_groups=1:1",
        "squash=all,default_permissions=off", "force_user=1,nosuid", "squash=root,suid",
        "squash=root,default_permissions"})
    EXPECT_TRUE(FindConflicts(Parsed(words)).empty()) << words;
}

TEST(Options, TableIsConsistent) {
  std::set<std::string_view> names;
  for (const OptionSpec& spec : OptionTable()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name << " twice";
    EXPECT_LE(spec.min, spec.max) << spec.name;
    EXPECT_FALSE(spec.help.empty()) << spec.name;
    EXPECT_TRUE(spec.help.find('\n') == std::string_view::npos) << spec.name;
    const bool takes_effect =
        spec.kind != OptionKind::kIgnored && spec.kind != OptionKind::kRefused;
    EXPECT_EQ(spec.is_flag(), takes_effect) << spec.name;
    EXPECT_EQ(spec.details.empty(), !takes_effect) << spec.name;
    EXPECT_EQ(spec.default_text.empty(), !spec.acts() && spec.kind != OptionKind::kShorthand)
        << spec.name;
    EXPECT_NE(OptionsHelp().find(spec.name), std::string::npos) << spec.name;
    if (spec.kind == OptionKind::kInverse) {
      EXPECT_EQ(FindOption(spec.of)->kind, OptionKind::kSwitch) << spec.name;
    }
  }
}

// Each word of a shorthand stands for settings that -o would take.
TEST(Options, ShorthandsAreConsistent) {
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.kind != OptionKind::kShorthand) continue;
    const std::vector<std::string_view> lists = SplitWords(spec.stands_for);
    EXPECT_EQ(lists.size(), SplitWords(spec.choices).size()) << spec.name;
    for (const std::string_view list : lists)
      EXPECT_NE(Said(std::string(list)).Find("entry_timeout"), nullptr);
  }
}

// What the help calls the default is what the struct starts with: setting it changes nothing.
TEST(Options, ShownDefaultsAreTheRealOnes) {
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.kind != OptionKind::kSeconds && spec.kind != OptionKind::kBytes &&
        spec.kind != OptionKind::kCount && spec.kind != OptionKind::kChoice) {
      continue;
    }
    const Options set = Parsed(std::string(spec.name) + "=" + std::string(spec.default_text));
    const Options fresh;
    EXPECT_EQ(set.entry_timeout_s, fresh.entry_timeout_s) << spec.name;
    EXPECT_EQ(set.attr_timeout_s, fresh.attr_timeout_s) << spec.name;
    EXPECT_EQ(set.negative_timeout_s, fresh.negative_timeout_s) << spec.name;
    EXPECT_EQ(set.memory_budget_bytes, fresh.memory_budget_bytes) << spec.name;
    EXPECT_EQ(set.max_write_bytes, fresh.max_write_bytes) << spec.name;
    EXPECT_EQ(set.workers, fresh.workers) << spec.name;
    EXPECT_EQ(set.device_threads, fresh.device_threads) << spec.name;
    EXPECT_EQ(set.read_policy, fresh.read_policy) << spec.name;
    EXPECT_EQ(set.write_policy, fresh.write_policy) << spec.name;
    EXPECT_EQ(set.stop_timeout_s, fresh.stop_timeout_s) << spec.name;
    EXPECT_EQ(set.log_level, fresh.log_level) << spec.name;
  }
}

}  // namespace
}  // namespace shuntfs
