// What the kernel sends over the ring, and when: served by hand, one entry for each possible CPU.
//
// Floor: tests.
#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "tests/guest/ring_fixture.h"

namespace shuntfs {
namespace {

class Requests : public RingFixture {
 protected:
  // One entry of the ring.
  struct Entry {
    uint16_t qid = 0;
    abi::UringReqHeader* header = nullptr;
    std::byte* payload = nullptr;
    std::array<iovec, 2> iov{};

    abi::InHeader in() const {
      abi::InHeader in;
      std::memcpy(&in, header->in_out, sizeof(in));
      return in;
    }
    template <typename T>
    T Argument() const {
      T argument;
      std::memcpy(&argument, header->op_in, sizeof(argument));
      return argument;
    }
  };

  void SetUp() override {
    RingFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    done_ = eventfd(0, EFD_CLOEXEC);
    ASSERT_GE(done_, 0);
    entries_.resize(static_cast<size_t>(sysconf(_SC_NPROCESSORS_CONF)));
    for (size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      entry.qid = static_cast<uint16_t>(i);
      entry.header = reinterpret_cast<abi::UringReqHeader*>(Memory(4096));
      entry.payload = Memory(kPayloadBytes);
      entry.iov = {iovec{entry.header, kHeaderBytes}, iovec{entry.payload, kPayloadBytes}};
    }
  }

  void TearDown() override {
    // Whoever still waits gets an error.
    if (!directory_.empty()) std::ofstream(ControlFile("abort")) << "1";
    if (client_.joinable()) client_.join();
    if (done_ >= 0) close(done_);
    RingFixture::TearDown();
  }

  void Register(Entry& entry) {
    Submit(abi::kUringCmdRegister, [&entry](io_uring_sqe* sqe) {
      sqe->addr = reinterpret_cast<uint64_t>(entry.iov.data());
      sqe->len = 2;
      Area(sqe)->qid = entry.qid;
    });
    entry_of_[commands_] = &entry;
  }

  // Runs `action` on a thread of its own, until whose end Serve() serves.
  void StartClient(const std::function<void()>& action) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    std::memset(sqe, 0, 128);
    io_uring_prep_poll_add(sqe, done_, POLLIN);
    io_uring_submit(&ring_);
    client_ = std::thread([this, action] {
      action();
      eventfd_write(done_, 1);
    });
  }

  // Answers requests until the client has ended.
  void Serve() {
    uint64_t command = 0;
    while (true) {
      const int result = AwaitResult(&command);
      ASSERT_NE(result, kPending) << "nobody asks, and the client waits";
      ASSERT_GE(result, 0);
      if (command == 0) return;
      Entry& entry = *entry_of_.at(command);
      Commit(entry, Answer(entry));
    }
  }

  // The length of the answer, which it leaves in the payload; or a negative errno.
  int Answer(Entry& entry) {
    switch (static_cast<abi::Opcode>(entry.in().opcode)) {
      case abi::Opcode::kGetattr: {
        abi::AttrOut out{};
        out.attr.ino = 1;
        out.attr.mode = S_IFDIR | 0755;
        out.attr.nlink = 2;
        return Put(entry, out);
      }
      case abi::Opcode::kOpendir:
        return Put(entry, abi::OpenOut{});
      case abi::Opcode::kReaddirplus:
        return entry.Argument<abi::ReadIn>().offset == 0 ? PutImpossibleEntry(entry) : 0;
      case abi::Opcode::kForget:
        forgotten_ = entry.in().nodeid;
        forgotten_lookups_ += entry.Argument<abi::ForgetIn>().nlookup;
        return 0;
      case abi::Opcode::kReleasedir:
        return 0;
      default:
        return -ENOSYS;
    }
  }

  template <typename T>
  static int Put(Entry& entry, const T& out) {
    std::memcpy(entry.payload, &out, sizeof(out));
    return sizeof(out);
  }

  // A file of no type, of which the kernel can make no inode.
  static int PutImpossibleEntry(Entry& entry) {
    struct {
      abi::DirentPlus plus;
      char name[8];
    } listed{};
    listed.plus.entry_out.nodeid = kImpossibleNode;
    listed.plus.entry_out.attr.ino = kImpossibleNode;
    listed.plus.dirent.ino = kImpossibleNode;
    listed.plus.dirent.off = 1;
    listed.plus.dirent.type = DT_REG;
    listed.plus.dirent.namelen = 4;
    std::memcpy(listed.name, "file", 4);
    return Put(entry, listed);
  }

  void Commit(Entry& entry, int answer) {
    abi::OutHeader out{};
    out.unique = entry.in().unique;
    out.error = answer < 0 ? answer : 0;
    out.len = static_cast<uint32_t>(sizeof(out)) + static_cast<uint32_t>(std::max(answer, 0));
    std::memcpy(entry.header->in_out, &out, sizeof(out));
    abi::UringEntInOut& in_out = entry.header->ring_ent_in_out;
    in_out.payload_sz = static_cast<uint32_t>(std::max(answer, 0));
    Submit(abi::kUringCmdCommitAndFetch, [&entry, id = in_out.commit_id](io_uring_sqe* sqe) {
      Area(sqe)->commit_id = id;
      Area(sqe)->qid = entry.qid;
    });
    entry_of_[commands_] = &entry;
  }

  static constexpr uint64_t kImpossibleNode = 2;

  int done_ = -1;  // readable when the client has ended
  std::thread client_;
  std::vector<Entry> entries_;
  std::map<uint64_t, Entry*> entry_of_;  // by the user_data of their commands
  // What the client, which may outlive a failed test's body, and the server note.
  int status_ = -1;
  int names_ = 0;
  uint64_t forgotten_ = 0;
  uint64_t forgotten_lookups_ = 0;
};

TEST_F(Requests, WaitUntilEveryPossibleCpuHasAnEntry) {
  if (entries_.size() < 2) GTEST_SKIP() << "one CPU";
  Start();
  for (size_t i = 0; i + 1 < entries_.size(); ++i) Register(entries_[i]);
  StartClient([this] {
    struct stat status;
    status_ = stat(directory_.c_str(), &status);
  });
  const std::string waiting = ControlFile("waiting");
  for (int count = 0; count == 0;) std::ifstream(waiting) >> count;
  pollfd device{fd_, POLLIN, 0};
  EXPECT_EQ(poll(&device, 1, 0), 0) << "it did not go the old way";
  EXPECT_EQ(io_uring_cq_ready(&ring_), 0U) << "nor over a queue that is ready";
  Register(entries_.back());
  Serve();
  EXPECT_EQ(status_, 0);
}

// Of READDIRPLUS the kernel takes back what it cannot use. Not by /dev/fuse, as else, and the
// reader of the directory waits for the answer, though a FORGET has none.
TEST_F(Requests, AForgetCanComeOverTheRingAndMustBeCommitted) {
  Mount();
  AnswerInit(abi::kInitOverIoUring | abi::kInitDoReaddirplus);
  for (Entry& entry : entries_) Register(entry);
  StartClient([this] {
    DIR* directory = opendir(directory_.c_str());
    if (directory == nullptr) return;
    while (readdir(directory) != nullptr) ++names_;
    closedir(directory);
  });
  Serve();
  EXPECT_EQ(names_, 1);
  EXPECT_EQ(forgotten_, kImpossibleNode);
  EXPECT_EQ(forgotten_lookups_, 1U);
}

}  // namespace
}  // namespace shuntfs
