// The one place that includes glog: LOG(), CHECK(), DCHECK(). A later absl/log would clash with its
// macros.
//
// Floor 0. CHECK only on our own invariants; anything from the kernel, a caller, a file or a socket
// is bounded, counted and answered.
#ifndef SHUNTFS_CORE_BASE_LOG_H_
#define SHUNTFS_CORE_BASE_LOG_H_

#include <glog/logging.h>  // IWYU pragma: export

#endif  // SHUNTFS_CORE_BASE_LOG_H_
