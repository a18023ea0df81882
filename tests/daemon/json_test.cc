#include "daemon/json.h"

#include <gtest/gtest.h>

#include <string>

#include "daemon/printable.h"

namespace shuntfs {
namespace {

TEST(JsonQuote, EscapesWhatHasTo) {
  EXPECT_EQ(JsonQuote("plain"), "\"plain\"");
  EXPECT_EQ(JsonQuote("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(JsonQuote("\n\x01"), "\"\\u000a\\u0001\"");
  EXPECT_EQ(JsonQuote("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"),
            "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST(JsonQuote, ReplacesWhatIsNotUtf8) {
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(JsonQuote("a\xFFz"), "\"a" + replacement + "z\"");
  EXPECT_EQ(JsonQuote("\xC3"), "\"" + replacement + "\"");                    // Cut off.
  EXPECT_EQ(JsonQuote("\xC0\x80"), "\"" + replacement + replacement + "\"");  // Overlong.
  EXPECT_EQ(JsonQuote("\xED\xA0\x80"), "\"" + replacement + replacement + replacement + "\"");
  EXPECT_EQ(JsonQuote("\xF4\x90\x80\x80").size(), 2 + 4 * replacement.size());
}

TEST(ParseJson, ReadsWhatWasQuoted) {
  for (const std::string text : {"", "plain", "a\"b\\c/d\n\t\x01", "\xC3\xA4"}) {
    const std::optional<JsonValue> value = ParseJson(JsonQuote(text));
    ASSERT_TRUE(value);
    EXPECT_EQ(value->text, text);
  }
}

TEST(ParseJson, StringsAreUtf8WhateverWasEscaped) {
  const auto text_of = [](const char* document) {
    const std::optional<JsonValue> value = ParseJson(document);
    return value ? value->text : "none";
  };
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(text_of("\"\\ud83d\\ude00\""), "\xF0\x9F\x98\x80");
  EXPECT_EQ(text_of("\"\\udbff\\udfff\""), "\xF4\x8F\xBF\xBF");
  EXPECT_EQ(text_of("\"\\ud83d\""), replacement);
  EXPECT_EQ(text_of("\"\\ude00x\""), replacement + "x");
  EXPECT_EQ(text_of("\"\\ud83d\\u0041\""), replacement + "A");
  EXPECT_EQ(text_of("\"\\ud83d\\ud83d\\ude00\""), replacement + "\xF0\x9F\x98\x80");
  EXPECT_EQ(text_of("\"\\ud83d\\u00\""), "none");
}

TEST(ParseJson, ReadsNestedDocuments) {
  const std::optional<JsonValue> value = ParseJson(
      " {\"a\": {\"count\": 3, \"errors\": -1.5e3}, \"b\": [true, null, \"x\"], \"c\": {}} ");
  ASSERT_TRUE(value);
  ASSERT_NE(value->Find("a"), nullptr);
  EXPECT_EQ(value->Find("a")->TextOf("count"), "3");
  EXPECT_EQ(value->Find("a")->TextOf("errors"), "-1.5e3");
  ASSERT_EQ(value->Find("b")->items.size(), 3u);
  EXPECT_EQ(value->Find("b")->items[2].text, "x");
  EXPECT_EQ(value->Find("nothing"), nullptr);
  EXPECT_EQ(value->TextOf("nothing"), "");
}

TEST(JsonQuote, EscapesEveryControlCharacter) {
  EXPECT_EQ(JsonQuote("\x1B[2J\x7F"), "\"\\u001b[2J\\u007f\"");
  EXPECT_EQ(JsonQuote("\xC2\x9B\xC2\xA0"), "\"\\u009b\xC2\xA0\"");
}

TEST(EscapeControls, LeavesNothingThatATerminalObeys) {
  const std::string document =
      "{\"a\": \"\xC2\x9B"
      "2J\x7F\xC3\xA4\"}";
  const std::string escaped = EscapeControls(document);
  EXPECT_EQ(escaped, "{\"a\": \"\\u009b2J\\u007f\xC3\xA4\"}");
  ASSERT_TRUE(ParseJson(escaped));
  EXPECT_EQ(ParseJson(escaped)->TextOf("a"), ParseJson(document)->TextOf("a"));
}

TEST(ParseJson, RefusesRawControlsAndWhatIsNotUtf8) {
  for (const char* text : {"\"\x1B[2J\"", "\"a\nb\"", "\"\xFF\"", "\"\xC3\"", "{\"\x1B\": 1}"}) {
    EXPECT_FALSE(ParseJson(text)) << text;
  }
}

TEST(JsonToLines, PrintsNothingThatATerminalObeys) {
  EXPECT_EQ(JsonToLines(*ParseJson("{\"s\": \"\\u001b[2J\\n\", \"\\u001b\": {\"\\u009b\": 1}, "
                                   "\"l\": [\"\\u001b\"]}")),
            "s: \\033[2J\\012\n\\033: \\302\\233 1\nl:\n  - \\033\n");
}

TEST(PrintableLines, KeepsNewlinesAndBackslashesAlone) {
  EXPECT_EQ(PrintableLines("a\\b\nc\x1B\r\xFF"), "a\\b\nc\\033\\015\\377");
}

TEST(PrintError, EscapesTheMessage) {
  testing::internal::CaptureStderr();
  PrintError("a\x1B[2J\nshuntfs: forged");
  PrintErrors("one\ntwo\xC2\x9B");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "shuntfs: a\\033[2J\\012shuntfs: forged\nshuntfs: one\ntwo\\302\\233\n");
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "}", "{\"a\"}", "{\"a\": }", "[1,]", "[1 2]", "\"open", "{} {}",
                           "tru", "\"\\x\"", "\"\\u12\"", "\"\\u12zz\"", "{a: 1}"}) {
    EXPECT_FALSE(ParseJson(text)) << text;
  }
}

TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_TRUE(ParseJson(std::string(10, '[') + std::string(10, ']')));
  EXPECT_FALSE(ParseJson(std::string(100000, '[')));
}

TEST(JsonToLines, PutsCountersOnOneLine) {
  EXPECT_EQ(JsonToLines(*ParseJson("{\"pid\": 7, \"operations\": {\"READ\": {\"count\": 2, "
                                   "\"errors\": 0}}}")),
            "pid: 7\noperations:\n  READ: count 2 errors 0\n");
}

}  // namespace
}  // namespace shuntfs
