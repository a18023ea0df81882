#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/unique_fd.h"
#include "daemon/control_client.h"
#include "daemon/control_protocol.h"
#include "daemon/control_socket.h"
#include "daemon/dead_sockets.h"

namespace shuntfs {
namespace {

TEST(ControlProtocol, KnowsItsCommands) {
  EXPECT_EQ(ParseControlCommand("ping\n"), ControlCommand::kPing);
  EXPECT_EQ(ParseControlCommand("reload\n"), ControlCommand::kReload);
  EXPECT_EQ(ParseControlCommand("status\n"), ControlCommand::kStatus);
  EXPECT_EQ(ParseControlCommand("stop\nrest"), ControlCommand::kStop);
  for (const char* text : {"\n", "PING\n", "ping \n", "stop stop\n", "status\r\n"}) {
    EXPECT_EQ(ParseControlCommand(text), ControlCommand::kUnknown) << text;
  }
}

TEST(ControlProtocol, ATraceNamesItsOperations) {
  EXPECT_EQ(ParseControlCommand("trace\n"), ControlCommand::kTrace);
  EXPECT_EQ(ControlArgument("trace\nrest"), "");
  EXPECT_EQ(ParseControlCommand("trace READ,OPEN\n"), ControlCommand::kTrace);
  EXPECT_EQ(ControlArgument("trace READ,OPEN\nrest more"), "READ,OPEN");
  EXPECT_EQ(ParseControlCommand("tracer\n"), ControlCommand::kUnknown);
}

TEST(ControlProtocol, WaitsForTheNewlineButNotForEver) {
  EXPECT_EQ(ParseControlCommand(""), ControlCommand::kIncomplete);
  EXPECT_EQ(ParseControlCommand("stop"), ControlCommand::kIncomplete);
  EXPECT_EQ(ParseControlCommand(std::string(kMaxControlLine - 1, 'x')),
            ControlCommand::kIncomplete);
  EXPECT_EQ(ParseControlCommand(std::string(kMaxControlLine, 'x')), ControlCommand::kTooLong);
  EXPECT_EQ(ParseControlCommand(std::string(kMaxControlLine, 'x') + "\n"),
            ControlCommand::kTooLong);
}

TEST(ControlProtocol, PlacesOfTheSocket) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(ControlSocketDirectories(0, "/run/user/0"), (Paths{"/run/shuntfs"}));
  EXPECT_EQ(ControlSocketDirectories(7, ""), (Paths{"/run/user/7/shuntfs", "/tmp/shuntfs-7"}));
  EXPECT_EQ(ControlSocketDirectories(7, "/x"),
            (Paths{"/x/shuntfs", "/run/user/7/shuntfs", "/tmp/shuntfs-7"}));
  EXPECT_EQ(ControlSocketDirectories(7, "relative").size(), 2u);
}

TEST(ControlProtocol, NamesTellConnectionsAndDaemonsApart) {
  const std::string name = ControlSocketName(0, 42, 1000);
  EXPECT_TRUE(IsControlSocketName(name, 0, 42));
  EXPECT_NE(name, ControlSocketName(0, 42, 1001));
  EXPECT_FALSE(IsControlSocketName(name, 0, 4));
  EXPECT_FALSE(IsControlSocketName(name, 10, 42));
  EXPECT_FALSE(IsControlSocketName("0-42-", 0, 42));
}

// Whoever may write to the directory of the sockets gives names in it.
TEST(ControlProtocol, OnlyANameThatADaemonGivesIsOne) {
  EXPECT_TRUE(IsControlSocketName("0-42-1000.sock"));
  for (const char* name :
       {"--.sock", "0-42-.sock", "0-42-x.sock", "0-42-1-2.sock", "0-42-1000", "0-42-1000.sock.sock",
        "00-42-1000.sock", "0-42--1.sock", "0-42-../../x.sock", "4294967296-0-1.sock"}) {
    EXPECT_FALSE(IsControlSocketName(name)) << name;
    EXPECT_FALSE(IsControlSocketName(name, 0, 42)) << name;
  }
}

class ControlSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    // Not TempDir(): a socket's path has 107 bytes.
    std::string pattern = "/tmp/controlXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    path_ = root_ + "/own/c.sock";
  }
  void TearDown() override {
    socket_.reset();
    std::filesystem::remove_all(root_);
  }

  void Listen() {
    absl::StatusOr<std::unique_ptr<ControlSocket>> socket = ControlSocket::Listen({path_});
    ASSERT_TRUE(socket.ok()) << socket.status().ToString();
    socket_ = *std::move(socket);
  }

  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // Serves until the peer has an answer or its end, and returns that.
  std::string AnswerTo(int fd, const std::string& text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    return Receive(fd);
  }

  std::string Receive(int fd) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < give_up) {
      pollfd waiting[2] = {{socket_->poll_fd(), POLLIN, 0}, {fd, POLLIN, 0}};
      poll(waiting, 2, 100);
      socket_->Serve([this](ControlCommand command) { return Handle(command); });
      if (waiting[1].revents == 0) continue;
      char buffer[512];
      const ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
      return count > 0 ? std::string(buffer, static_cast<size_t>(count)) : "<end>";
    }
    return "<silence>";
  }

  std::string Handle(ControlCommand command) {
    ++handled_;
    return command == ControlCommand::kStop ? "ok 1\n" : "answer\n";
  }

  std::string root_;
  std::string path_;
  std::unique_ptr<ControlSocket> socket_;
  int handled_ = 0;
};

TEST_F(ControlSocketTest, AnswersAndCloses) {
  Listen();
  const UniqueFd client = Connect();
  EXPECT_EQ(AnswerTo(client.get(), "ping\n"), "answer\n");
  EXPECT_EQ(Receive(client.get()), "<end>");
  EXPECT_EQ(handled_, 1);
}

// While it lives the process can open nothing.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    // Whatever is above the limit is kept, and whatever is free below it is filled.
    const UniqueFd highest(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(highest.get()) + 1;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (true) {
      UniqueFd filler(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
      if (!filler.valid()) break;
      fillers_.push_back(std::move(filler));
    }
    EXPECT_EQ(errno, EMFILE);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<UniqueFd> fillers_;
};

TEST_F(ControlSocketTest, WithoutADescriptorItServesOneByOneAndDoesNotSpin) {
  Listen();
  // Connected first: connecting takes descriptors, which are this process's too.
  const UniqueFd first = Connect();
  const UniqueFd second = Connect();
  const UniqueFd third = Connect();
  const UniqueFd spare(dup(STDERR_FILENO));  // So that the limit does not cut off the others.
  const NoDescriptors none;
  const auto serve = [this] {
    socket_->Serve([this](ControlCommand command) { return Handle(command); });
  };
  const auto readable = [this] {
    pollfd state{socket_->poll_fd(), POLLIN, 0};
    return poll(&state, 1, 0) > 0;
  };
  ASSERT_TRUE(readable());
  serve();
  // One client is let in and says nothing yet; two wait.
  EXPECT_FALSE(readable());
  const auto deadline = socket_->deadline();
  ASSERT_TRUE(deadline.has_value());
  EXPECT_LE(*deadline, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  for (const UniqueFd* client : {&first, &second, &third}) {
    EXPECT_EQ(AnswerTo(client->get(), "ping\n"), "answer\n");
    EXPECT_EQ(Receive(client->get()), "<end>");
  }
  EXPECT_EQ(handled_, 3);
}

TEST_F(ControlSocketTest, KeepsWhoAskedToStop) {
  Listen();
  const UniqueFd client = Connect();
  EXPECT_EQ(AnswerTo(client.get(), "stop\n"), "ok 1\n");
  // Longer than any client is waited for; only the daemon's end ends it.
  EXPECT_EQ(socket_->deadline(), std::nullopt);
  socket_.reset();
  char byte;
  EXPECT_EQ(recv(client.get(), &byte, 1, 0), 0);
}

// The daemon may have been stopped for hours; the command has told its user that it failed.
TEST_F(ControlSocketTest, DropsWhatWasAskedByWhoHasGone) {
  Listen();
  for (const char* command : {"stop\n", "reload\n", "ping\n"}) {
    const UniqueFd client = Connect();
    ASSERT_GT(send(client.get(), command, std::strlen(command), MSG_NOSIGNAL), 0);
  }
  // Answered behind them.
  EXPECT_EQ(AnswerTo(Connect().get(), "status\n"), "answer\n");
  EXPECT_EQ(handled_, 1);
}

TEST_F(ControlSocketTest, AnswersWhoHasSentAllThatItWill) {
  Listen();
  const UniqueFd client = Connect();
  ASSERT_EQ(send(client.get(), "ping\n", 5, MSG_NOSIGNAL), 5);
  ASSERT_EQ(shutdown(client.get(), SHUT_WR), 0);
  EXPECT_EQ(Receive(client.get()), "answer\n");
}

TEST_F(ControlSocketTest, RefusesWhatItDoesNotKnow) {
  Listen();
  EXPECT_EQ(AnswerTo(Connect().get(), "reboot\n").substr(0, 6), "error ");
  EXPECT_EQ(AnswerTo(Connect().get(), std::string(kMaxControlLine, 'x')).substr(0, 6), "error ");
  EXPECT_EQ(handled_, 0);
}

TEST_F(ControlSocketTest, DropsTheSilentAndServesTheNinth) {
  Listen();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(Connect());
  const UniqueFd ninth = Connect();
  EXPECT_EQ(AnswerTo(ninth.get(), "ping\n"), "answer\n");
  EXPECT_EQ(Receive(silent[0].get()), "<end>");
}

TEST_F(ControlSocketTest, GarbageIsRefusedAndNobodyElseWaits) {
  Listen();
  const std::string zeros(1000, '\0');
  EXPECT_EQ(AnswerTo(Connect().get(), zeros).substr(0, 6), "error ");
  EXPECT_EQ(AnswerTo(Connect().get(), "\xFF\xFE\n").substr(0, 6), "error ");
  const UniqueFd endless = Connect();
  EXPECT_EQ(AnswerTo(endless.get(), std::string(100'000, 'x')).substr(0, 6), "error ");
  const UniqueFd half = Connect();
  ASSERT_EQ(send(half.get(), "sta", 3, 0), 3);
  EXPECT_EQ(AnswerTo(Connect().get(), "ping\n"), "answer\n");
  EXPECT_EQ(AnswerTo(half.get(), "tus\n"), "answer\n") << "in two pieces, in time";
  EXPECT_EQ(handled_, 2);
}

// Says something each time, until it is too much for a reader who never reads.
class Flood : public ClientStream {
 public:
  Flood(int* takes, bool* alive) : takes_(takes), alive_(alive) { *alive_ = true; }
  ~Flood() override { *alive_ = false; }
  std::string Take() override {
    ++*takes_;
    return std::string(size_t{300} << 10, 'x');
  }

 private:
  int* takes_;
  bool* alive_;
};

class ControlStreamTest : public ControlSocketTest {
 protected:
  void ListenWithTrace() {
    Listen();
    socket_->OfferTrace(
        [this](std::string_view operations) -> absl::StatusOr<std::unique_ptr<ClientStream>> {
          if (operations == "BAD") return absl::InvalidArgumentError("no BAD");
          return std::make_unique<Flood>(&takes_, &alive_);
        });
  }
  // Serves until `done`, as the control thread does: woken up by events and deadlines.
  template <typename Condition>
  bool ServeUntil(Condition done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      pollfd waiting = {socket_->poll_fd(), POLLIN, 0};
      poll(&waiting, 1, 20);
      socket_->Serve([this](ControlCommand command) { return Handle(command); });
    }
    return done();
  }

  int takes_ = 0;
  bool alive_ = false;
};

TEST_F(ControlStreamTest, GoesOnUntilTheClientLeaves) {
  ListenWithTrace();
  EXPECT_EQ(AnswerTo(Connect().get(), "trace BAD\n"), "error no BAD\n");
  UniqueFd client = Connect();
  EXPECT_EQ(AnswerTo(client.get(), "trace\n").substr(0, 3), "ok\n");
  int pieces = 0;
  while (takes_ < 5) {
    ASSERT_EQ(Receive(client.get()).find_first_not_of('x'), std::string::npos);
    ++pieces;
  }
  EXPECT_TRUE(alive_);
  client.reset();
  EXPECT_TRUE(ServeUntil([this] { return !alive_; })) << "the stream ends with its client";
}

TEST_F(ControlStreamTest, WhoNeverReadsIsAskedForNothingMoreAndHoldsUpNobody) {
  ListenWithTrace();
  const UniqueFd silent = Connect();
  ASSERT_EQ(send(silent.get(), "trace\n", 6, 0), 6);
  ASSERT_TRUE(ServeUntil([this] { return takes_ >= 2; }));
  const int before = takes_;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(AnswerTo(Connect().get(), "ping\n"), "answer\n");
  EXPECT_LE(takes_, before + 1) << "what nobody takes is not asked for";
  EXPECT_TRUE(alive_);
  ASSERT_TRUE(socket_->deadline());
  EXPECT_GT(*socket_->deadline(), ControlSocket::Clock::now() + std::chrono::seconds(5))
      << "the control thread is not woken up for it";
}

TEST_F(ControlSocketTest, TakesOverTheNameOfADeadDaemon) {
  std::filesystem::create_directory(root_ + "/own");
  std::filesystem::permissions(root_ + "/own", std::filesystem::perms::owner_all);
  std::ofstream(path_) << "left over";
  Listen();
  EXPECT_EQ(AnswerTo(Connect().get(), "ping\n"), "answer\n");
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  socket_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// The kernel gives a connection's number to the next mount while the daemon that had it is still
// ending.
class ReusedNumberTest : public ControlSocketTest {
 protected:
  void SetUp() override {
    ControlSocketTest::SetUp();
    // Root's sockets are in one place for the whole machine; a user's are where we say.
    owner_ = geteuid() == 0 ? 65534 : geteuid();
    ASSERT_EQ(chown(root_.c_str(), owner_, static_cast<gid_t>(-1)), 0);
    ASSERT_EQ(seteuid(owner_), 0);
    setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
    entry_.minor = 42;
    entry_.super_options = "rw,user_id=" + std::to_string(owner_);
  }
  void TearDown() override {
    if (getuid() == 0) EXPECT_EQ(seteuid(0), 0);
    ControlSocketTest::TearDown();
  }

  std::string PathOf(pid_t pid) {
    return ControlSocketDirectories(owner_, root_)[0] + "/" + ControlSocketName(0, 42, pid);
  }
  std::unique_ptr<ControlSocket> DaemonOf(pid_t pid) {
    absl::StatusOr<std::unique_ptr<ControlSocket>> socket = ControlSocket::Listen({PathOf(pid)});
    EXPECT_TRUE(socket.ok()) << socket.status();
    return socket.ok() ? *std::move(socket) : nullptr;
  }
  // Whether a client that asks for the connection reaches `daemon`.
  bool Reaches(ControlSocket& daemon) {
    absl::StatusOr<ControlClient> client = ControlClient::Connect(entry_);
    if (!client.ok() || !client->Ask("ping").ok()) return false;
    const auto serve = [&daemon] {
      daemon.Serve([](ControlCommand) { return std::string("here\n"); });
    };
    serve();  // accepts
    serve();  // answers
    const absl::StatusOr<std::string> answer = client->ReadToEnd(/*timeout_ms=*/100);
    return answer.ok() && *answer == "here\n";
  }

  uid_t owner_ = 0;
  MountEntry entry_;
};

TEST_F(ReusedNumberTest, AnEndTakesOnlyItsOwnSocketAway) {
  std::unique_ptr<ControlSocket> ending = DaemonOf(1000);
  EXPECT_TRUE(Reaches(*ending));
  const std::unique_ptr<ControlSocket> serving = DaemonOf(7);
  EXPECT_TRUE(Reaches(*serving)) << "the newest is meant";
  ending.reset();
  EXPECT_TRUE(Reaches(*serving));
}

// A socket at `path` that nobody listens at any more.
void LeaveDeadSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const UniqueFd left(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

TEST_F(ReusedNumberTest, OnlyWhatNobodyListensAtIsCleanedUp) {
  const std::unique_ptr<ControlSocket> serving = DaemonOf(7);
  const std::string directory = ControlSocketDirectories(owner_, root_)[0];
  const std::string of_another_mount = directory + "/" + ControlSocketName(0, 43, 9);
  const std::string no_socket = directory + "/" + ControlSocketName(0, 43, 10);
  const std::string strangers[] = {directory + "/other.sock", directory + "/0-42-8.sock.new",
                                   directory + "/0-42.sock", no_socket};
  LeaveDeadSocket(PathOf(8));
  LeaveDeadSocket(of_another_mount);
  for (const std::string& path : strangers) {
    if (path == no_socket) {
      std::ofstream(path) << "a file";
    } else {
      LeaveDeadSocket(path);
    }
  }
  RemoveDeadSockets();
  EXPECT_FALSE(std::filesystem::exists(PathOf(8)));
  EXPECT_FALSE(std::filesystem::exists(of_another_mount));
  for (const std::string& path : strangers) EXPECT_TRUE(std::filesystem::exists(path)) << path;
  EXPECT_TRUE(std::filesystem::exists(PathOf(7)));
  EXPECT_TRUE(Reaches(*serving));
}

TEST_F(ReusedNumberTest, ADirectoryOfAnotherUserIsLeftAlone) {
  if (getuid() != 0) GTEST_SKIP() << "needs root, to have another user's directory";
  const std::unique_ptr<ControlSocket> serving = DaemonOf(7);
  LeaveDeadSocket(PathOf(8));
  ASSERT_EQ(seteuid(0), 0);
  const std::string directory = ControlSocketDirectories(owner_, root_)[0];
  ASSERT_EQ(chown(directory.c_str(), 0, 0), 0);
  ASSERT_EQ(chmod(directory.c_str(), 0777), 0);
  ASSERT_EQ(seteuid(owner_), 0);
  RemoveDeadSockets();
  EXPECT_TRUE(std::filesystem::exists(PathOf(8)));
}

// Whoever cleans up may come at any moment of a start.
TEST_F(ReusedNumberTest, ASocketHasItsNameOnlyWhileSomebodyListens) {
  std::atomic<bool> through = false;
  std::atomic<int> seen_dead = 0;
  std::thread cleaner([&] {
    while (!through) RemoveDeadSockets();
  });
  for (pid_t pid = 1; pid <= 300; ++pid) {
    const std::unique_ptr<ControlSocket> daemon = DaemonOf(pid);
    if (!std::filesystem::exists(PathOf(pid))) ++seen_dead;
  }
  through = true;
  cleaner.join();
  EXPECT_EQ(seen_dead, 0);
}

TEST_F(ControlSocketTest, RefusesADirectoryThatOthersCanWrite) {
  std::filesystem::create_directory(root_ + "/own");
  std::filesystem::permissions(root_ + "/own", std::filesystem::perms::all);
  EXPECT_EQ(ControlSocket::Listen({path_}).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(ControlSocketTest, RefusesASymlinkInPlaceOfTheDirectory) {
  std::filesystem::create_directory(root_ + "/elsewhere");
  std::filesystem::create_directory_symlink(root_ + "/elsewhere", root_ + "/own");
  EXPECT_EQ(ControlSocket::Listen({path_}).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/elsewhere"));
}

}  // namespace
}  // namespace shuntfs
