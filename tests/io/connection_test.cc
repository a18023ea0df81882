#include "io/connection.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace shuntfs {
namespace {

bool Readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

TEST(Connection, TheFirstReasonCounts) {
  Result<UniqueFd> event = Connection::MakeEvent();
  ASSERT_TRUE(event.ok());
  Connection connection(std::move(*event));
  EXPECT_EQ(connection.reason(), EndReason::kNone);
  EXPECT_FALSE(Readable(connection.ended_fd()));
  connection.End(EndReason::kBroken, "the first");
  connection.End(EndReason::kUnmounted, "the second");
  EXPECT_EQ(connection.reason(), EndReason::kBroken);
  EXPECT_EQ(connection.what(), "the first");
  EXPECT_TRUE(Readable(connection.ended_fd()));
}

TEST(Connection, AStopIsARequestAndNoEnd) {
  Result<UniqueFd> event = Connection::MakeEvent();
  ASSERT_TRUE(event.ok());
  Connection connection(std::move(*event));
  EXPECT_FALSE(connection.stopping());
  connection.RequestStop();
  EXPECT_TRUE(connection.stopping());
  EXPECT_EQ(connection.reason(), EndReason::kNone);
  EXPECT_FALSE(Readable(connection.ended_fd()));
}

TEST(Connection, ManyThreadsEndItOnce) {
  Result<UniqueFd> event = Connection::MakeEvent();
  ASSERT_TRUE(event.ok());
  Connection connection(std::move(*event));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&connection, i] {
      connection.End(i % 2 == 0 ? EndReason::kUnmounted : EndReason::kStopped,
                     i % 2 == 0 ? "unmounted" : "stopped");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(connection.what(),
            connection.reason() == EndReason::kUnmounted ? "unmounted" : "stopped");
  EXPECT_TRUE(Readable(connection.ended_fd()));
}

}  // namespace
}  // namespace shuntfs
