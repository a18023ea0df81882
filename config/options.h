// The mount options (-o) as one table: names, units, ranges, defaults, help. Parsing and help text
// come from it, and nothing else knows an option's name.
//
// Floor 3. Plain values and pure functions, any thread. Errors are absl::InvalidArgument with a
// sentence that names the option, what was given and what is allowed.
#ifndef SHUNTFS_CONFIG_OPTIONS_H_
#define SHUNTFS_CONFIG_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace shuntfs {

// What -o said, with the table's defaults where it said nothing. Members without a value are
// decided at mount time, since they depend on who mounts and what.
struct Options {
  bool read_only = false;
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool noatime = false;
  bool allow_other = false;
  bool allow_root = false;
  bool default_permissions = false;
  std::optional<std::string> fsname;
  double entry_timeout_s = 1;
  double attr_timeout_s = 1;
  double negative_timeout_s = 0;
  bool writeback = false;
  bool backing_direct = false;
  uint64_t memory_budget_bytes = uint64_t{64} << 20;
  uint32_t max_write_bytes = uint32_t{1} << 20;
  uint32_t workers = 0;         // 0: one per CPU.
  uint32_t device_threads = 0;  // 0: grown on demand.
  std::string read_policy = "auto";
  std::string write_policy = "auto";
  double stop_timeout_s = 5;
  int log_level = 2;
};

enum class OptionKind : uint8_t {
  kSwitch,   // No value.
  kSeconds,  // A decimal number.
  kBytes,    // An integer with an optional K, M or G.
  kCount,    // An integer.
  kText,     // Any text that is not empty.
  kChoice,   // One of a list of words.
  kIgnored,  // Accepted, with or without a value, and without effect: meant for mount(8) or
             // systemd.
  kRefused,  // Known, but not to be set; the help says why.
};

// A value after it was checked against its row of the table.
struct OptionValue {
  double number = 0;
  uint64_t integer = 0;
  std::string text;
};

struct OptionSpec {
  std::string_view name;  // A trailing '*' matches any rest (x-*).
  OptionKind kind;
  std::string_view default_text;  // As the help shows it.
  double min;                     // Inclusive; of kSeconds, kBytes and kCount.
  double max;
  std::string_view choices;  // Of kChoice: words between '|'.
  std::string_view help;
  void (*apply)(const OptionValue& value, Options* options);  // Null for kIgnored and kRefused.
};

// The rows, in the order of the help text.
std::span<const OptionSpec> OptionTable();

// Adds what `text` ("a,b=c"; "\," is a comma and "\\" a backslash inside a value) says to
// `options`. Of an option that is given twice the last one counts, as with mount(8).
absl::Status ParseOptions(std::string_view text, Options* options);

// Contradictions between options that are each valid alone.
absl::Status ValidateOptions(const Options& options);

// The option list for --help, one paragraph per row.
std::string OptionsHelp();

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_OPTIONS_H_
