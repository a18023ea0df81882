#include "io/cpu_list.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace shuntfs {

std::vector<int> ParseCpuList(std::string_view text) {
  constexpr int kMaxCpus = 1 << 16;
  std::vector<int> cpus;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end && *at != '\n') {
    int first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc() || first < 0 || first >= kMaxCpus) return {};
    int last = first;
    at = parsed.ptr;
    if (at < end && *at == '-') {
      parsed = std::from_chars(at + 1, end, last);
      if (parsed.ec != std::errc() || last < first || last >= kMaxCpus) return {};
      at = parsed.ptr;
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (at < end && *at == ',')
      ++at;
    else if (at < end && *at != '\n')
      return {};
  }
  return cpus;
}

std::vector<int> ReadCpuList(const std::string& which) {
  std::ifstream file("/sys/devices/system/cpu/" + which);
  std::string line;
  if (!std::getline(file, line)) return {};
  return ParseCpuList(line);
}

std::vector<WorkerPlan> PlanWorkers(const std::vector<int>& possible,
                                    const std::vector<int>& online, uint32_t workers) {
  std::vector<WorkerPlan> plan;
  if (online.empty()) return plan;
  const size_t wanted = workers == 0 ? online.size() : std::min<size_t>(workers, online.size());
  for (size_t i = 0; i < wanted; ++i) plan.push_back({online[i], {}});
  size_t next = 0;
  for (const int cpu : possible) {
    const auto own =
        std::find_if(plan.begin(), plan.end(), [cpu](const WorkerPlan& w) { return w.cpu == cpu; });
    WorkerPlan& worker = own != plan.end() ? *own : plan[next++ % plan.size()];
    worker.queues.push_back(QueueId(static_cast<uint16_t>(cpu)));
  }
  return plan;
}

}  // namespace shuntfs
