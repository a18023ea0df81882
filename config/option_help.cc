#include "config/option_help.h"

#include "absl/strings/str_format.h"
#include "config/option_table.h"

namespace shuntfs {

std::string OptionsHelp() {
  std::string help;
  for (const OptionSpec& spec : OptionTable()) {
    std::string left(spec.name);
    std::string right(spec.help);
    const std::string placeholder = OptionPlaceholder(spec);
    if (spec.is_flag() && !placeholder.empty()) {
      left += "=" + placeholder;
      const bool has_range = spec.kind == OptionKind::kSeconds || spec.kind == OptionKind::kBytes ||
                             spec.kind == OptionKind::kCount;
      right += absl::StrFormat(" (%s%sdefault %s)", has_range ? WhatOptionTakes(spec) : "",
                               has_range ? "; " : "", std::string(spec.default_text));
    }
    if (spec.kind == OptionKind::kIgnored) right = "accepted without effect: " + right;
    if (spec.kind == OptionKind::kRefused) right = "refused: " + right;
    help += absl::StrFormat("  %-32s %s\n", left, right);
  }
  return help;
}

}  // namespace shuntfs
