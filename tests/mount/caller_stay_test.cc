// A lone caller that moves from CPU to CPU is kept where its requests are served
// (io/caller_stay.h).
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

std::vector<int> Cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void RunOn(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

class CallerStay : public Ops {
 protected:
  void SetUp() override {
    cpus_ = Cpus();
    if (cpus_.size() < 2) GTEST_SKIP() << "there is one CPU";
    Ops::SetUp();
  }
  void TearDown() override {
    if (cpus_.size() < 2) return;
    RunOn(cpus_);
    Ops::TearDown();
  }

  // Asks for a name that does not exist, which the kernel does not remember.
  static void Ask() {
    struct stat info;
    EXPECT_NE(stat(Mnt("nothing").c_str(), &info), 0);
  }

  std::vector<int> cpus_;
};

TEST_F(CallerStay, AWanderer) {
  Serves("LOOKUP");
  const auto wander = [this] {
    for (int i = 0; i < 100; ++i) {
      RunOn({cpus_[static_cast<size_t>(i % 2)]});
      Ask();
    }
    return Status().stay_commits > 0;
  };
  // How often is the rule's business (tests/io/caller_stay_test.cc); here, that the kernel lets it.
  if (OverRing(Config().mode)) {
    EXPECT_TRUE(Eventually(wander));
  } else {
    EXPECT_FALSE(wander()) << "only a ring's workers belong to a CPU";
  }
}

TEST_F(CallerStay, NotWhoStaysAnyway) {
  Serves("LOOKUP");
  RunOn({cpus_[0]});
  Ask();
  const uint64_t before = Status().stay_commits;
  // One move is seen at most: that of the request before the first.
  constexpr uint64_t kCommitsPerMove = 64;
  for (int i = 0; i < 1000; ++i) Ask();
  EXPECT_LE(Status().stay_commits - before, kCommitsPerMove);
}

}  // namespace
}  // namespace shuntfs::mount_test
