// A recall over several spaces keeps the rules of all other reads (SPEC R3, R4, R8, R12, R16), with
// real processes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "support/requests.h"
#include "support/scrape.h"
#include "support/two_copies.h"

namespace engram::testing {
namespace {

using client::Explain;
using client::ReadPreference;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

constexpr int kEntry = TwoCopies::kEntry;
constexpr int kPrimary = TwoCopies::kPrimary;
constexpr int kReplica = TwoCopies::kReplica;

v1::RecallManyRequest Question(const std::vector<std::string>& spaces, bool strict = false) {
  v1::RecallManyRequest request;
  for (const std::string& space : spaces) request.add_spaces(space);
  request.set_query("tea");
  request.set_strict(strict);
  return request;
}

std::set<std::string> NodesOf(const std::vector<v1::Attempt>& route) {
  std::set<std::string> nodes;
  for (const v1::Attempt& attempt : route) nodes.insert(attempt.node());
  return nodes;
}

// Eight spaces, each on a primary and a replica; the entry node holds none of them.
const std::vector<std::string>& Eight() {
  static const std::vector<std::string> kSpaces = {"s-0", "s-1", "s-2", "s-3",
                                                   "s-4", "s-5", "s-6", "s-7"};
  return kSpaces;
}

class ScatterRules : public ::testing::Test {
 protected:
  using Reply = absl::StatusOr<client::Answer<v1::RecallResponse>>;

  Reply Ask(const v1::RecallManyRequest& request, int node = kEntry,
            std::optional<ReadPreference> preference = std::nullopt) {
    return copies_.Asker(node, preference)->RecallMany(request, Explain::kYes);
  }
  // Requests, of whatever kind, that have come to the node.
  double Received(int node) {
    return ValueOf(Scrape(copies_.cluster(), node), "engram_wire_streams_begun_total");
  }
  void InstallAtEntry(int primary, uint64_t counter) {
    std::vector<v1::Assignment> table;
    for (const std::string& space : Eight()) {
      table.push_back(MakeAssignment(copies_.cluster(), space, counter, primary));
    }
    copies_.hooks().InstallTable(kEntry, table);
  }

  TwoCopies copies_{{}, Eight()};
};

TEST_F(ScatterRules, SpacesThatTheEntryNodeDoesNotKnowAreFoundByAskingAll) {
  copies_.hooks().InstallTable(kEntry, {});
  auto answer = Ask(Question(Eight()));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 8u);
  EXPECT_EQ(answer->message.results_size(), 8);
  EXPECT_GE(copies_.Counted("engram_routing_lookups_total"), 1);
  EXPECT_EQ(copies_.Counted("engram_routing_table_spaces"), 8) << "and it has learnt";

  auto nowhere = Ask(Question({"s-0", "nowhere"}));
  ASSERT_TRUE(nowhere.ok()) << nowhere.status();
  ASSERT_EQ(nowhere->message.coverage().missing_size(), 1);
  EXPECT_EQ(nowhere->message.coverage().missing(0).code(), "NO_ASSIGNMENT");
}

TEST_F(ScatterRules, AMissingSpaceIsNotCalledInexistentWhileSomebodyIsSilent) {
  copies_.cluster().Kill9(kReplica);
  auto answer = Ask(Question({"s-0", "nowhere"}));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->message.coverage().missing_size(), 1);
  EXPECT_EQ(answer->message.coverage().missing(0).code(), "ALL_REPLICAS_FAILED");
}

TEST_F(ScatterRules, AStaleRouteIsFollowedCountedAndExplained) {
  InstallAtEntry(kPrimary, 1);
  std::vector<v1::Assignment> moved;
  for (const std::string& space : Eight()) {
    copies_.hooks().Drop(kPrimary, space);
    copies_.hooks().Hold(kReplica, MakeAssignment(copies_.cluster(), space, 20, kReplica));
    moved.push_back(MakeAssignment(copies_.cluster(), space, 20, kReplica));
  }
  copies_.hooks().InstallTable(kPrimary, moved);
  auto answer = Ask(Question(Eight()));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 8u);
  std::vector<std::string> lines;
  for (const v1::Attempt& a : answer->route) lines.push_back(a.node() + " " + a.outcome());
  EXPECT_THAT(lines, ElementsAre(copies_.Primary() + " redirect", copies_.Replica() + " ok"));
  EXPECT_EQ(answer->route[1].reason(), "redirected");
  EXPECT_EQ(copies_.Counted("engram_routing_hops_total"), 2);
  EXPECT_EQ(copies_.Counted("engram_routing_redirects_total"), 8);
  EXPECT_EQ(copies_.Counted("engram_routing_stale_requests_total"), 1);
  EXPECT_EQ(copies_.Counted("engram_routing_lookups_total"), 0);
}

TEST_F(ScatterRules, SpacesOfADeadPrimaryAreAnsweredByTheirReplica) {
  copies_.cluster().Kill9(kPrimary);
  auto answer = Ask(Question(Eight()));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 8u);
  EXPECT_DOUBLE_EQ(answer->message.confidence(), 1);
  EXPECT_EQ(copies_.Counted("engram_routing_fallbacks_total"), 1) << "one request, eight spaces";
  EXPECT_EQ(copies_.Counted("engram_routing_hops_total"), 1);
}

TEST_F(ScatterRules, TheRequestSaysWhichHolderAnswers) {
  auto nodes = [&](std::optional<ReadPreference> preference, int node) {
    auto answer = Ask(Question(Eight()), node, preference);
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->message.coverage().answered(), 8u);
    return NodesOf(answer->route);
  };
  EXPECT_THAT(nodes({}, kEntry), ElementsAre(copies_.Primary()));
  EXPECT_THAT(nodes(ReadPreference::kReplicaPreferred, kEntry), ElementsAre(copies_.Replica()));
  EXPECT_THAT(nodes({}, kReplica), ElementsAre(copies_.Replica())) << "local first";
  EXPECT_THAT(nodes(ReadPreference::kPrimary, kReplica), ElementsAre(copies_.Primary()));

  copies_.cluster().Kill9(kPrimary);
  auto answer = Ask(Question(Eight()), kEntry, ReadPreference::kPrimary);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 0u) << "no replica stands in";
  EXPECT_EQ(answer->message.results_size(), 0);

  const CommandResult result = copies_.cluster().Cli(
      kEntry, {"recall", "--spaces", "s-*", "tea", "--json", "--read-preference", "primary"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["coverage"]["answered"], 0);
}

TEST(ScatterPolicies, ASpaceIsReadAsTheConfigurationSays) {
  TwoCopies copies({"--space-read-preferences", "s-0=replica_preferred"}, {"s-0", "s-1"});
  auto answer = copies.Asker()->RecallMany(Question({"s-0", "s-1"}), Explain::kYes);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(NodesOf(answer->route), UnorderedElementsAre(copies.Primary(), copies.Replica()));
}

TEST(ScatterPolicies, WithoutReplicaFallbackNobodyStandsIn) {
  TwoCopies copies({"--replica-fallback", "off"}, {"s-0", "s-1"});
  copies.cluster().Kill9(kPrimary);
  auto answer = copies.Asker()->RecallMany(Question({"s-0", "s-1"}), Explain::kYes);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 0u);
  EXPECT_THAT(NodesOf(answer->route), ElementsAre(copies.Primary()));
}

// --- cut off

constexpr double kFactor = 1 - 0.5 * (1 - 1.0 / 3);

TEST_F(ScatterRules, WhoIsCutOffAnswersForWhatItHoldsAndAsksNobody) {
  ASSERT_TRUE(Ask(Question(Eight()), kReplica).ok());
  const double before = Received(kEntry) + Received(kPrimary);
  copies_.hooks().Reach(kReplica, 1, 3);
  auto answer = Ask(Question({"s-0", "s-1", "elsewhere"}), kReplica);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->degraded);
  const v1::Coverage& coverage = answer->message.coverage();
  EXPECT_EQ(coverage.asked(), 3u);
  EXPECT_EQ(coverage.answered(), 2u);
  ASSERT_EQ(coverage.missing_size(), 1);
  EXPECT_EQ(coverage.missing(0).space(), "elsewhere");
  EXPECT_EQ(coverage.missing(0).code(), "NO_LOCAL_DATA");
  EXPECT_GT(coverage.missing(0).retry_after_ms(), 0u);
  EXPECT_NEAR(answer->message.confidence(), kFactor * 2 / 3, 1e-9);
  ASSERT_EQ(answer->message.results_size(), 2);
  EXPECT_LT(answer->message.results(0).confidence(), kFactor + 1e-9);
  EXPECT_THAT(NodesOf(answer->route), ElementsAre(copies_.Replica()));

  auto matched = Ask(Question({"*"}), kReplica);
  ASSERT_TRUE(matched.ok()) << matched.status();
  EXPECT_TRUE(matched->degraded);
  EXPECT_EQ(matched->message.coverage().answered(), 8u);
  EXPECT_EQ(matched->message.coverage().unreached_size(), 2);
  EXPECT_NEAR(matched->message.confidence(), kFactor / 3, 1e-9);
  EXPECT_EQ(Received(kEntry) + Received(kPrimary), before) << "somebody was asked";

  copies_.hooks().Reach(kReplica, 3, 3);
  auto healed = Ask(Question({"s-0", "elsewhere"}), kReplica);
  ASSERT_TRUE(healed.ok()) << healed.status();
  EXPECT_FALSE(healed->degraded);
  EXPECT_EQ(healed->message.coverage().missing(0).code(), "NO_ASSIGNMENT");
}

TEST_F(ScatterRules, StrictlyWhoIsCutOffRefusesAndSaysWhenToComeAgain) {
  copies_.hooks().Reach(kReplica, 1, 3);
  const absl::Status refused = Ask(Question({"s-0", "elsewhere"}, true), kReplica).status();
  const ErrorDetail detail = DetailOf(refused);
  EXPECT_EQ(detail.code, ErrorCode::kNoLocalData) << refused;
  EXPECT_EQ(detail.space, "elsewhere");
  EXPECT_GT(detail.retry_after, Duration::zero());
  EXPECT_TRUE(Ask(Question({"s-0", "s-1"}, true), kReplica).ok());
}

TEST_F(ScatterRules, WhatANodeThatIsCutOffAnswersIsFlaggedAtTheNodeThatAsked) {
  copies_.hooks().Reach(kPrimary, 1, 3);
  auto answer = Ask(Question(Eight()));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->degraded);
  EXPECT_EQ(answer->message.coverage().answered(), 8u);
  EXPECT_NEAR(answer->message.confidence(), kFactor, 1e-9);
}

TEST_F(ScatterRules, TheCommandShowsItAll) {
  copies_.hooks().Reach(kReplica, 1, 3);
  const CommandResult result = copies_.cluster().Cli(
      kReplica, {"recall", "--spaces", "s-0,elsewhere", "tea", "--json", "--explain"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json answer = Json::parse(result.out);
  EXPECT_EQ(answer["degraded"], true);
  EXPECT_EQ(answer["coverage"]["asked"], 2);
  EXPECT_EQ(answer["coverage"]["answered"], 1);
  EXPECT_EQ(answer["coverage"]["missing"][0]["space"], "elsewhere");
  EXPECT_EQ(answer["coverage"]["missing"][0]["code"], "NO_LOCAL_DATA");
  EXPECT_NEAR(answer["confidence"], kFactor / 2, 1e-9);
  ASSERT_EQ(answer["route"].size(), 1u);
  EXPECT_EQ(answer["route"][0]["node"], copies_.Replica());
  EXPECT_EQ(answer["route"][0]["outcome"], "ok");

  const CommandResult strict =
      copies_.cluster().Cli(kReplica, {"recall", "--spaces", "s-0,elsewhere", "tea", "--strict"});
  EXPECT_EQ(strict.exit_code, 1);
  EXPECT_THAT(strict.err, HasSubstr("elsewhere"));
}

}  // namespace
}  // namespace engram::testing
