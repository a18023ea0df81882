#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/base/unique_fd.h"
#include "daemon/control_protocol.h"
#include "daemon/control_socket.h"

namespace shuntfs {
namespace {

TEST(ControlProtocol, KnowsItsCommands) {
  EXPECT_EQ(ParseControlCommand("ping\n"), ControlCommand::kPing);
  EXPECT_EQ(ParseControlCommand("status\n"), ControlCommand::kStatus);
  EXPECT_EQ(ParseControlCommand("stop\nrest"), ControlCommand::kStop);
  for (const char* text : {"\n", "PING\n", "ping \n", "stop stop\n", "status\r\n"}) {
    EXPECT_EQ(ParseControlCommand(text), ControlCommand::kUnknown) << text;
  }
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
  EXPECT_EQ(ControlSocketPaths(0, 0, 42, "/run/user/0"), (Paths{"/run/shuntfs/0-42.sock"}));
  EXPECT_EQ(ControlSocketPaths(7, 0, 42, ""),
            (Paths{"/run/user/7/shuntfs/0-42.sock", "/tmp/shuntfs-7/0-42.sock"}));
  EXPECT_EQ(
      ControlSocketPaths(7, 0, 42, "/x"),
      (Paths{"/x/shuntfs/0-42.sock", "/run/user/7/shuntfs/0-42.sock", "/tmp/shuntfs-7/0-42.sock"}));
  EXPECT_EQ(ControlSocketPaths(7, 0, 42, "relative").size(), 2u);
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
