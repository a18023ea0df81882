// The configuration of a mount that lives: reads it again, takes what can change, and keeps the
// rest.
//
// Floor 3. One thread. Reads files.
#ifndef SHUNTFS_CONFIG_RELOAD_H_
#define SHUNTFS_CONFIG_RELOAD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/load.h"

namespace shuntfs {

// Each as "NAME: OLD -> NEW".
struct ReloadReport {
  std::vector<std::string> applied;
  std::vector<std::string> needs_remount;

  // One line for each, or one that says that nothing changed.
  std::string ToString() const;
};

class Reloader {
 public:
  // `configuration` is what LoadConfig(sources) gave when the mount began.
  Reloader(const ConfigSources& sources, const Configuration& configuration)
      : sources_(sources), running_(configuration), options_(configuration.ToOptions()) {}

  // On an error everything stays as it was.
  absl::StatusOr<ReloadReport> Reload();

  // What the mount runs with.
  const Options& options() const { return options_; }

 private:
  const ConfigSources sources_;
  Configuration running_;
  Options options_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_RELOAD_H_
