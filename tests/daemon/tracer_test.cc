#include "daemon/tracer.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/trace.h"

namespace shuntfs {
namespace {

class TracerTest : public testing::Test {
 protected:
  void Answer(Counters& thread, abi::Opcode opcode, int error, int64_t end_ns,
              std::string name = "") {
    Request request;
    request.header.opcode = static_cast<uint32_t>(opcode);
    request.header.unique = 2;
    request.header.nodeid = 7;
    request.payload = std::as_writable_bytes(std::span(name));
    TracedName kept;
    kept.Keep(request);
    TraceReply(thread, request, Action::Error(Errno(error)), kept, end_ns, 1500);
  }
  // Without the times of day.
  static std::string Rest(const std::string& lines) {
    std::string rest;
    for (size_t at = 0; at < lines.size();) {
      const size_t end = lines.find('\n', at);
      const size_t begin = lines[at] == '#' ? at : lines.find(' ', at) + 1;
      rest += lines.substr(begin, end + 1 - begin);
      at = end + 1;
    }
    return rest;
  }

  std::unique_ptr<Counters> NewThread() {
    auto counters = std::make_unique<Counters>();
    counters->trace.Follow(&switch_);
    return counters;
  }

  TraceSwitch switch_;
  std::unique_ptr<Counters> one_ = NewThread();
  std::unique_ptr<Counters> other_ = NewThread();
  std::vector<const Counters*> threads_ = {one_.get()};
  Tracer tracer_{switch_, [this] { return threads_; }};
};

TEST_F(TracerTest, ShowsTheRequestsOfAllThreadsByTime) {
  Answer(*one_, abi::Opcode::kOpen, 0, 1);  // before: not traced
  absl::StatusOr<std::unique_ptr<ClientStream>> stream = tracer_.Start("");
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ((*stream)->Take(), "");
  Answer(*one_, abi::Opcode::kOpen, 0, 3'000'000);
  // A thread that has just started, and was not there when anybody looked.
  Answer(*other_, abi::Opcode::kLookup, ENOENT, 2'000'000, std::string("a\n\"b\0", 5));
  threads_.push_back(other_.get());
  EXPECT_EQ(Rest((*stream)->Take()),
            "LOOKUP inode 7 \"a\\012\\042b\" ENOENT 1.5 us\nOPEN inode 7 OK 1.5 us\n");
  stream->reset();
  EXPECT_FALSE(one_->trace.on());
  EXPECT_FALSE(other_->trace.on());
}

TEST_F(TracerTest, TheNextTraceBeginsAnew) {
  absl::StatusOr<std::unique_ptr<ClientStream>> stream = tracer_.Start("");
  for (uint64_t i = 0; i < TraceBuffer::kRecords + 9; ++i)
    Answer(*one_, abi::Opcode::kOpen, 0, static_cast<int64_t>(i));
  EXPECT_TRUE((*stream)->Take().starts_with("# 9 requests are not shown"));
  EXPECT_EQ((*stream)->Take().find('#'), std::string::npos) << "told once";
  Answer(*one_, abi::Opcode::kOpen, 0, 5);
  stream->reset();
  stream = tracer_.Start("");
  EXPECT_EQ((*stream)->Take(), "");
}

TEST_F(TracerTest, OneAtATimeAndOfKnownOperations) {
  EXPECT_EQ(tracer_.Start("READ,NONSENSE").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tracer_.Start("READ,").status().code(), absl::StatusCode::kInvalidArgument);
  absl::StatusOr<std::unique_ptr<ClientStream>> stream = tracer_.Start("LOOKUP,READ");
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(tracer_.Start("").status().code(), absl::StatusCode::kFailedPrecondition);
  Answer(*one_, abi::Opcode::kOpen, 0, 1);
  Answer(*one_, abi::Opcode::kRead, 0, 2);
  EXPECT_EQ(Rest((*stream)->Take()), "READ inode 7 OK 1.5 us\n");
  stream->reset();
  EXPECT_TRUE(tracer_.Start("").ok());
}

}  // namespace
}  // namespace shuntfs
