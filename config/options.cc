#include "config/options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"
#include "config/values.h"
#include "core/base/limits.h"

namespace shuntfs {
namespace {

using V = const OptionValue&;
using O = Options*;

constexpr double kYear = 365.0 * 86400;
constexpr double kGiB = 1024.0 * 1024 * 1024;

constexpr OptionSpec Switch(std::string_view name, std::string_view help, void (*apply)(V, O)) {
  return {name, OptionKind::kSwitch, "off", 0, 0, "", help, apply};
}

constexpr OptionSpec Ignored(std::string_view name, std::string_view help) {
  return {name, OptionKind::kIgnored, "", 0, 0, "", help, nullptr};
}

constexpr std::string_view kPolicies = "auto|fixed|plain";

constexpr auto kTable = std::to_array<OptionSpec>({
    Switch("ro", "mount read-only", [](V, O o) { o->read_only = true; }),
    Switch("rw", "mount read-write (the default)", [](V, O o) { o->read_only = false; }),
    Switch("nosuid", "ignore set-user-ID bits and file capabilities",
           [](V, O o) { o->nosuid = true; }),
    Switch("suid", "undo nosuid", [](V, O o) { o->nosuid = false; }),
    Switch("nodev", "device nodes cannot be opened", [](V, O o) { o->nodev = true; }),
    Switch("dev", "undo nodev", [](V, O o) { o->nodev = false; }),
    Switch("noexec", "programs cannot be run", [](V, O o) { o->noexec = true; }),
    Switch("exec", "undo noexec", [](V, O o) { o->noexec = false; }),
    Switch("noatime", "reading does not update access times", [](V, O o) { o->noatime = true; }),
    Switch("atime", "undo noatime", [](V, O o) { o->noatime = false; }),
    Switch("allow_other", "every user may enter the mount (the default of root)",
           [](V, O o) { o->allow_other = true; }),
    Switch("allow_root", "root's mount that only root may enter",
           [](V, O o) { o->allow_root = true; }),
    Switch("default_permissions", "the kernel checks modes and ACLs (the default of root)",
           [](V, O o) { o->default_permissions = true; }),
    {"fsname", OptionKind::kText, "SRC", 0, 0, "", "the source that mount tables show",
     [](V v, O o) { o->fsname = v.text; }},
    {"subtype", OptionKind::kRefused, "", 0, 0, "",
     "the type is always fuse.shuntfs: status and umount find mounts by it", nullptr},
    {"entry_timeout", OptionKind::kSeconds, "1", 0, kYear, "",
     "how long the kernel trusts a name that it looked up",
     [](V v, O o) { o->entry_timeout_s = v.number; }},
    {"attr_timeout", OptionKind::kSeconds, "1", 0, kYear, "",
     "how long the kernel trusts attributes", [](V v, O o) { o->attr_timeout_s = v.number; }},
    {"negative_timeout", OptionKind::kSeconds, "0", 0, kYear, "",
     "how long the kernel remembers that a name does not exist",
     [](V v, O o) { o->negative_timeout_s = v.number; }},
    Switch("backing_direct", "file data passes by the page cache of SRC (O_DIRECT) where it can",
           [](V, O o) { o->backing_direct = true; }),
    Switch("writeback", "the kernel gathers writes; only when nothing else changes SRC meanwhile",
           [](V, O o) { o->writeback = true; }),
    {"memory_budget", OptionKind::kBytes, "64M", 1 << 20, 256 * kGiB, "",
     "memory for requests in flight; decides the entries per queue",
     [](V v, O o) { o->memory_budget_bytes = v.integer; }},
    {"max_write", OptionKind::kBytes, "1M", kMinWriteBytes, kMaxWriteBytes, "",
     "largest single request, a multiple of 4K",
     [](V v, O o) { o->max_write_bytes = static_cast<uint32_t>(v.integer); }},
    {"workers", OptionKind::kCount, "0", 0, 4096, "", "threads that serve rings; 0 is one per CPU",
     [](V v, O o) { o->workers = static_cast<uint32_t>(v.integer); }},
    {"device_threads", OptionKind::kCount, "0", 0, kMaxDeviceThreads, "",
     "threads that read /dev/fuse; 0 grows them on demand",
     [](V v, O o) { o->device_threads = static_cast<uint32_t>(v.integer); }},
    {"read_policy", OptionKind::kChoice, "auto", 0, 0, kPolicies,
     "file data is read with READ_FIXED, with pread, or as suits SRC's file system",
     [](V v, O o) { o->read_policy = v.text; }},
    {"write_policy", OptionKind::kChoice, "auto", 0, 0, kPolicies,
     "file data is written with WRITE_FIXED, with pwrite, or as suits SRC's file system",
     [](V v, O o) { o->write_policy = v.text; }},
    {"stop_timeout", OptionKind::kSeconds, "5", 0, 3600, "",
     "how long a busy mount is still served after a stop was asked for",
     [](V v, O o) { o->stop_timeout_s = v.number; }},
    {"log_level", OptionKind::kCount, "2", 0, 9, "",
     "0 errors, 1 warnings, 2 notices, 3 and more details",
     [](V v, O o) { o->log_level = static_cast<int>(v.integer); }},
    Ignored("defaults", "for fstab(5)"),
    Ignored("auto", "for fstab(5)"),
    Ignored("noauto", "for fstab(5)"),
    Ignored("user", "for mount(8)"),
    Ignored("nouser", "for mount(8)"),
    Ignored("users", "for mount(8)"),
    Ignored("nofail", "for systemd.mount(5)"),
    Ignored("_netdev", "for systemd.mount(5)"),
    Ignored("comment", "for fstab(5)"),
    Ignored("x-*", "for whoever reads fstab(5)"),
});

bool Matches(const OptionSpec& spec, std::string_view name) {
  if (spec.name.back() != '*') return spec.name == name;
  return name.starts_with(spec.name.substr(0, spec.name.size() - 1));
}

std::string_view ExampleOf(const OptionSpec& spec) {
  return spec.kind == OptionKind::kText ? "NAME" : spec.default_text;
}

std::string_view WhatIsExpected(OptionKind kind) {
  switch (kind) {
    case OptionKind::kSeconds:
      return "seconds, as a decimal number";
    case OptionKind::kBytes:
      return "a number of bytes, with an optional K, M or G";
    case OptionKind::kCount:
      return "a whole number";
    default:
      return "a text";
  }
}

std::string Range(const OptionSpec& spec) {
  if (spec.kind == OptionKind::kBytes) {
    return absl::StrFormat("from %s to %s", FormatBytes(static_cast<uint64_t>(spec.min)),
                           FormatBytes(static_cast<uint64_t>(spec.max)));
  }
  return absl::StrFormat("from %.0f to %.0f%s", spec.min, spec.max,
                         spec.kind == OptionKind::kSeconds ? " seconds" : "");
}

absl::Status Malformed(const OptionSpec& spec, const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrFormat("option \"%s\" is \"%s\"; it takes %s, %s", std::string(spec.name), text,
                      std::string(WhatIsExpected(spec.kind)), Range(spec)));
}

bool IsChoice(std::string_view choices, std::string_view word) {
  while (!choices.empty()) {
    const size_t bar = choices.find('|');
    if (choices.substr(0, bar) == word) return true;
    if (bar == std::string_view::npos) break;
    choices.remove_prefix(bar + 1);
  }
  return false;
}

absl::Status CheckValue(const OptionSpec& spec, const std::string& text, OptionValue* value) {
  value->text = text;
  switch (spec.kind) {
    case OptionKind::kSeconds: {
      const std::optional<double> seconds = ParseSeconds(text);
      if (!seconds) return Malformed(spec, text);
      value->number = *seconds;
      break;
    }
    case OptionKind::kBytes:
    case OptionKind::kCount: {
      const std::optional<uint64_t> number =
          spec.kind == OptionKind::kBytes ? ParseBytes(text) : ParseCount(text);
      if (!number) return Malformed(spec, text);
      value->integer = *number;
      value->number = static_cast<double>(*number);
      break;
    }
    case OptionKind::kChoice:
      if (!IsChoice(spec.choices, text)) {
        return absl::InvalidArgumentError(
            absl::StrFormat("option \"%s\" is \"%s\"; it is one of %s", std::string(spec.name),
                            text, std::string(spec.choices)));
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
  if (value->number < spec.min || value->number > spec.max) {
    return absl::InvalidArgumentError(absl::StrFormat("option \"%s\" is %s; allowed is %s",
                                                      std::string(spec.name), text, Range(spec)));
  }
  return absl::OkStatus();
}

absl::Status UnknownOption(const std::string& name) {
  std::vector<std::string_view> names;
  for (const OptionSpec& spec : kTable) {
    if (spec.name.back() != '*') names.push_back(spec.name);
  }
  const std::optional<std::string> meant = ClosestWord(name, names);
  return absl::InvalidArgumentError(
      meant
          ? absl::StrFormat("unknown option \"%s\"; did you mean \"%s\"?", name, *meant)
          : absl::StrFormat("unknown option \"%s\"; `shuntfs help mount` lists the options", name));
}

absl::Status ApplyOne(const std::string& name, const std::optional<std::string>& text,
                      Options* options) {
  const auto* spec = std::find_if(kTable.begin(), kTable.end(),
                                  [&name](const OptionSpec& s) { return Matches(s, name); });
  if (spec == kTable.end()) return UnknownOption(name);
  switch (spec->kind) {
    case OptionKind::kIgnored:
      return absl::OkStatus();
    case OptionKind::kRefused:
      return absl::InvalidArgumentError(
          absl::StrFormat("option \"%s\" cannot be set: %s", name, std::string(spec->help)));
    case OptionKind::kSwitch:
      if (text) {
        return absl::InvalidArgumentError(
            absl::StrFormat("option \"%s\" takes no value, but got \"%s\"", name, *text));
      }
      break;
    default:
      if (!text || text->empty()) {
        return absl::InvalidArgumentError(
            absl::StrFormat("option \"%s\" needs a value, for example %s=%s", name, name,
                            std::string(ExampleOf(*spec))));
      }
  }
  OptionValue value;
  if (text) {
    if (absl::Status status = CheckValue(*spec, *text, &value); !status.ok()) return status;
  }
  spec->apply(value, options);
  return absl::OkStatus();
}

}  // namespace

std::span<const OptionSpec> OptionTable() { return kTable; }

absl::Status ParseOptions(std::string_view text, Options* options) {
  std::string name;
  std::optional<std::string> value;
  const auto finish = [&]() -> absl::Status {
    absl::Status status = absl::OkStatus();
    if (!name.empty()) {
      status = ApplyOne(name, value, options);
    } else if (value) {
      status =
          absl::InvalidArgumentError(absl::StrFormat("option without a name: \"=%s\"", *value));
    }
    name.clear();
    value.reset();
    return status;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ',') {
      if (absl::Status status = finish(); !status.ok()) return status;
      continue;
    }
    if (c == '\0') return absl::InvalidArgumentError("the option list contains a zero byte");
    if (c == '=' && !value) {
      value.emplace();
      continue;
    }
    if (c == '\\') {
      if (i + 1 == text.size()) {
        return absl::InvalidArgumentError(
            "the option list ends in a backslash; write \"\\\\\" for a backslash and \"\\,\" for a "
            "comma inside a value");
      }
      c = text[++i];
    }
    (value ? *value : name) += c;
  }
  return finish();
}

absl::Status ValidateOptions(const Options& options) {
  if (options.allow_other && options.allow_root) {
    return absl::InvalidArgumentError(
        "options \"allow_other\" and \"allow_root\" contradict each other; give one of them");
  }
  if (options.max_write_bytes % 4096 != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("option \"max_write\" is %d; it has to be a multiple of 4K, such as %s",
                        options.max_write_bytes,
                        FormatBytes(std::max<uint64_t>(options.max_write_bytes / 4096, 1) * 4096)));
  }
  if (options.memory_budget_bytes < options.max_write_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "option \"memory_budget\" is %s, less than one request of \"max_write\" (%s); raise the "
        "first or lower the second",
        FormatBytes(options.memory_budget_bytes), FormatBytes(options.max_write_bytes)));
  }
  return absl::OkStatus();
}

std::string OptionsHelp() {
  std::string help;
  for (const OptionSpec& spec : kTable) {
    std::string left(spec.name);
    std::string right(spec.help);
    switch (spec.kind) {
      case OptionKind::kSeconds:
        left += "=SECONDS";
        break;
      case OptionKind::kBytes:
        left += "=BYTES[KMG]";
        break;
      case OptionKind::kCount:
        left += "=N";
        break;
      case OptionKind::kText:
        left += "=NAME";
        break;
      case OptionKind::kChoice:
        left += "=" + std::string(spec.choices);
        break;
      case OptionKind::kIgnored:
        right = "accepted without effect: " + right;
        break;
      case OptionKind::kRefused:
        right = "refused: " + right;
        break;
      case OptionKind::kSwitch:
        break;
    }
    if (spec.kind == OptionKind::kSeconds || spec.kind == OptionKind::kBytes ||
        spec.kind == OptionKind::kCount) {
      right += absl::StrFormat(" (%s; default %s)", Range(spec), std::string(spec.default_text));
    } else if (spec.kind == OptionKind::kText || spec.kind == OptionKind::kChoice) {
      right += absl::StrFormat(" (default %s)", std::string(spec.default_text));
    }
    help += absl::StrFormat("  %-32s %s\n", left, right);
  }
  return help;
}

}  // namespace shuntfs
