// What the pages that are written by hand say of options, against the table.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/option_table.h"

namespace shuntfs {
namespace {

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_GT(text.str().size(), 1000u) << path;
  return text.str();
}

// What is between the first `begin` and the `end` after it.
std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  EXPECT_NE(from, std::string::npos) << begin;
  if (from == std::string::npos) return "";
  const size_t start = from + begin.size();
  return text.substr(start, text.find(end, start) - start);
}

// All that stands in backticks.
std::vector<std::string> Quoted(const std::string& text) {
  std::vector<std::string> quoted;
  const std::regex pattern("`([^`]*)`");
  for (std::sregex_iterator it(text.begin(), text.end(), pattern); it != std::sregex_iterator();
       ++it)
    quoted.push_back((*it)[1]);
  return quoted;
}

std::string NameOf(const std::string& word) { return word.substr(0, word.find('=')); }

// The cells of a line "| a | b |"; "\|" is no border.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  std::string cell;
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '|' && line[i - 1] != '\\') {
      const size_t first = cell.find_first_not_of(' ');
      const size_t last = cell.find_last_not_of(' ');
      cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

std::vector<std::vector<std::string>> Rows(const std::string& table) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| ")) rows.push_back(Cells(line));
  }
  return rows;
}

std::string WithoutBackticks(std::string text) {
  std::erase(text, '`');
  return text;
}

// What the table of README.md says where the option table says `spec.default_text`.
bool IsDefault(const OptionSpec& spec, const std::string& cell) {
  if (cell.empty()) return spec.default_text == "none";
  // "rw" where "ro" is off.
  const OptionSpec* inverse = FindOption(cell);
  if (inverse != nullptr && inverse->kind == OptionKind::kInverse && inverse->of == spec.name)
    return spec.default_text == "off";
  return cell == spec.default_text;
}

TEST(Documents, ReadmeHasEveryOptionOnceWithItsDefault) {
  const std::string table =
      Between(Read("README.md"), "| option | default | meaning |\n|---|---|---|\n", "\n\n");
  std::multiset<std::string> named;
  for (const std::vector<std::string>& row : Rows(table)) {
    ASSERT_EQ(row.size(), 3u);
    const std::vector<std::string> words = Quoted(row[0]);
    EXPECT_FALSE(words.empty()) << row[0];
    for (const std::string& word : words) {
      const OptionSpec* spec = FindOption(NameOf(word));
      ASSERT_NE(spec, nullptr) << word << " is no option";
      named.insert(NameOf(word));
      if (spec->kind == OptionKind::kInverse) continue;
      EXPECT_TRUE(IsDefault(*spec, WithoutBackticks(row[1])))
          << word << ": the default is " << spec->default_text << ", not " << row[1];
      EXPECT_EQ(word.find('=') != std::string::npos, !OptionPlaceholder(*spec).empty())
          << word << ": with a value, or without";
    }
  }
  for (const OptionSpec& spec : OptionTable()) {
    EXPECT_EQ(named.count(std::string(spec.name)), spec.is_flag() ? 1u : 0u) << spec.name;
  }
}

TEST(Documents, ReadmeNamesWhatIsAcceptedWithoutEffect) {
  const std::vector<std::string> words =
      Quoted(Between(Read("README.md"), "Accepted without effect", "\n\n"));
  const std::set<std::string> named(words.begin(), words.end());
  std::set<std::string> ignored;
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.kind == OptionKind::kIgnored) ignored.insert(std::string(spec.name));
  }
  EXPECT_EQ(named, ignored);
}

TEST(Documents, OperatingNamesWhatCanChangeWithoutARemount) {
  const std::vector<std::string> words =
      Quoted(Between(Read("docs/operating.md"), "Without a remount can change: ", "."));
  const std::set<std::string> named(words.begin(), words.end());
  std::set<std::string> reloadable;
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.reloadable) reloadable.insert(std::string(spec.name));
  }
  EXPECT_EQ(named, reloadable);
}

TEST(Documents, FromBindfsNamesOptionsThatThereAre) {
  int options = 0;
  for (const std::vector<std::string>& row : Rows(Read("docs/from_bindfs.md"))) {
    if (row.size() < 2) continue;
    for (const std::string& words : Quoted(row[1])) {
      const std::regex pattern("(^|[, ])([a-z][a-z_]*)=");
      for (std::sregex_iterator it(words.begin(), words.end(), pattern);
           it != std::sregex_iterator(); ++it) {
        const OptionSpec* spec = FindOption((*it)[2].str());
        EXPECT_TRUE(spec != nullptr && spec->is_flag()) << (*it)[2] << " in " << row[1];
        ++options;
      }
    }
  }
  EXPECT_GT(options, 20);
}

}  // namespace
}  // namespace shuntfs
