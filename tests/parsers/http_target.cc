#include <optional>
#include <string>

#include "daemon/http_answer.h"
#include "tests/parsers/targets.h"

namespace shuntfs::parsers {
namespace {

constexpr std::string_view kPage = "a_page_of_metrics 1\n";

// The length that the head announces.
std::string_view LengthOf(std::string_view head) {
  constexpr std::string_view kField = "\r\nContent-Length: ";
  const size_t field = head.find(kField);
  Require(field != head.npos, "an answer announces its length");
  head.remove_prefix(field + kField.size());
  return head.substr(0, head.find('\r'));
}

void CheckAnswer(std::string_view answer, std::string_view request, int pages) {
  const size_t end = answer.find("\r\n\r\n");
  Require(answer.starts_with("HTTP/1.1 ") && end != answer.npos, "an answer has a head");
  const std::string_view body = answer.substr(end + 4);
  const std::string_view status = answer.substr(9, 3);
  const bool ok = status == "200";
  Require(ok || status == "400" || status == "404" || status == "405" || status == "431",
          "a status is one of five");
  Require(pages == (ok ? 1 : 0), "a page is made for the answer that carries it");
  if (ok) Require(request.find(" /metrics") != request.npos, "the page is at /metrics alone");
  const bool head_only = ok && request.starts_with("HEAD ");
  Require(head_only ? body.empty() : LengthOf(answer) == std::to_string(body.size()),
          "a body has the length announced");
  if (ok && !head_only) Require(body == kPage, "the body is the page");
  Require(answer.size() < 512, "an answer repeats nothing of the request");
}

}  // namespace

void CheckHttp(std::string_view input) {
  int pages = 0;
  const auto page = [&pages] {
    ++pages;
    return std::string(kPage);
  };
  const std::optional<std::string> answer = HttpAnswer(input, page);
  if (!answer) {
    Require(input.size() < kMaxHttpHead, "no client is waited for without bound");
    Require(pages == 0, "no page is made for half a request");
    return;
  }
  CheckAnswer(*answer, input, pages);
  const std::string longer = std::string(input) + "GET / HTTP/1.1\r\n\r\n";
  if (input.size() < kMaxHttpHead)
    Require(HttpAnswer(longer, page) == answer, "what follows the head changes nothing");
}

}  // namespace shuntfs::parsers
