#include "io/fixed_buffer_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <string_view>

#include "core/base/unique_fd.h"
#include "io/memory_region.h"

namespace shuntfs {
namespace {

constexpr size_t kBuffer = 4096;

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) ADD_FAILURE() << strerror(errno);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  void Send(std::string_view text) const {
    EXPECT_EQ(write(in.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  UniqueFd out;
  UniqueFd in;
};

class FixedBufferTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    const int rc = io_uring_queue_init_params(16, &ring_, &params);
    if (rc < 0) GTEST_SKIP() << "io_uring is not to be had: " << strerror(-rc);
    open_ = true;
    for (std::unique_ptr<MemoryRegion>& memory : memory_) {
      Result<MemoryRegion> mapped = MemoryRegion::Map(kBuffer);
      ASSERT_TRUE(mapped.ok());
      memory = std::make_unique<MemoryRegion>(std::move(*mapped));
    }
    ASSERT_TRUE(table_.Register(Memory(0), 2, 1).ok());
  }
  void TearDown() override {
    if (open_) io_uring_queue_exit(&ring_);
  }

  std::span<std::byte> Memory(size_t index) const { return memory_[index]->bytes(); }
  std::string Text(size_t index, size_t bytes) const {
    return {reinterpret_cast<const char*>(Memory(index).data()), bytes};
  }

  // Reads `bytes` from the pipe into memory `index`, which `slot` is meant to hold.
  void Read(const Pipe& pipe, size_t index, uint32_t slot, unsigned bytes, uint64_t user_data,
            uint8_t flags = 0) {
    buf_index_[user_data] = table_.Acquire(slot);
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read_fixed(sqe, pipe.out.get(), Memory(index).data(), bytes, 0,
                             buf_index_[user_data]);
    sqe->flags = static_cast<uint8_t>(sqe->flags | flags);
    sqe->user_data = user_data;
    EXPECT_EQ(io_uring_submit(&ring_), 1);
  }

  struct Completion {
    uint64_t user_data;
    int res;
    friend std::ostream& operator<<(std::ostream& out, const Completion& completion) {
      return out << "user_data " << completion.user_data << ", res " << completion.res;
    }
    friend bool operator==(const Completion&, const Completion&) = default;
  };
  Completion Reap() {
    io_uring_cqe* cqe = nullptr;
    EXPECT_EQ(io_uring_wait_cqe(&ring_, &cqe), 0);
    const Completion completion{cqe->user_data, cqe->res};
    io_uring_cqe_seen(&ring_, cqe);
    if (const auto used = buf_index_.find(completion.user_data); used != buf_index_.end()) {
      table_.Release(used->second);
      buf_index_.erase(used);
    }
    return completion;
  }

  // One of the kernel's worker threads, so that I/O that is left to them runs one after the other.
  void OneWorker() {
    unsigned most[2] = {1, 1};
    ASSERT_EQ(io_uring_register_iowq_max_workers(&ring_, most), 0);
  }

  io_uring ring_{};
  bool open_ = false;
  FixedBufferTable table_{&ring_};
  std::map<uint64_t, uint16_t> buf_index_;  // of I/O in flight, by user_data
  std::array<std::unique_ptr<MemoryRegion>, 3> memory_;
};

TEST_F(FixedBufferTableTest, HoldsTheRegionAndEmptySlots) {
  EXPECT_EQ(table_.slots(), 3u);
  const Pipe pipe;
  pipe.Send("12341234");
  Read(pipe, 0, 0, 4, 1);
  EXPECT_EQ(Reap(), (Completion{1, 4}));
  EXPECT_EQ(Text(0, 4), "1234");
  Read(pipe, 1, 1, 4, 2);
  EXPECT_EQ(Reap(), (Completion{2, -EFAULT})) << "nothing is in slot 1";
}

TEST_F(FixedBufferTableTest, APinnedSlotStays) {
  ASSERT_TRUE(table_.Pin(0).ok());
  EXPECT_EQ(table_.Replace(0, Memory(1), 0).error(), Errno(EBUSY));
  EXPECT_EQ(table_.Replace(0, {}, 0).error(), Errno(EBUSY));
  EXPECT_EQ(table_.Unregister().error(), Errno(EBUSY));
  EXPECT_TRUE(table_.Replace(1, Memory(1), 0).ok()) << "the others may change";
  const Pipe pipe;
  pipe.Send("pinned");
  Read(pipe, 0, 0, 6, 1);
  EXPECT_EQ(Reap(), (Completion{1, 6})) << "and it is still registered";
  table_.UnpinAll();
  EXPECT_TRUE(table_.Replace(0, Memory(2), 0).ok());
  EXPECT_TRUE(table_.Unregister().ok());
  EXPECT_EQ(table_.slots(), 0u);
}

TEST_F(FixedBufferTableTest, APinnedEmptySlotStaysEmpty) {
  ASSERT_TRUE(table_.Pin(2).ok());
  EXPECT_EQ(table_.Replace(2, Memory(1), 0).error(), Errno(EBUSY));
}

TEST_F(FixedBufferTableTest, RefusesSlotsThatThereAreNot) {
  EXPECT_EQ(table_.Pin(3).error(), Errno(EINVAL));
  EXPECT_EQ(table_.Replace(3, Memory(1), 0).error(), Errno(EINVAL));
  ASSERT_TRUE(table_.Unregister().ok());
  EXPECT_EQ(table_.Pin(0).error(), Errno(EINVAL));
  EXPECT_TRUE(table_.Unregister().ok()) << "twice does no harm";
  EXPECT_EQ(table_.Register(Memory(0), FixedBufferTable::kMaxSlots).error(), Errno(EINVAL));
  EXPECT_TRUE(table_.Register(Memory(0), FixedBufferTable::kMaxSlots - 1).ok());
}

// The bytes of an I/O in flight arrive in the buffer that it was submitted with, whatever the slot
// holds by now; and the tag says when that memory is free, not before.
TEST_F(FixedBufferTableTest, AnIoInFlightKeepsItsBuffer) {
  constexpr uint64_t kTag = 77;
  for (const bool emptied : {false, true}) {
    SCOPED_TRACE(emptied ? "emptied" : "replaced");
    std::memset(Memory(1).data(), 'x', kBuffer);
    std::memset(Memory(2).data(), 'y', kBuffer);
    ASSERT_TRUE(table_.Replace(1, Memory(1), kTag).ok());
    const Pipe pipe;
    Read(pipe, 1, 1, 4, 1);
    ASSERT_TRUE(table_.Replace(1, emptied ? std::span<std::byte>() : Memory(2), 0).ok());
    pipe.Send("late");
    EXPECT_EQ(Reap(), (Completion{1, 4})) << "the I/O comes before the tag";
    EXPECT_EQ(Text(1, 4), "late");
    EXPECT_EQ(Text(2, 4), "yyyy");
    EXPECT_EQ(Reap(), (Completion{kTag, 0}));
  }
}

// The same for an I/O that has not even begun when the slot changes: it waits for the only worker,
// which another one keeps.
TEST_F(FixedBufferTableTest, AnIoThatRunsLaterKeepsItsBuffer) {
  constexpr uint64_t kTag = 77;
  OneWorker();
  for (const bool emptied : {false, true}) {
    SCOPED_TRACE(emptied ? "emptied" : "replaced");
    std::memset(Memory(1).data(), 'x', kBuffer);
    std::memset(Memory(2).data(), 'y', kBuffer);
    ASSERT_TRUE(table_.Replace(1, Memory(1), kTag).ok());
    const Pipe first;
    const Pipe second;
    Read(first, 0, 0, 4, 1, IOSQE_ASYNC);
    Read(second, 1, 1, 4, 2, IOSQE_ASYNC);
    ASSERT_TRUE(table_.Replace(1, emptied ? std::span<std::byte>() : Memory(2), 0).ok());
    first.Send("1111");
    EXPECT_EQ(Reap(), (Completion{1, 4}));
    EXPECT_EQ(Text(1, 4), "xxxx") << "not yet run, and the tag has not come";
    second.Send("2222");
    EXPECT_EQ(Reap(), (Completion{2, 4}));
    EXPECT_EQ(Text(1, 4), "2222");
    EXPECT_EQ(Text(2, 4), "yyyy");
    EXPECT_EQ(Reap(), (Completion{kTag, 0}));
  }
}

TEST_F(FixedBufferTableTest, TheTableOutlivesIoInFlight) {
  const Pipe pipe;
  Read(pipe, 0, 0, 4, 1, IOSQE_ASYNC);
  EXPECT_EQ(table_.Unregister().error(), Errno(EBUSY));
  pipe.Send("last");
  EXPECT_EQ(Reap(), (Completion{1, 4}));
  EXPECT_EQ(Text(0, 4), "last");
  EXPECT_TRUE(table_.Unregister().ok());
}

TEST_F(FixedBufferTableTest, ASlotChangesUnderAsMuchIoAsThereAreSparePlaces) {
  ASSERT_TRUE(table_.Replace(1, Memory(1), 0).ok());
  const Pipe pipe;
  Read(pipe, 1, 1, 4, 1);
  ASSERT_TRUE(table_.Replace(1, Memory(2), 0).ok());
  EXPECT_EQ(table_.Pin(1).error(), Errno(EBUSY)) << "FUSE would look for it at its old place";
  Read(pipe, 2, 1, 4, 2);
  EXPECT_EQ(table_.Replace(1, Memory(1), 0).error(), Errno(EAGAIN)) << "the only spare is in use";
  pipe.Send("11112222");
  const std::set<uint64_t> done{Reap().user_data, Reap().user_data};
  EXPECT_EQ(done, (std::set<uint64_t>{1, 2}));
  EXPECT_TRUE(table_.Replace(1, Memory(1), 0).ok());
}

TEST_F(FixedBufferTableTest, AWrittenBufferIsTheOneSubmitted) {
  OneWorker();
  std::memset(Memory(1).data(), 'x', kBuffer);
  std::memset(Memory(2).data(), 'y', kBuffer);
  ASSERT_TRUE(table_.Replace(1, Memory(1), 0).ok());
  const Pipe blocker;
  const Pipe pipe;
  Read(blocker, 0, 0, 4, 1, IOSQE_ASYNC);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  buf_index_[2] = table_.Acquire(1);
  io_uring_prep_write_fixed(sqe, pipe.in.get(), Memory(1).data(), 4, 0, buf_index_[2]);
  sqe->flags |= IOSQE_ASYNC;
  sqe->user_data = 2;
  ASSERT_EQ(io_uring_submit(&ring_), 1);
  ASSERT_TRUE(table_.Replace(1, Memory(2), 0).ok());
  blocker.Send("go!!");
  const std::set<uint64_t> done{Reap().user_data, Reap().user_data};
  EXPECT_EQ(done, (std::set<uint64_t>{1, 2}));
  char text[4];
  ASSERT_EQ(read(pipe.out.get(), text, sizeof(text)), 4);
  EXPECT_EQ(std::string(text, 4), "xxxx");
}

TEST_F(FixedBufferTableTest, ACopyKeepsTheMemoryWhenTheOriginalGoes) {
  io_uring other{};
  ASSERT_EQ(io_uring_queue_init(4, &other, 0), 0);
  FixedBufferTable original(&other);
  ASSERT_TRUE(original.Register(Memory(1), 5).ok());
  ASSERT_TRUE(table_.Unregister().ok());
  const Outcome cloned = table_.CloneFrom(original);
  if (!cloned.ok() && cloned.error() == Errno(EINVAL)) {
    io_uring_queue_exit(&other);
    GTEST_SKIP() << "this kernel cannot clone buffer tables";
  }
  ASSERT_TRUE(cloned.ok()) << strerror(cloned.error().value());
  EXPECT_EQ(table_.slots(), 6u);
  EXPECT_TRUE(original.Unregister().ok());
  io_uring_queue_exit(&other);
  const Pipe pipe;
  pipe.Send("copy");
  Read(pipe, 1, 0, 4, 1);
  EXPECT_EQ(Reap(), (Completion{1, 4}));
  EXPECT_EQ(Text(1, 4), "copy");
}

}  // namespace
}  // namespace shuntfs
