#include "core/trace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace shuntfs {
namespace {

Request RequestOf(abi::Opcode opcode, std::string& payload, uint64_t unique = 8) {
  Request request;
  request.header.opcode = static_cast<uint32_t>(opcode);
  request.header.unique = unique;
  request.header.nodeid = 3;
  request.payload = std::as_writable_bytes(std::span(payload));
  return request;
}

TEST(NameIn, IsTheFirstNameOfARequestThatHasOne) {
  std::string payload("old\0new\0", 8);
  EXPECT_EQ(NameIn(RequestOf(abi::Opcode::kRename2, payload)), "old");
  EXPECT_EQ(NameIn(RequestOf(abi::Opcode::kWrite, payload)), "") << "these are data";
  std::string endless(5000, 'x');
  EXPECT_EQ(NameIn(RequestOf(abi::Opcode::kLookup, endless)).size(), kNameMax);
  std::string empty;
  EXPECT_EQ(NameIn(RequestOf(abi::Opcode::kLookup, empty)), "");
}

TEST(TracedName, OutlivesItsPayloadButNotItsRequest) {
  std::string payload("name\0", 5);
  const Request request = RequestOf(abi::Opcode::kLookup, payload);
  TracedName name;
  EXPECT_EQ(name.Of(request), "");
  name.Keep(request);
  payload.assign(5, '#');
  EXPECT_EQ(name.Of(request), "name");
  EXPECT_EQ(name.Of(RequestOf(abi::Opcode::kLookup, payload, 10)), "");
}

TEST(TraceArrival, KeepsNothingWithoutATrace) {
  Counters counters;
  TracedName name;
  std::string payload("name\0", 5);
  const Request request = RequestOf(abi::Opcode::kLookup, payload);
  TraceArrival(counters, request, &name);
  EXPECT_EQ(name.Of(request), "");
  TraceSwitch trace;
  counters.trace.Follow(&trace);
  TraceArrival(counters, request, &name);
  EXPECT_EQ(name.Of(request), "");
  trace.Want(1);
  TraceArrival(counters, request, &name);
  EXPECT_EQ(name.Of(request), "name");
}

TEST(TraceReply, KeepsTheOperationsThatAreWanted) {
  Counters counters;
  TraceSwitch trace;
  counters.trace.Follow(&trace);
  trace.Want(uint64_t{1} << static_cast<uint32_t>(abi::Opcode::kLookup));
  std::string payload("name\0", 5);
  TracedName name;
  TraceReply(counters, RequestOf(abi::Opcode::kOpen, payload), Action::Reply(), name, 1, 1);
  EXPECT_EQ(counters.trace.kept(), nullptr);
  const Request request = RequestOf(abi::Opcode::kLookup, payload);
  name.Keep(request);
  TraceReply(counters, request, Action::Error(Errno(ENOENT)), name, 77, 5);
  ASSERT_NE(counters.trace.kept(), nullptr);
  TraceBuffer& buffer = *counters.trace.kept();
  ASSERT_NE(buffer.Front(), nullptr);
  EXPECT_EQ(buffer.Front()->name(), "name");
  EXPECT_EQ(buffer.Front()->error, ENOENT);
  EXPECT_EQ(buffer.Front()->nodeid, 3u);
  EXPECT_EQ(buffer.Front()->end_ns, 77);
  EXPECT_EQ(buffer.Front()->latency_ns, 5u);
  buffer.Pop();
  EXPECT_EQ(buffer.Front(), nullptr);
  Request strange = RequestOf(abi::Opcode::kLookup, payload);
  strange.header.opcode = 4096;
  TraceReply(counters, strange, Action::Reply(), name, 1, 1);
  EXPECT_EQ(buffer.Front(), nullptr);
}

TEST(TraceBuffer, DropsAndCountsWhatTheReaderIsTooSlowFor) {
  TraceBuffer buffer;
  for (uint64_t i = 0; i < TraceBuffer::kRecords + 5; ++i) {
    TraceRecord record;
    record.nodeid = i;
    buffer.Push(record, "");
  }
  EXPECT_EQ(buffer.dropped(), 5u);
  for (uint64_t i = 0; i < TraceBuffer::kRecords; ++i) {
    ASSERT_NE(buffer.Front(), nullptr);
    EXPECT_EQ(buffer.Front()->nodeid, i) << "the oldest are kept";
    buffer.Pop();
  }
  EXPECT_EQ(buffer.Front(), nullptr);
}

TEST(TraceBuffer, AReaderSeesWholeRecordsInTheirOrder) {
  TraceBuffer buffer;
  constexpr uint64_t kCount = 300'000;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kCount; ++i) {
      TraceRecord record;
      record.nodeid = i;
      record.latency_ns = i * 3;
      buffer.Push(record, std::string(1 + i % 200, static_cast<char>('a' + i % 26)));
    }
    done.store(true);
  });
  uint64_t last = 0;
  uint64_t seen = 0;
  while (true) {
    const bool ended = done.load();
    const TraceRecord* record = buffer.Front();
    if (record == nullptr) {
      if (ended) break;
      continue;
    }
    ASSERT_GT(record->nodeid, last);
    last = record->nodeid;
    ASSERT_EQ(record->latency_ns, last * 3);
    ASSERT_EQ(record->name(), std::string(1 + last % 200, static_cast<char>('a' + last % 26)));
    buffer.Pop();
    ++seen;
  }
  writer.join();
  EXPECT_EQ(seen + buffer.dropped(), kCount);
  EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace shuntfs
