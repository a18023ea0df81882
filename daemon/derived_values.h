// What follows from the options on this machine, with the numbers that it follows from: for
// `shuntfs config show`.
//
// Floor 4. Probes the kernel as a mount would; nothing is kept.
#ifndef SHUNTFS_DAEMON_DERIVED_VALUES_H_
#define SHUNTFS_DAEMON_DERIVED_VALUES_H_

#include <string>
#include <vector>

#include "config/options.h"

namespace shuntfs {

struct DerivedValue {
  std::string name;
  std::string value;
  std::string inputs;  // "memory_budget 64M, 2 queues, ..."
};

std::vector<DerivedValue> DeriveValues(const Options& options);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_DERIVED_VALUES_H_
