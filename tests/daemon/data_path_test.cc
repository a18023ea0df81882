#include "daemon/data_path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/json.h"
#include "daemon/status_document.h"

namespace shuntfs {
namespace {

std::vector<ModeProbe> Probes(bool per_entry) {
  return {{"zero-copy", false, "the kernel is too old", "boot a newer kernel"},
          {"buffer-pool", false, "the kernel is too old", ""},
          {"per-entry", per_entry, per_entry ? "works" : "the ring is off", "switch it on"},
          {"device", true, "works", ""},
          {"kernel", true, "works", ""}};
}

TEST(DataPathPlan, AutoTriesTheBestFirstAndNeverKernel) {
  const absl::StatusOr<DataPathPlan> plan = DataPathPlan::Make("auto", Probes(true));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->candidates(), (std::vector<std::string>{"per-entry", "device"}));
}

TEST(DataPathPlan, AForcedModeIsTriedAlone) {
  const absl::StatusOr<DataPathPlan> plan = DataPathPlan::Make("device", Probes(true));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->candidates(), (std::vector<std::string>{"device"}));
  EXPECT_NE(plan->Choose("device").reasons.at("per-entry").find("device was asked for"),
            std::string::npos);
}

TEST(DataPathPlan, AForcedModeThatIsNotThereFailsWithReasonAndRemedy) {
  const absl::Status status = DataPathPlan::Make("per-entry", Probes(false)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()),
            "data path per-entry is not available: the ring is off; switch it on");
  EXPECT_FALSE(DataPathPlan::Make("unheard-of", Probes(true)).ok());
}

TEST(DataPathPlan, EveryModeGetsItsReason) {
  absl::StatusOr<DataPathPlan> plan = DataPathPlan::Make("auto", Probes(true));
  ASSERT_TRUE(plan.ok());
  plan->NoteFailure("per-entry", "no memory");
  const DataPathChoice choice = plan->Choose("device");
  EXPECT_EQ(choice.mode, "device");
  EXPECT_EQ(choice.reasons.size(), 5u);
  EXPECT_NE(choice.reasons.at("zero-copy").find("boot a newer kernel"), std::string::npos);
  EXPECT_NE(choice.reasons.at("per-entry").find("no memory"), std::string::npos);
  EXPECT_NE(choice.reasons.at("device").find("in use"), std::string::npos);
  const std::string line = DescribeChoice(choice, Probes(true));
  EXPECT_EQ(line.find("data path device"), 0u);
  EXPECT_NE(line.find("not per-entry: could not be started: no memory"), std::string::npos);
  EXPECT_EQ(line.find("not kernel"), std::string::npos);  // No better one.
}

TEST(StatusDocument, IsJsonWithTheFactsAndTheServersMembers) {
  StatusFacts facts;
  facts.source = "/a \"b\"";
  facts.mountpoint = "/m\xFF";
  facts.pid = 42;
  facts.choice = {"device", {{"device", "in use"}, {"per-entry", "off"}}};
  const std::optional<JsonValue> document =
      ParseJson(StatusDocument(facts, 1.5, "\"io\": {\"plain_read_bytes\": 7}"));
  ASSERT_TRUE(document);
  EXPECT_EQ(document->TextOf("source"), facts.source);
  EXPECT_EQ(document->TextOf("pid"), "42");
  EXPECT_EQ(document->TextOf("uptime_s"), "1.500");
  EXPECT_EQ(document->TextOf("data_path"), "device");
  EXPECT_EQ(document->Find("data_path_reasons")->TextOf("per-entry"), "off");
  EXPECT_EQ(document->Find("io")->TextOf("plain_read_bytes"), "7");
  EXPECT_TRUE(ParseJson(StatusDocument(facts, 0, "")));
}

}  // namespace
}  // namespace shuntfs
