#include "config/reload.h"

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

std::string ValueIn(const Configuration& configuration, const OptionSpec& spec) {
  const Setting* setting = configuration.Find(spec.name);
  return setting != nullptr ? setting->value.text : std::string(spec.default_text);
}

// The setting in `configuration`, or the default as one.
Setting SettingIn(const Configuration& configuration, const OptionSpec& spec) {
  const Setting* setting = configuration.Find(spec.name);
  if (setting != nullptr) return *setting;
  return {&spec, ReadOptionValue(spec, std::string(spec.default_text)).value_or(OptionValue()), {}};
}

}  // namespace

std::string ReloadReport::ToString() const {
  std::string text;
  for (const std::string& each : applied) text += "applied: " + each + "\n";
  for (const std::string& each : needs_remount) text += "needs a remount: " + each + "\n";
  return text.empty() ? "nothing changed\n" : text;
}

absl::StatusOr<ReloadReport> Reloader::Reload() {
  if (sources_.file.empty()) {
    return absl::FailedPreconditionError(
        "the mount was made without a configuration file, so there is nothing to read again; "
        "mount with --config=FILE");
  }
  const LoadedConfig loaded = LoadConfig(sources_);
  if (absl::Status status = ToStatus(loaded.mistakes); !status.ok()) return status;
  ReloadReport report;
  std::vector<Setting> taken;
  for (const OptionSpec& spec : OptionTable()) {
    const std::string before = ValueIn(running_, spec);
    const std::string after = ValueIn(loaded.configuration, spec);
    if (!spec.acts() || before == after) continue;
    (spec.reloadable ? report.applied : report.needs_remount)
        .push_back(OneLine(absl::StrFormat("%s: %s -> %s", std::string(spec.name), before, after)));
    if (spec.reloadable) taken.push_back(SettingIn(loaded.configuration, spec));
  }
  running_.Add(taken);
  options_ = running_.ToOptions();
  return report;
}

}  // namespace shuntfs
