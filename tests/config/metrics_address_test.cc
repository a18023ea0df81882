#include "config/metrics_address.h"

#include <gtest/gtest.h>

#include "config/configuration.h"

namespace shuntfs {
namespace {

TEST(MetricsAddress, LoopbackPortsAndSockets) {
  const auto four = ParseMetricsAddress("127.0.0.1:9100");
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(four->host, "127.0.0.1");
  EXPECT_EQ(four->port, 9100);
  EXPECT_EQ(four->path, "");
  EXPECT_EQ(ParseMetricsAddress("127.9.9.9:1")->host, "127.9.9.9");
  EXPECT_EQ(ParseMetricsAddress("[::1]:65535")->host, "::1");
  EXPECT_EQ(ParseMetricsAddress("[::1]:65535")->port, 65535);
  EXPECT_EQ(ParseMetricsAddress("/run/a:1")->path, "/run/a:1");
  EXPECT_EQ(ParseMetricsAddress("/run/a:1")->host, "");
}

TEST(MetricsAddress, WrongOnesAreRefusedWithTheReason) {
  const struct {
    std::string text;
    std::string reason;
  } kWrong[] = {
      {"", "no port"},
      {"9100", "no port"},
      {"127.0.0.1", "no port"},
      {"127.0.0.1:", "1 to 65535"},
      {"127.0.0.1:0", "1 to 65535"},
      {"127.0.0.1:65536", "1 to 65535"},
      {"127.0.0.1:99999999999999999999", "1 to 65535"},
      {"127.0.0.1:9x", "1 to 65535"},
      {"0.0.0.0:9100", "other machines"},
      {"128.0.0.1:9100", "other machines"},
      {"[::]:9100", "other machines"},
      {"[::ffff:127.0.0.1]:9100", "other machines"},
      {"::1:9100", "brackets"},
      {"localhost:9100", "no address"},
      {"*:9100", "no address"},
      {":9100", "no address"},
      {"relative.sock", "no port"},
      {"/run/", "directory"},
      {"/" + std::string(107, 'x'), "at most 107 bytes"},
  };
  for (const auto& [text, reason] : kWrong) {
    const absl::Status status = ParseMetricsAddress(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    const std::string message(status.message());
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_NE(message.find("it takes 127.0.0.1:PORT"), std::string::npos) << message;
  }
}

TEST(MetricsAddress, IsCheckedWithTheOptions) {
  std::vector<Setting> settings;
  ASSERT_TRUE(ParseOptionList("metrics=[::1]:9100", &settings).ok());
  Configuration configuration;
  configuration.Add(settings);
  EXPECT_EQ(configuration.ToOptions().metrics, "[::1]:9100");
  const absl::Status status = ParseOptionList("metrics=0.0.0.0:9100", &settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_NE(message.find("\"metrics\" is \"0.0.0.0:9100\": the metrics would be told"),
            std::string::npos)
      << message;
}

}  // namespace
}  // namespace shuntfs
