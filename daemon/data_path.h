// Which modes a mount tries, in which order, and the reason for each that it does not use.
//
// Floor 4. Pure, over what ProbeModes() found.
#ifndef SHUNTFS_DAEMON_DATA_PATH_H_
#define SHUNTFS_DAEMON_DATA_PATH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/compose.h"
#include "daemon/serve.h"

namespace shuntfs {

class DataPathPlan {
 public:
  // `wanted` is "auto" or a mode. A mode that is not to be had is an error with its reason and
  // remedy.
  static absl::StatusOr<DataPathPlan> Make(const std::string& wanted,
                                           const std::vector<ModeProbe>& probes);

  // Modes to try, best first; never empty.
  const std::vector<std::string>& candidates() const { return candidates_; }

  // A candidate could not be started after all.
  void NoteFailure(const std::string& mode, const std::string& reason);

  // The mode that serves, with a reason for every mode that was probed.
  DataPathChoice Choose(const std::string& mode) const;

 private:
  std::string wanted_;
  std::vector<std::string> candidates_;
  std::vector<std::string> order_;
  std::map<std::string, std::string> reasons_;
};

// "data path per-entry; not zero-copy: ...": the line for the log. Names only modes better than the
// chosen.
std::string DescribeChoice(const DataPathChoice& choice, const std::vector<ModeProbe>& probes);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_DATA_PATH_H_
