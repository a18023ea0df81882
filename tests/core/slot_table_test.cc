#include "core/slot_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace shuntfs {
namespace {

uint64_t GenerationOf(uint64_t id) { return id >> 32; }
uint32_t SlotOf(uint64_t id) { return static_cast<uint32_t>(id); }

TEST(SlotTable, NumbersFromOne) {
  SlotTable<int> table;
  int a = 0;
  int b = 0;
  EXPECT_EQ(table.Insert(&a), 1u);
  EXPECT_EQ(table.Insert(&b), 2u);
  EXPECT_EQ(table.Find(1), &a);
  EXPECT_EQ(table.Find(2), &b);
  EXPECT_EQ(table.count(), 2u);
  EXPECT_EQ(table.end(), 3u);
}

TEST(SlotTable, FindsNothingUnderUnknownIds) {
  SlotTable<int> table;
  int a = 0;
  const uint64_t id = table.Insert(&a);
  const uint64_t unknown[] = {
      0, id + 1, id | uint64_t{1} << 32, 0xffffffff, uint64_t{1} << 28, ~uint64_t{0}};
  for (const uint64_t other : unknown) EXPECT_EQ(table.Find(other), nullptr) << std::hex << other;
}

TEST(SlotTable, AnIdGivenBackIsNotItsSuccessor) {
  SlotTable<int> table;
  int a = 0;
  int b = 0;
  const uint64_t first = table.Insert(&a);
  table.Remove(first);
  EXPECT_EQ(table.Find(first), nullptr);
  EXPECT_EQ(table.count(), 0u);
  const uint64_t second = table.Insert(&b);
  EXPECT_EQ(SlotOf(second), SlotOf(first));
  EXPECT_EQ(GenerationOf(second), GenerationOf(first) + 1);
  EXPECT_EQ(table.Find(first), nullptr);
  EXPECT_EQ(table.Find(second), &b);
}

TEST(SlotTableDeathTest, AnIdIsGivenBackOnce) {
  SlotTable<int> table;
  int a = 0;
  const uint64_t id = table.Insert(&a);
  table.Remove(id);
  EXPECT_DEATH(table.Remove(id), "id given back twice");
}

TEST(SlotTable, GrowsOverManyChunks) {
  constexpr size_t kObjects = 20'000;
  SlotTable<size_t> table;
  std::vector<size_t> objects(kObjects);
  std::vector<uint64_t> ids;
  for (size_t& object : objects) ids.push_back(table.Insert(&object));
  for (size_t i = 0; i < kObjects; ++i) ASSERT_EQ(table.Find(ids[i]), &objects[i]) << i;
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), kObjects);
  for (const uint64_t id : ids) table.Remove(id);
  EXPECT_EQ(table.count(), 0u);
  EXPECT_EQ(table.end(), kObjects + 1);
}

TEST(SlotTable, VisitsOnlySlotsInUse) {
  SlotTable<int> table;
  int a = 1;
  int b = 2;
  const uint64_t first = table.Insert(&a);
  table.Insert(&b);
  table.Remove(first);
  std::vector<int> seen;
  for (uint32_t slot = 0; slot < table.end() + 5; ++slot) {
    table.VisitSlot(slot, [&seen](const int* object) { seen.push_back(*object); });
  }
  EXPECT_EQ(seen, std::vector<int>{2});
}

TEST(SlotTable, ManyThreadsKeepTheirOwnObjects) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 3000;
  struct Object {
    int owner;
  };
  SlotTable<Object> table;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&table, &wrong, t] {
      std::vector<Object> objects(16, Object{t});
      std::vector<uint64_t> ids;
      for (int round = 0; round < kRounds; ++round) {
        ids.clear();
        for (Object& object : objects) ids.push_back(table.Insert(&object));
        for (size_t i = 0; i < ids.size(); ++i) {
          if (table.Find(ids[i]) != &objects[i]) ++wrong;
        }
        for (const uint64_t id : ids) table.Remove(id);
        if (table.Find(ids.front()) != nullptr) ++wrong;
      }
    });
  }
  std::atomic<bool> done{false};
  std::thread walker([&table, &wrong, &done] {
    while (!done) {
      for (uint32_t slot = 1; slot < table.end(); ++slot) {
        table.VisitSlot(slot, [&wrong](const Object* object) {
          if (object->owner < 0 || object->owner >= kThreads) ++wrong;
        });
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  walker.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(table.count(), 0u);
}

// Odd and even generations of a slot hold different objects, so a reader with an old id can tell
// what it got.
TEST(SlotTable, AnIdGivenBackMeanwhileNeverGivesItsSuccessor) {
  SlotTable<int> table;
  int objects[2] = {0, 1};
  std::atomic<uint64_t> current{table.Insert(&objects[0])};
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const uint64_t id = current;
        const int* found = table.Find(id);
        if (found != nullptr && found != &objects[GenerationOf(id) % 2]) ++wrong;
      }
    });
  }
  for (int round = 0; round < 200'000; ++round) {
    const uint64_t id = current;
    table.Remove(id);
    current = table.Insert(&objects[(GenerationOf(id) + 1) % 2]);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SlotTable, AnIdThatWasGivenBackIsNotVisited) {
  SlotTable<int> table;
  int object = 0;
  const auto visited = [&table](uint64_t id) {
    int* found = nullptr;
    table.VisitId(id, [&found](int* at) { found = at; });
    return found;
  };
  const uint64_t first = table.Insert(&object);
  EXPECT_EQ(visited(first), &object);
  table.Remove(first);
  EXPECT_EQ(visited(first), nullptr);
  const uint64_t second = table.Insert(&object);
  EXPECT_EQ(visited(first), nullptr) << "the slot is its successor's";
  EXPECT_EQ(visited(second), &object);
  EXPECT_EQ(visited(uint64_t{1} << 40 | 0xffffffff), nullptr);
}

}  // namespace
}  // namespace shuntfs
