#include "io/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/protocol/request.h"

namespace shuntfs {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(PlanMemory, GivesWhatFits) {
  struct Row {
    MemoryInputs inputs;
    uint32_t entries;
    uint32_t payload;
  };
  const Row rows[] = {
      // Everything wished for.
      {{.queues = 2, .budget_bytes = 64 * kMiB}, 16, 1 << 20},
      {{.queues = 4, .budget_bytes = 64 * kMiB}, 16, 1 << 20},
      // Fewer entries first.
      {{.queues = 12, .budget_bytes = 64 * kMiB}, 5, 1 << 20},
      {{.queues = 16, .budget_bytes = 64 * kMiB}, 4, 1 << 20},
      // Then smaller ones.
      {{.queues = 17, .budget_bytes = 64 * kMiB}, 7, 512 << 10},
      {{.queues = 64, .budget_bytes = 64 * kMiB}, 4, 256 << 10},
      {{.queues = 129, .budget_bytes = 64 * kMiB}, 7, 68 << 10},
      {{.queues = 240, .budget_bytes = 64 * kMiB}, 4, 68 << 10},
      {{.queues = 16, .budget_bytes = 64 * kMiB, .memlock_bytes = 8 * kMiB}, 7, 68 << 10},
      // In the end, three of them.
      {{.queues = 256, .budget_bytes = 64 * kMiB}, 3, 68 << 10},
      {{.queues = 321, .budget_bytes = 64 * kMiB}, 3, 68 << 10},
      // The tighter of the two limits counts; headers are pinned as well.
      {{.queues = 1, .budget_bytes = 64 * kMiB, .memlock_bytes = 8 * kMiB}, 7, 1 << 20},
      {{.queues = 1, .budget_bytes = 8 * kMiB, .memlock_bytes = 64 * kMiB}, 8, 1 << 20},
      // Data of whole pages, no more than wished for; areas that hold any request without data.
      {{.queues = 1, .max_write_bytes = 128 << 10}, 16, 128 << 10},
      {{.queues = 1, .max_write_bytes = 100'000}, 16, 24 * 4096},
      {{.queues = 1, .max_write_bytes = 4096}, 16, 68 << 10},
      {{.queues = 1, .max_write_bytes = 64 << 10}, 16, 68 << 10},
      // As many as wished for, as far as one registered buffer goes.
      {{.queues = 1, .entries_wished = 200}, 64, 1 << 20},
      {{.queues = 1, .budget_bytes = 4096 * kMiB, .entries_wished = 4000}, 1023, 1 << 20},
      // Exactly three of the smallest.
      {{.queues = 1, .budget_bytes = 3 * (68 << 10)}, 3, 68 << 10},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::to_string(row.inputs.queues) + " queues, " +
                 std::to_string(row.inputs.budget_bytes));
    const MemoryPlanResult result = PlanMemory(row.inputs);
    EXPECT_EQ(result.error, "");
    EXPECT_EQ(result.plan.entries_per_queue, row.entries);
    EXPECT_EQ(result.plan.slices_per_queue, row.entries) << "without a pool";
    EXPECT_EQ(result.plan.payload_bytes, row.payload);
    EXPECT_LE(result.plan.data_bytes, std::min(row.payload, row.inputs.max_write_bytes));
    EXPECT_LE(row.entries * (row.payload + kEntryHeaderBytes) * row.inputs.queues,
              row.inputs.memlock_bytes);
    EXPECT_LE(uint64_t{row.entries} * row.payload * row.inputs.queues, row.inputs.budget_bytes);
  }
}

// Before Linux 7.3 a request that does not fit stops the kernel.
TEST(PlanMemory, EveryRequestFitsItsPayloadWhateverTheLimitsAre) {
  int planned = 0;
  for (const uint32_t queues : {1U, 2U, 16U, 128U, 240U, 512U}) {
    for (const uint64_t memlock : {64 * kMiB / 1024, 8 * kMiB, 64 * kMiB, kNoLimit}) {
      for (const uint32_t max_write : {0U, 4096U, 8192U, 64U << 10, 128U << 10, 1U << 20}) {
        for (const bool pooled : {false, true}) {
          const MemoryPlanResult result = PlanMemory({.queues = queues,
                                                      .memlock_bytes = memlock,
                                                      .max_write_bytes = max_write,
                                                      .pooled = pooled});
          if (!result.error.empty()) continue;
          ++planned;
          EXPECT_LE(result.plan.data_bytes, result.plan.payload_bytes);
          for (uint32_t opcode = 0; opcode < abi::kOpcodeEnd; ++opcode) {
            const OpcodeInfo& info = InfoOf(opcode);
            EXPECT_LE(info.max_payload_in, result.plan.payload_bytes) << info.name;
            EXPECT_LE(info.max_payload_out, result.plan.payload_bytes) << info.name;
          }
        }
      }
    }
  }
  EXPECT_GT(planned, 150);
}

// Entries of a pool share what the budget leaves.
TEST(PlanMemory, GivesPoolsFewerSlicesThanEntries) {
  MemoryInputs inputs{.queues = 12, .budget_bytes = 64 * kMiB, .pooled = true};
  const MemoryPlan plan = PlanMemory(inputs).plan;
  EXPECT_EQ(plan.entries_per_queue, 16u);
  EXPECT_EQ(plan.slices_per_queue, 5u);
  EXPECT_EQ(plan.payload_bytes, 1u << 20);
  // The headers of all entries are pinned as well.
  inputs = {.queues = 1, .memlock_bytes = 4 * kMiB + 4096 + 15 * kEntryHeaderBytes, .pooled = true};
  EXPECT_EQ(PlanMemory(inputs).plan.payload_bytes, 512u << 10);
  inputs.memlock_bytes += kEntryHeaderBytes;
  EXPECT_EQ(PlanMemory(inputs).plan.payload_bytes, 1u << 20);
  EXPECT_EQ(PlanMemory(inputs).plan.slices_per_queue, 4u);
}

TEST(PlanMemory, RefusesWithTheNumbers) {
  MemoryInputs inputs{.queues = 1, .budget_bytes = 3 * (68 << 10) - 1};
  const MemoryPlanResult budget = PlanMemory(inputs);
  EXPECT_EQ(budget.plan.entries_per_queue, 0u);
  EXPECT_NE(budget.error.find("memory_budget allows 208895"), std::string::npos) << budget.error;

  // The payloads fit, the headers on top do not.
  inputs = {.queues = 1, .budget_bytes = 64 * kMiB, .memlock_bytes = 3 * (68 << 10)};
  EXPECT_NE(PlanMemory(inputs).error.find("RLIMIT_MEMLOCK allows 208896"), std::string::npos);
  inputs = {.queues = 8192, .budget_bytes = kNoLimit};
  const MemoryPlanResult buffer = PlanMemory(inputs);
  EXPECT_EQ(buffer.plan.entries_per_queue, 0u);
  EXPECT_NE(buffer.error.find("no more than 1073741824"), std::string::npos) << buffer.error;

  inputs = {.queues = 256, .budget_bytes = 256 * kMiB, .memlock_bytes = 8 * kMiB};
  const MemoryPlanResult locked = PlanMemory(inputs);
  EXPECT_EQ(locked.plan.entries_per_queue, 0u);
  EXPECT_NE(locked.error.find("RLIMIT_MEMLOCK allows 8388608"), std::string::npos) << locked.error;
  EXPECT_EQ(locked.error.find("memory_budget"), std::string::npos) << locked.error;

  // A limit of nothing at all.
  inputs = {.queues = 1, .budget_bytes = 64 * kMiB, .memlock_bytes = 0};
  EXPECT_NE(PlanMemory(inputs).error.find("RLIMIT_MEMLOCK allows 0"), std::string::npos);
}

}  // namespace
}  // namespace shuntfs
