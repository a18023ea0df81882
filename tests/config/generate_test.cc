#include "config/generate.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "config/commands.h"
#include "config/option_table.h"
#include "config/toml_settings.h"

namespace shuntfs {
namespace {

// As a term of the manual: a dash is "\\-" there.
std::string Manual(std::string name) {
  for (size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2)
    name.insert(at, "\\");
  return "\n\\fB" + name;
}

TEST(Generate, NothingElse) {
  EXPECT_FALSE(Generate("man1"));
  for (const char* what : {"man8", "man5", "bash", "zsh", "example"}) {
    EXPECT_TRUE(Generate(what)) << what;
    EXPECT_NE(kGenerated.find(what), std::string_view::npos);
  }
}

TEST(Generate, NoneLacksAnOption) {
  for (const OptionSpec& spec : OptionTable()) {
    const std::string name(spec.name);
    EXPECT_NE(ManualOfCommand().find(Manual(name)), std::string::npos) << name;
    EXPECT_EQ(ManualOfFile().find(Manual(name) + " = ") != std::string::npos ||
                  ManualOfFile().find(Manual(name) + "\\fR\n") != std::string::npos,
              spec.in_file())
        << name;
    EXPECT_EQ(ExampleFile().find("\n#" + name + " = ") != std::string::npos, spec.in_file())
        << name;
    if (!spec.is_flag()) continue;
    const std::string flag = "--" + FlagName(spec);
    EXPECT_NE(BashCompletion().find(" " + flag), std::string::npos) << name;
    EXPECT_NE(ZshCompletion().find("'" + flag), std::string::npos) << name;
    if (spec.places == OptionPlaces::kNotInList) continue;
    EXPECT_NE(BashCompletion().find(" " + name), std::string::npos) << name;
    EXPECT_NE(ZshCompletion().find(" " + name), std::string::npos) << name;
  }
}

TEST(Generate, NoneLacksACommandOrItsFlags) {
  for (const CommandSpec& command : CommandTable()) {
    const std::string name(command.name);
    EXPECT_NE(ManualOfCommand().find("\\fBshuntfs " + name), std::string::npos) << name;
    EXPECT_NE(BashCompletion().find("    " + name + ") "), std::string::npos) << name;
    EXPECT_NE(ZshCompletion().find("    " + name + ")\n"), std::string::npos) << name;
    for (const FlagSpec* flag : command.flags) {
      if (flag == nullptr) continue;
      const std::string shown = "--" + std::string(flag->name);
      EXPECT_NE(ManualOfCommand().find("\\-\\-" + std::string(flag->name)), std::string::npos);
      EXPECT_NE(BashCompletion().find(shown), std::string::npos) << shown;
      EXPECT_NE(ZshCompletion().find("'" + shown + (flag->takes_value ? "=[" : "[")),
                std::string::npos)
          << shown;
    }
  }
}

// Every line that is commented out could stand as it is.
TEST(Generate, TheExampleIsValid) {
  std::istringstream lines(ExampleFile());
  int keys = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    if (line.empty() || line.starts_with("# ")) continue;
    ASSERT_TRUE(line.starts_with("#")) << line;
    std::vector<Setting> settings;
    std::vector<Mistake> mistakes;
    ParseToml("example", line.substr(1), &settings, &mistakes);
    EXPECT_TRUE(mistakes.empty()) << mistakes[0].ToString();
    EXPECT_EQ(settings.size(), 1u) << line;
    ++keys;
  }
  EXPECT_GT(keys, 20);
  std::vector<Setting> settings;
  std::vector<Mistake> mistakes;
  ParseToml("example", ExampleFile(), &settings, &mistakes);
  EXPECT_TRUE(mistakes.empty() && settings.empty()) << "as it comes, it sets nothing";
}

}  // namespace
}  // namespace shuntfs
