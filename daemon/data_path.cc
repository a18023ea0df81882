#include "daemon/data_path.h"

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

// The mode that only an operator chooses: the daemon would see opens, not data.
constexpr char kOptIn[] = "kernel";

std::string WhyNot(const ModeProbe& probe) {
  return probe.remedy.empty() ? probe.reason
                              : absl::StrFormat("%s; %s", probe.reason, probe.remedy);
}

}  // namespace

absl::StatusOr<DataPathPlan> DataPathPlan::Make(const std::string& wanted,
                                                const std::vector<ModeProbe>& probes) {
  DataPathPlan plan;
  plan.wanted_ = wanted;
  for (const ModeProbe& probe : probes) {
    plan.order_.push_back(probe.mode);
    if (!probe.available) {
      plan.reasons_[probe.mode] = WhyNot(probe);
      if (probe.mode == wanted) {
        return absl::FailedPreconditionError(
            absl::StrFormat("data path %s is not available: %s", wanted, WhyNot(probe)));
      }
      continue;
    }
    if (wanted == "auto" ? probe.mode != kOptIn : probe.mode == wanted) {
      plan.candidates_.push_back(probe.mode);
    }
  }
  if (plan.candidates_.empty()) {
    return absl::FailedPreconditionError(
        wanted == "auto" ? std::string("no data path is available; `shuntfs probe` tells why")
                         : absl::StrFormat("data path %s is not known to this build", wanted));
  }
  return plan;
}

void DataPathPlan::NoteFailure(const std::string& mode, const std::string& reason) {
  reasons_[mode] = "could not be started: " + reason;
}

DataPathChoice DataPathPlan::Choose(const std::string& mode) const {
  DataPathChoice choice;
  choice.mode = mode;
  choice.reasons = reasons_;
  bool better = true;
  for (const std::string& each : order_) {
    if (each == mode) {
      choice.reasons[each] = wanted_ == "auto" ? "in use: the best that is available"
                                               : "in use: asked for with --data-path";
      better = false;
    } else if (!choice.reasons.contains(each)) {
      if (each == kOptIn) {
        choice.reasons[each] = "available, but only used when it is asked for";
      } else if (wanted_ != "auto") {
        choice.reasons[each] = absl::StrFormat("available, but %s was asked for", wanted_);
      } else {
        choice.reasons[each] =
            better ? "not tried" : absl::StrFormat("available, but %s is better", mode);
      }
    }
  }
  return choice;
}

std::string DescribeChoice(const DataPathChoice& choice, const std::vector<ModeProbe>& probes) {
  std::string text = "data path " + choice.mode;
  for (const ModeProbe& probe : probes) {
    if (probe.mode == choice.mode) break;
    const auto reason = choice.reasons.find(probe.mode);
    if (reason != choice.reasons.end()) {
      text += absl::StrFormat("; not %s: %s", probe.mode, reason->second);
    }
  }
  return text;
}

}  // namespace shuntfs
