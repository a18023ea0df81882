#include "config/load.h"

#include "absl/strings/str_replace.h"
#include "config/config_file.h"

namespace shuntfs {
namespace {

void AddFile(const std::string& file, bool for_root, LoadedConfig* loaded) {
  const absl::StatusOr<std::string> text = ReadConfigFile(file, for_root);
  if (!text.ok()) {
    loaded->mistakes.push_back({file, 0, "", std::string(text.status().message())});
    return;
  }
  std::vector<Setting> settings;
  ParseToml(file, *text, &settings, &loaded->mistakes);
  loaded->configuration.Add(settings);
}

void AddFiles(const ConfigSources& sources, LoadedConfig* loaded) {
  AddFile(sources.file, sources.for_root, loaded);
  const absl::StatusOr<std::vector<std::string>> drop_ins =
      ListDropIns(sources.file, sources.for_root);
  if (!drop_ins.ok()) {
    const std::string message(drop_ins.status().message());
    loaded->mistakes.push_back({sources.file + ".d", 0, "", message});
    return;
  }
  for (const std::string& file : *drop_ins) AddFile(file, sources.for_root, loaded);
}

// Where the option `name` was set, if in a file.
void PutWhere(const Configuration& configuration, const std::string& name, Mistake* mistake) {
  const Setting* setting = configuration.Find(name);
  if (setting == nullptr || setting->origin.kind != Origin::Kind::kFile) return;
  mistake->file = setting->origin.file;
  mistake->line = setting->origin.line;
}

// A conflict is told where one of the two was set, in a file if it was there.
void AddConflicts(LoadedConfig* loaded) {
  for (const Conflict& conflict : FindConflicts(loaded->configuration.ToOptions())) {
    Mistake mistake{"", 0, conflict.name, conflict.text};
    for (const std::string& name : {conflict.other, conflict.name})
      PutWhere(loaded->configuration, name, &mistake);
    loaded->mistakes.push_back(mistake);
  }
}

}  // namespace

LoadedConfig LoadConfig(const ConfigSources& sources) {
  LoadedConfig loaded;
  if (!sources.file.empty()) AddFiles(sources, &loaded);
  loaded.configuration.Add(sources.list);
  loaded.configuration.Add(sources.flags);
  AddConflicts(&loaded);
  return loaded;
}

void LocateMistake(const Configuration& configuration, Mistake* mistake) {
  PutWhere(configuration, mistake->key, mistake);
}

std::string OneLine(std::string_view text) {
  return absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{"\n", "\\012"}});
}

absl::Status ToStatus(const std::vector<Mistake>& mistakes) {
  if (mistakes.empty()) return absl::OkStatus();
  std::string text;
  for (const Mistake& mistake : mistakes) {
    text += (text.empty() ? "" : "\n") + OneLine(mistake.ToString());
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace shuntfs
