// The numbers of a running server in the text format of Prometheus.
//
// Floor 4. Pure. Alone in including prometheus-cpp, whose data model and serializer are used; its
// registry is not, since the counts are kept by the threads that serve.
#ifndef SHUNTFS_DAEMON_METRICS_PAGE_H_
#define SHUNTFS_DAEMON_METRICS_PAGE_H_

#include <string>

#include "daemon/server_numbers.h"

namespace shuntfs {

struct MetricsFacts {
  std::string source;
  std::string mountpoint;
  std::string data_path;
  double uptime_s = 0;
};

std::string MetricsPage(const MetricsFacts& facts, const ServerNumbers& numbers);

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_METRICS_PAGE_H_
