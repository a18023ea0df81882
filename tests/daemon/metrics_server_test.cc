#include "daemon/metrics_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace shuntfs {
namespace {

class MetricsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/metricsXXXXXX";  // A socket's path has 107 bytes.
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    address_.path = root_ + "/m.sock";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<MetricsServer> Listen() {
    absl::StatusOr<std::unique_ptr<MetricsServer>> server = MetricsServer::Listen(address_);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return nullptr;
    (*server)->Provide([this] { return body_; });
    return *std::move(server);
  }
  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, address_.path.c_str(), sizeof(address.sun_path) - 1);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  // All that the client gets until the server closes.
  std::string ReadAll(MetricsServer& server, int fd) {
    std::string text;
    for (int turn = 0; turn < 100'000; ++turn) {
      pollfd waiting[2] = {{server.poll_fd(), POLLIN, 0}, {fd, POLLIN, 0}};
      poll(waiting, 2, 100);
      server.Serve();
      if (waiting[1].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
      if (count <= 0) return text;
      text.append(buffer, static_cast<size_t>(count));
    }
    return text + "<never ends>";
  }
  static void Send(int fd, const std::string& text) {
    ASSERT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  const std::string request_ = "GET /metrics HTTP/1.1\r\n\r\n";
  std::string root_;
  MetricsAddress address_;
  std::string body_ = "a 1\n";
};

TEST_F(MetricsServerTest, ServesOnASocketOfItsOwnerAlone) {
  std::unique_ptr<MetricsServer> server = Listen();
  const UniqueFd client = Connect();
  Send(client.get(), request_);
  EXPECT_TRUE(ReadAll(*server, client.get()).ends_with("\r\n\r\na 1\n"));
  struct stat st {};
  ASSERT_EQ(stat(address_.path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(address_.path));
}

TEST_F(MetricsServerTest, APageLargerThanTheSocketsBufferArrivesWhole) {
  body_.assign(size_t{5} << 20, 'x');
  const std::unique_ptr<MetricsServer> server = Listen();
  const UniqueFd client = Connect();
  Send(client.get(), request_);
  const std::string text = ReadAll(*server, client.get());
  EXPECT_EQ(text.size() - text.find("\r\n\r\n") - 4, body_.size());
}

TEST_F(MetricsServerTest, WhoNeverReadsOrNeverAsksHoldsUpNobodyAndIsDropped) {
  body_.assign(size_t{5} << 20, 'x');
  const std::unique_ptr<MetricsServer> server = Listen();
  std::vector<UniqueFd> bad;
  for (size_t i = 0; i < kMaxClients; ++i) {
    bad.push_back(Connect());
    if (i % 2 == 0) Send(bad.back().get(), request_);
  }
  const UniqueFd good = Connect();
  Send(good.get(), request_);
  EXPECT_TRUE(server->deadline() || (server->Serve(), server->deadline()));
  const std::string text = ReadAll(*server, good.get());
  EXPECT_EQ(text.substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_TRUE(text.ends_with("x"));
  server->Serve();
  EXPECT_EQ(server->deadline(), std::nullopt) << "everybody has gone";
}

TEST_F(MetricsServerTest, TakesAPortOnceAndSaysSo) {
  // A port that is free: the kernel gives one out.
  const UniqueFd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&bound);
  socklen_t size = sizeof(bound);
  ASSERT_EQ(bind(probe.get(), generic, size), 0);
  ASSERT_EQ(listen(probe.get(), 1), 0);
  ASSERT_EQ(getsockname(probe.get(), generic, &size), 0);
  const absl::Status status =
      MetricsServer::Listen({"127.0.0.1", ntohs(bound.sin_port), ""}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  const std::string message(status.message());
  EXPECT_NE(message.find("127.0.0.1:" + std::to_string(ntohs(bound.sin_port))), std::string::npos)
      << message;
  EXPECT_NE(message.find("Address already in use; give"), std::string::npos) << message;
}

TEST_F(MetricsServerTest, LeavesToOthersWhatIsTheirs) {
  {
    const std::unique_ptr<MetricsServer> first = Listen();
    EXPECT_EQ(MetricsServer::Listen(address_).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(std::filesystem::exists(address_.path));
  }
  std::ofstream(address_.path) << "a file";
  EXPECT_EQ(MetricsServer::Listen(address_).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::filesystem::file_size(address_.path), 6u);
  address_.path = root_ + "/missing/m.sock";
  EXPECT_EQ(MetricsServer::Listen(address_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MetricsServerTest, TakesThePlaceOfADaemonThatWasKilled) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, address_.path.c_str(), sizeof(address.sun_path) - 1);
  {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  const std::unique_ptr<MetricsServer> server = Listen();
  const UniqueFd client = Connect();
  Send(client.get(), request_);
  EXPECT_EQ(ReadAll(*server, client.get()).substr(0, 15), "HTTP/1.1 200 OK");
}

}  // namespace
}  // namespace shuntfs
