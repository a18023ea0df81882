#include "io/cpu_list.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace shuntfs {
namespace {

using List = std::vector<int>;

TEST(ParseCpuList, ReadsTheKernelsFormat) {
  struct Row {
    std::string_view text;
    List cpus;
  };
  const Row rows[] = {
      {"0", {0}},
      {"0\n", {0}},
      {"0-3", {0, 1, 2, 3}},
      {"0-1,4,6-7\n", {0, 1, 4, 6, 7}},
      {"5-5", {5}},
      {"1023", {1023}},
      {"", {}},
      {"\n", {}},
  };
  for (const Row& row : rows) EXPECT_EQ(ParseCpuList(row.text), row.cpus) << row.text;
}

TEST(ParseCpuList, TakesNothingFromWhatItDoesNotUnderstand) {
  for (const char* bad : {"x", "-1", "3-", "3-1", "0-3x", "0;1", "0,,1", ",0", " 0", "0-",
                          "0-99999999", "2000000000", "99999999999999999999", "0-3-5"}) {
    EXPECT_EQ(ParseCpuList(bad), List{}) << bad;
  }
}

TEST(ReadCpuList, ReadsThisMachines) {
  const List possible = ReadCpuList("possible");
  const List online = ReadCpuList("online");
  EXPECT_EQ(online.size(), static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  const std::set<int> all(possible.begin(), possible.end());
  for (const int cpu : online) EXPECT_TRUE(all.contains(cpu)) << cpu;
  EXPECT_EQ(ReadCpuList("nothing-of-this-name"), List{});
}

// Queue numbers by worker.
std::vector<List> QueuesOf(const std::vector<WorkerPlan>& plan) {
  std::vector<List> queues;
  for (const WorkerPlan& worker : plan) {
    List mine;
    for (const QueueId qid : worker.queues) mine.push_back(qid.value());
    queues.push_back(mine);
  }
  return queues;
}

List CpusOf(const std::vector<WorkerPlan>& plan) {
  List cpus;
  for (const WorkerPlan& worker : plan) cpus.push_back(worker.cpu);
  return cpus;
}

TEST(PlanWorkers, GivesEachOnlineCpuItsOwnQueue) {
  const auto plan = PlanWorkers({0, 1, 2, 3}, {0, 1, 2, 3}, 0);
  EXPECT_EQ(CpusOf(plan), (List{0, 1, 2, 3}));
  EXPECT_EQ(QueuesOf(plan), (std::vector<List>{{0}, {1}, {2}, {3}}));
}

TEST(PlanWorkers, SpreadsTheQueuesOfOfflineCpus) {
  const auto plan = PlanWorkers({0, 1, 2, 3, 4, 5}, {1, 4}, 0);
  EXPECT_EQ(CpusOf(plan), (List{1, 4}));
  EXPECT_EQ(QueuesOf(plan), (std::vector<List>{{0, 1, 3}, {2, 4, 5}}));
}

TEST(PlanWorkers, TakesAsManyWorkersAsAskedForAndThereAreCpus) {
  EXPECT_EQ(QueuesOf(PlanWorkers({0, 1, 2, 3}, {0, 1, 2, 3}, 1)),
            (std::vector<List>{{0, 1, 2, 3}}));
  EXPECT_EQ(QueuesOf(PlanWorkers({0, 1, 2, 3}, {0, 1, 2, 3}, 3)),
            (std::vector<List>{{0, 3}, {1}, {2}}));
  EXPECT_EQ(PlanWorkers({0, 1}, {0, 1}, 9).size(), 2u);
  EXPECT_TRUE(PlanWorkers({0, 1}, {}, 0).empty());
}

TEST(PlanWorkers, LeavesNoQueueWithoutAWorker) {
  for (const int possible_cpus : {1, 2, 7, 64, 256}) {
    for (const uint32_t workers : {0U, 1U, 5U}) {
      List possible;
      List online;
      for (int cpu = 0; cpu < possible_cpus; ++cpu) {
        possible.push_back(cpu);
        if (cpu % 3 == 0) online.push_back(cpu);
      }
      List served;
      for (const List& mine : QueuesOf(PlanWorkers(possible, online, workers))) {
        EXPECT_FALSE(mine.empty());
        served.insert(served.end(), mine.begin(), mine.end());
      }
      std::sort(served.begin(), served.end());
      EXPECT_EQ(served, possible) << possible_cpus << " CPUs, " << workers << " workers";
    }
  }
}

}  // namespace
}  // namespace shuntfs
