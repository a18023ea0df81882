// The one table of options. `-o`, flags, keys of the configuration file, help, manual pages,
// completions and the example file are made from its rows or checked against them, and nothing else
// knows an option's name.
//
// Floor 3. Plain values and pure functions, any thread.
#ifndef SHUNTFS_CONFIG_OPTION_TABLE_H_
#define SHUNTFS_CONFIG_OPTION_TABLE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/options.h"

namespace shuntfs {

enum class OptionKind : uint8_t {
  kSwitch,     // On or off.
  kInverse,    // Another switch, the other way round (rw). Not a key of the file.
  kSeconds,    // A decimal number.
  kBytes,      // An integer with an optional K, M or G.
  kCount,      // An integer.
  kText,       // Any text that is not empty.
  kPath,       // A text; in the file it begins with a slash.
  kChoice,     // One of a list of words.
  kShorthand,  // One of a list of words, each of which stands for other options.
  kIgnored,    // Accepted in -o, with or without a value, and without effect: meant for mount(8) or
               // systemd.
  kRefused,    // Known, but not to be set; the help says why.
};

// The part of the manual in which an option is explained.
enum class OptionSection : uint8_t { kMount, kCaching, kData, kProcess, kOthers };

// Where an option may be given; flags may give all.
enum class OptionPlaces : uint8_t {
  kAll,
  kNotInList,  // Not in -o.
  kNotInFile,  // Not in the configuration file.
};

// A value after it was checked against its row of the table.
struct OptionValue {
  bool on = true;
  double number = 0;
  uint64_t integer = 0;
  std::string text;  // As `config show` prints it: "on", "64M", "1.5".
};

struct OptionSpec {
  std::string_view name;  // A trailing '*' matches any rest (x-*).
  OptionKind kind = OptionKind::kText;
  OptionSection section = OptionSection::kOthers;
  OptionPlaces places = OptionPlaces::kAll;
  bool reloadable = false;             // Can change while the mount lives.
  std::string_view default_text = {};  // As the help shows it.
  std::string_view example = {};       // Of kText and kPath, whose default is no value.
  double min = 0;                      // Inclusive; of kSeconds, kBytes and kCount.
  double max = 0;
  std::string_view choices = {};  // Words between '|'.
  std::string_view of = {};       // Of kInverse: the switch that it inverts.
  // Of kShorthand: what each choice stands for, as "NAME=VALUE,..." between '|'.
  std::string_view stands_for = {};
  std::string_view help = {};     // One line.
  std::string_view details = {};  // Further sentences, for the manual.
  // What is wrong with a text beyond its kind, as "is ...; it takes ..."; empty when nothing is.
  std::string (*check)(const std::string& text) = nullptr;
  void (*apply)(const OptionValue& value, Options* options) = nullptr;

  // Whether it has a value of its own, which `config show` prints and a flag sets.
  bool acts() const { return apply != nullptr; }
  bool in_file() const {
    return (acts() || kind == OptionKind::kShorthand) && places != OptionPlaces::kNotInFile;
  }
  bool is_flag() const {
    return acts() || kind == OptionKind::kInverse || kind == OptionKind::kShorthand;
  }
};

// The rows, in the order of the help text.
std::span<const OptionSpec> OptionTable();

// The row that `name` belongs to, or null.
const OptionSpec* FindOption(std::string_view name);

// Reads a value. The error says what is wrong and what is allowed, for a sentence that begins with
// the option's name: "is "1Q"; it takes ...".
absl::StatusOr<OptionValue> ReadOptionValue(const OptionSpec& spec, const std::string& text);

// "seconds, as a decimal number, from 0 to 3600 seconds"
std::string WhatOptionTakes(const OptionSpec& spec);

// What stands for a value in help: "SECONDS", "auto|fixed|plain"; empty for switches.
std::string OptionPlaceholder(const OptionSpec& spec);

// The words of `choices` or `stands_for`.
std::vector<std::string_view> SplitWords(std::string_view words);

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_OPTION_TABLE_H_
