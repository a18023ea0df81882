// The commented example of a configuration file.
#include "absl/strings/str_format.h"
#include "config/generate.h"
#include "config/option_table.h"

namespace shuntfs {
namespace {

constexpr size_t kColumns = 98;

// `text` as comment lines.
std::string Comment(std::string_view text) {
  std::string lines;
  std::string line = "#";
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (line.size() + 1 + word.size() > kColumns) {
      lines += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return lines + line + "\n";
}

// A value that could stand there: the default, or for what has none, an example.
std::string Literal(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kSwitch:
      return spec.default_text == "off" ? "false" : "true";
    case OptionKind::kSeconds:
    case OptionKind::kCount:
      return std::string(spec.default_text);
    default:
      return absl::StrFormat("\"%s\"",
                             std::string(spec.example.empty() ? spec.default_text : spec.example));
  }
}

}  // namespace

std::string ExampleFile() {
  std::string text = Comment(
      "A mount of shuntfs, for shuntfs mount --config=FILE. shuntfs.toml(5) explains it; "
      "shuntfs config check FILE finds mistakes. What is commented out shows the default, "
      "or an example where there is none.");
  for (const OptionSpec& spec : OptionTable()) {
    if (!spec.in_file()) continue;
    text += "\n" + Comment(std::string(spec.help) + ". " + std::string(spec.details));
    if (!OptionPlaceholder(spec).empty())
      text += Comment("It takes " + WhatOptionTakes(spec) + ".");
    text += Comment("The default is " + std::string(spec.default_text) +
                    (spec.reloadable ? ". Can be changed by a reload." : "."));
    text += absl::StrFormat("#%s = %s\n", std::string(spec.name), Literal(spec));
  }
  return text;
}

std::optional<std::string> Generate(std::string_view what) {
  if (what == "man8") return ManualOfCommand();
  if (what == "man5") return ManualOfFile();
  if (what == "bash") return BashCompletion();
  if (what == "zsh") return ZshCompletion();
  if (what == "example") return ExampleFile();
  return std::nullopt;
}

}  // namespace shuntfs
