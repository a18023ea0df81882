#include "config/configuration.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "config/values.h"

namespace shuntfs {
namespace {

Setting Inverted(const OptionSpec& spec, OptionValue value, const Origin& origin) {
  value.on = !value.on;
  value.text = value.on ? "on" : "off";
  return {FindOption(spec.of), std::move(value), origin};
}

// The settings that a shorthand stands for.
std::vector<Setting> Expand(const Setting& shorthand) {
  const std::vector<std::string_view> words = SplitWords(shorthand.spec->choices);
  const auto word = std::ranges::find(words, shorthand.value.text);
  std::vector<Setting> settings;
  const std::vector<std::string_view> lists = SplitWords(shorthand.spec->stands_for);
  ParseOptionList(lists[static_cast<size_t>(word - words.begin())], &settings).IgnoreError();
  for (Setting& setting : settings) {
    setting.origin = shorthand.origin;
    setting.origin.shorthand = shorthand.spec->name;
  }
  return settings;
}

absl::Status AddByName(const std::string& name, const std::optional<std::string>& text,
                       std::vector<Setting>* settings) {
  const OptionSpec* spec = FindOption(name);
  if (spec == nullptr) {
    return absl::InvalidArgumentError("unknown option " + NearestOption(name, /*in_file=*/false));
  }
  absl::Status status = absl::OkStatus();
  if (spec->places == OptionPlaces::kNotInList) {
    status = absl::InvalidArgumentError(
        "has no place in -o; name it as an operand or in the configuration file");
  } else {
    Origin origin;
    origin.kind = Origin::Kind::kOptionList;
    status = AddSetting(*spec, text ? &*text : nullptr, origin, settings);
  }
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrFormat("option \"%s\" %s", name, std::string(status.message())));
}

}  // namespace

std::string Origin::ToString() const {
  std::string text;
  switch (kind) {
    case Kind::kDefault:
      text = "default";
      break;
    case Kind::kFile:
      text = absl::StrFormat("%s:%d", file, line);
      break;
    case Kind::kOptionList:
      text = "-o";
      break;
    case Kind::kFlag:
      text = flag;
      break;
    case Kind::kOperand:
      text = "operand";
      break;
  }
  if (!shorthand.empty()) text += absl::StrFormat(" (%s)", std::string(shorthand));
  return text;
}

void Configuration::Put(const Setting& setting) { settings_[setting.spec->name] = setting; }

void Configuration::Add(const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    if (setting.spec->kind != OptionKind::kShorthand) continue;
    for (const Setting& each : Expand(setting)) Put(each);
  }
  for (const Setting& setting : settings) Put(setting);
}

const Setting* Configuration::Find(std::string_view name) const {
  const auto found = settings_.find(name);
  return found == settings_.end() ? nullptr : &found->second;
}

Options Configuration::ToOptions() const {
  Options options;
  for (const auto& [name, setting] : settings_) {
    if (setting.spec->acts()) setting.spec->apply(setting.value, &options);
  }
  return options;
}

absl::Status AddSetting(const OptionSpec& spec, const std::string* text, const Origin& origin,
                        std::vector<Setting>* settings) {
  if (spec.kind == OptionKind::kIgnored) return absl::OkStatus();
  if (spec.kind == OptionKind::kRefused) {
    return absl::InvalidArgumentError("cannot be set: " + std::string(spec.help));
  }
  const bool is_switch = spec.kind == OptionKind::kSwitch || spec.kind == OptionKind::kInverse;
  if (!is_switch && (text == nullptr || text->empty())) {
    return absl::InvalidArgumentError("needs a value: " + WhatOptionTakes(spec));
  }
  absl::StatusOr<OptionValue> value =
      ReadOptionValue(spec, text == nullptr ? std::string("on") : *text);
  if (!value.ok()) return value.status();
  settings->push_back(spec.kind == OptionKind::kInverse
                          ? Inverted(spec, *std::move(value), origin)
                          : Setting{&spec, *std::move(value), origin});
  return absl::OkStatus();
}

absl::Status ParseOptionList(std::string_view text, std::vector<Setting>* settings) {
  std::string name;
  std::optional<std::string> value;
  const auto finish = [&]() -> absl::Status {
    absl::Status status = absl::OkStatus();
    if (!name.empty()) {
      status = AddByName(name, value, settings);
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

namespace {

// What a policy cannot be at once.
void AddPolicyConflicts(const Options& options, std::vector<Conflict>* conflicts) {
  const bool squashes_all = options.squash == "all";
  struct Pair {
    bool both;
    const char* name;
    const char* other;
    const char* why;
  };
  const Pair pairs[] = {
      {!options.force_user.empty() && !options.map_users.empty(), "force_user", "map_users",
       "one shows every owner as the same, the other tells owners apart"},
      {!options.force_group.empty() && !options.map_groups.empty(), "force_group", "map_groups",
       "one shows every group as the same, the other tells groups apart"},
      {squashes_all && !options.create_user.empty(), "create_user", "squash",
       "with \"all\" whatever is made belongs to squash_user"},
      {squashes_all && !options.create_group.empty(), "create_group", "squash",
       "with \"all\" whatever is made belongs to squash_group"},
      {squashes_all && options.default_permissions.value_or(false), "default_permissions", "squash",
       "with \"all\" SRC's file system checks everybody as squash_user, and the kernel nobody"},
  };
  for (const Pair& pair : pairs) {
    if (!pair.both) continue;
    conflicts->push_back(
        {pair.name, pair.other,
         absl::StrFormat("contradicts \"%s\": %s; give one of them", pair.other, pair.why)});
  }
  const bool other_owners = !options.map_users.empty() || !options.map_groups.empty() ||
                            !options.force_user.empty() || !options.force_group.empty() ||
                            !options.create_user.empty() || !options.create_group.empty();
  if (other_owners && !options.nosuid.value_or(true)) {
    conflicts->push_back(
        {"suid", "nosuid",
         "cannot be used where owners are mapped, forced, or given to new files: a "
         "set-user-ID program would run as a user who never set that bit; leave "
         "\"suid\" out"});
  }
  if (options.squash != "none") return;
  for (const auto& [name, text] :
       {std::pair("squash_user", &options.squash_user), {"squash_group", &options.squash_group}}) {
    if (text->empty()) continue;
    conflicts->push_back({name, "squash",
                          "says as whom, but \"squash\" does not say who; add squash=root or "
                          "squash=all"});
  }
}

}  // namespace

std::vector<Conflict> FindConflicts(const Options& options) {
  std::vector<Conflict> conflicts;
  AddPolicyConflicts(options, &conflicts);
  if (options.allow_other.value_or(false) && options.allow_root) {
    conflicts.push_back(
        {"allow_root", "allow_other", "contradicts \"allow_other\"; give one of them"});
  }
  if (options.memory_budget_bytes < options.max_write_bytes) {
    conflicts.push_back(
        {"memory_budget", "max_write",
         absl::StrFormat("is %s, less than one request of \"max_write\" (%s); raise the first or "
                         "lower the second",
                         FormatBytes(options.memory_budget_bytes),
                         FormatBytes(options.max_write_bytes))});
  }
  if (options.writeback && options.data_path == "kernel") {
    conflicts.push_back({"writeback", "data_path",
                         "contradicts the data path kernel: the kernel has one or the other; leave "
                         "out one of them"});
  }
  if (options.congestion_threshold > options.max_background) {
    conflicts.push_back({"congestion_threshold", "max_background",
                         absl::StrFormat("is %d, more than \"max_background\" (%d), so it would "
                                         "never be reached; lower it",
                                         options.congestion_threshold, options.max_background)});
  }
  return conflicts;
}

std::string NearestOption(std::string_view name, bool in_file) {
  std::vector<std::string_view> names;
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.name.back() != '*' && (!in_file || spec.in_file())) names.push_back(spec.name);
  }
  const std::optional<std::string> meant = ClosestWord(name, names);
  if (meant) return absl::StrFormat("\"%s\"; did you mean \"%s\"?", std::string(name), *meant);
  return absl::StrFormat("\"%s\"; `shuntfs help mount` lists the options", std::string(name));
}

}  // namespace shuntfs
