#include "daemon/http_answer.h"

#include <gtest/gtest.h>

namespace shuntfs {
namespace {

std::string Page() { return "a 1\n"; }

std::string FirstLine(const std::string& request) {
  const std::optional<std::string> answer = HttpAnswer(request, Page);
  return answer ? answer->substr(0, answer->find('\r')) : "more";
}

TEST(HttpAnswer, GivesThePage) {
  EXPECT_EQ(HttpAnswer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Page),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\na 1\n");
  EXPECT_EQ(FirstLine("GET /metrics?name[]=a HTTP/1.0\n\n"), "HTTP/1.1 200 OK");
  const std::string head = *HttpAnswer("HEAD /metrics HTTP/1.1\r\n\r\n", Page);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_NE(head.find("Content-Length: 4\r\n"), std::string::npos);
}

TEST(HttpAnswer, WaitsForTheWholeHeadButNotForEver) {
  EXPECT_EQ(FirstLine(""), "more");
  EXPECT_EQ(FirstLine("GET /metrics HTTP/1.1\r\nHost: x\r\n"), "more");
  EXPECT_EQ(FirstLine(std::string(kMaxHttpHead - 1, 'x')), "more");
  EXPECT_TRUE(FirstLine(std::string(kMaxHttpHead, 'x')).starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(
      FirstLine("GET /metrics HTTP/1.1\r\nA: " + std::string(kMaxHttpHead, 'x') + "\r\n\r\n")
          .starts_with("HTTP/1.1 431"));
}

TEST(HttpAnswer, RefusesEverythingElse) {
  EXPECT_TRUE(FirstLine("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(FirstLine("GET /metricsx HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(FirstLine("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
  for (const char* line : {"", " ", "GET", "GET /metrics", "GET  HTTP/1.1", "GET /metrics HTTP/2",
                           "GET /metrics\r", "\x16\x03\x01\x02", "/metrics HTTP/1.1"}) {
    const std::string answer = FirstLine(std::string(line) + "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 404"))
        << line << ": " << answer;
  }
}

}  // namespace
}  // namespace shuntfs
