// A recall over several spaces of a cluster of real nodes (SPEC R11).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>

#include "engram/base/error.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

using client::Explain;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Json = nlohmann::json;

v1::RecallManyRequest Question(const std::vector<std::string>& spaces, const std::string& query) {
  v1::RecallManyRequest request;
  for (const std::string& space : spaces) request.add_spaces(space);
  request.set_query(query);
  return request;
}

// Memories that are in every cluster the same: with common and rare words, embeddings, links.
void Fill(TestCluster& cluster, const std::vector<std::string>& spaces) {
  std::vector<v1::StoreRequest> memories;
  for (int i = 0; i < 240; ++i) {
    v1::StoreRequest& memory = memories.emplace_back();
    memory.set_space(spaces[static_cast<size_t>(i) % spaces.size()]);
    memory.set_id("m" + std::to_string(i));
    std::string content = "tea ";
    for (int word = 0; word < 1 + i % 7; ++word)
      content += "w" + std::to_string(i % (word + 5)) + " ";
    memory.set_content(content);
    for (int axis = 0; axis < 3; ++axis) {
      memory.add_embedding(static_cast<float>((i * (axis + 3)) % 11) - 4.5F);
    }
    const int target = i - static_cast<int>(spaces.size()) * (1 + i % 3);
    if (target < 0) continue;
    v1::LinkTarget* link = memory.add_links();
    link->set_to("m" + std::to_string(target));
    link->set_weight(0.2 + 0.1 * (i % 8));
  }
  auto stored = cluster.Client({0})->StoreAll(memories);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->message.stored(), memories.size());
}

std::map<std::string, int> RequestsByNode(const std::vector<v1::Attempt>& route,
                                          const std::string& reason) {
  std::map<std::string, int> requests;
  for (const v1::Attempt& attempt : route) {
    if (attempt.reason() == reason) ++requests[attempt.node()];
  }
  return requests;
}

class Scatter : public ::testing::Test {
 protected:
  Scatter() {
    for (int node = 0; node < 3; ++node) spaces_.push_back(cluster_.SpaceOn(node, "notes-"));
    spaces_.push_back(cluster_.SpaceOn(1, "diary"));
  }

  absl::StatusOr<client::Answer<v1::RecallResponse>> Ask(int entry,
                                                         const v1::RecallManyRequest& request) {
    return cluster_.Client({entry})->RecallMany(request, Explain::kYes);
  }

  TestCluster cluster_;
  std::vector<std::string> spaces_;  // on nodes 0, 1, 2, 1
};

TEST_F(Scatter, TheSameMemoriesOnOneNodeOrThreeAreFoundAlike) {
  TestClusterOptions one_node;
  one_node.nodes = 1;
  TestCluster alone(one_node);
  Fill(cluster_, spaces_);
  Fill(alone, spaces_);
  std::vector<v1::RecallManyRequest> questions = {Question(spaces_, "tea w1 w4 unheard"),
                                                  Question(spaces_, "w3"), Question(spaces_, "")};
  for (float number : {1.0F, -0.5F, 0.25F}) {
    questions[0].add_embedding(number);
    questions[2].add_embedding(number);
  }
  for (v1::RecallManyRequest& question : questions) {
    question.set_limit(50);
    auto expected = alone.Client({0})->RecallMany(question);
    ASSERT_TRUE(expected.ok()) << expected.status();
    EXPECT_EQ(expected->message.results_size(), 50);
    for (int entry = 0; entry < 3; ++entry) {
      auto answer = Ask(entry, question);
      ASSERT_TRUE(answer.ok()) << answer.status();
      ASSERT_EQ(answer->message.results_size(), expected->message.results_size());
      for (int i = 0; i < 50; ++i) {
        v1::RecallResult ours = answer->message.results(i);
        v1::RecallResult theirs = expected->message.results(i);
        // Each was stored at its own time.
        ours.clear_occurred_at();
        theirs.clear_occurred_at();
        EXPECT_EQ(ours.DebugString(), theirs.DebugString()) << "rank " << i + 1;
      }
    }
  }
}

TEST_F(Scatter, EachNodeIsAskedOnceInEachStep) {
  Fill(cluster_, spaces_);
  auto answer = Ask(0, Question(spaces_, "tea w2"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->served_by, cluster_.Name(0));
  EXPECT_EQ(answer->message.coverage().asked(), 4u);
  EXPECT_EQ(answer->message.coverage().answered(), 4u);
  EXPECT_DOUBLE_EQ(answer->message.confidence(), 1);
  const std::map<std::string, int> once = {
      {cluster_.Name(0), 1}, {cluster_.Name(1), 1}, {cluster_.Name(2), 1}};
  EXPECT_EQ(RequestsByNode(answer->route, "words counted"), once);
  EXPECT_EQ(RequestsByNode(answer->route, "searched"), once);
  EXPECT_THAT(answer->route, SizeIs(6));

  // By embedding alone, or with all spaces on one node, there are no words to weigh before.
  v1::RecallManyRequest by_embedding = Question(spaces_, "");
  for (int i = 0; i < 3; ++i) by_embedding.add_embedding(1);
  EXPECT_THAT(Ask(2, by_embedding)->route, SizeIs(3));
  EXPECT_THAT(Ask(0, Question({spaces_[1], spaces_[3], spaces_[1]}, "tea"))->route, SizeIs(1));
}

TEST_F(Scatter, ADeadNodesSpacesAreNamedAndTheOthersAnswer) {
  Fill(cluster_, spaces_);
  cluster_.Kill9(2);
  const std::vector<std::string> asked = {spaces_[0], spaces_[1], spaces_[2]};
  for (int entry = 0; entry < 2; ++entry) {
    auto answer = Ask(entry, Question(asked, "tea"));
    ASSERT_TRUE(answer.ok()) << answer.status();
    const v1::Coverage& coverage = answer->message.coverage();
    EXPECT_EQ(coverage.asked(), 3u);
    EXPECT_EQ(coverage.answered(), 2u);
    ASSERT_EQ(coverage.missing_size(), 1);
    EXPECT_EQ(coverage.missing(0).space(), spaces_[2]);
    EXPECT_THAT(coverage.missing(0).reason(), HasSubstr(cluster_.Name(2)));
    EXPECT_NEAR(answer->message.confidence(), 2.0 / 3, 1e-9);
    EXPECT_EQ(answer->message.results_size(), 10);

    v1::RecallManyRequest strict = Question(asked, "tea");
    strict.set_strict(true);
    auto refused = Ask(entry, strict);
    EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kAllReplicasFailed);
    EXPECT_EQ(DetailOf(refused.status()).space, spaces_[2]);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(spaces_[2]));
  }
}

TEST_F(Scatter, ASilentNodeDoesNotCostTheAnswerOfTheOthers) {
  Fill(cluster_, spaces_);
  cluster_.node(2).Signal(SIGSTOP);
  auto answer = cluster_.Client({0}, std::chrono::seconds(2))->RecallMany(Question(spaces_, "tea"));
  cluster_.node(2).Signal(SIGCONT);
  ASSERT_TRUE(answer.ok()) << answer.status();  // within the client's deadline
  ASSERT_EQ(answer->message.coverage().missing_size(), 1);
  EXPECT_EQ(answer->message.coverage().missing(0).space(), spaces_[2]);
  EXPECT_THAT(answer->message.coverage().missing(0).reason(), HasSubstr("no answer"));
  EXPECT_EQ(answer->message.results_size(), 10);
}

TEST_F(Scatter, PatternsAskEveryNodeWhatItHolds) {
  Fill(cluster_, spaces_);
  auto answer = Ask(1, Question({"notes-*"}, "tea"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().answered(), 3u);
  // Named and matched is asked once.
  answer = Ask(1, Question({"notes-*", spaces_[0], "*"}, "tea"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.coverage().asked(), 4u);
  EXPECT_EQ(answer->message.coverage().answered(), 4u);

  auto nothing = Ask(1, Question({"letters-*"}, "tea"));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(nothing->message.results_size(), 0);
  EXPECT_EQ(nothing->message.coverage().asked(), 0u);
  EXPECT_DOUBLE_EQ(nothing->message.confidence(), 1);
}

TEST_F(Scatter, APatternSaysWhichNodeDidNotAnswer) {
  Fill(cluster_, spaces_);
  cluster_.Kill9(2);
  auto answer = Ask(0, Question({"notes-*"}, "tea"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  const v1::Coverage& coverage = answer->message.coverage();
  EXPECT_EQ(coverage.answered(), 2u);
  // Node 0 stored through node 2, and so knows what is there.
  ASSERT_EQ(coverage.missing_size(), 1);
  EXPECT_EQ(coverage.missing(0).space(), spaces_[2]);
  ASSERT_EQ(coverage.unreached_size(), 1);
  EXPECT_EQ(coverage.unreached(0).id(), cluster_.Name(2));
  EXPECT_NEAR(answer->message.confidence(), 2.0 / 3, 1e-9);
}

TEST_F(Scatter, ASpaceThatDoesNotExistIsMissingAndNoError) {
  Fill(cluster_, spaces_);
  auto answer = Ask(0, Question({spaces_[0], "nowhere"}, "tea"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->message.coverage().missing_size(), 1);
  EXPECT_EQ(answer->message.coverage().missing(0).space(), "nowhere");
  EXPECT_EQ(answer->message.coverage().missing(0).reason(), "no such space");
  EXPECT_DOUBLE_EQ(answer->message.confidence(), 0.5);
  v1::RecallManyRequest strict = Question({spaces_[0], "nowhere"}, "tea");
  strict.set_strict(true);
  EXPECT_EQ(CodeOf(Ask(0, strict).status()), ErrorCode::kNoAssignment);
}

TEST_F(Scatter, LargeMemoriesAreReadApart) {
  auto client = cluster_.Client({0});
  for (int i = 0; i < 3; ++i) {
    v1::StoreRequest memory;
    memory.set_space(spaces_[static_cast<size_t>(i)]);
    memory.set_id("large");
    memory.set_content("tea " + std::string(1'100'000, 'x'));
    ASSERT_TRUE(client->Store(memory).ok());
  }
  auto answer = Ask(0, Question(spaces_, "tea"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->message.results_size(), 3);
  for (const auto& result : answer->message.results()) {
    EXPECT_EQ(result.content().size(), 1'100'004u);
  }
  EXPECT_EQ(RequestsByNode(answer->route, "read").size(), 3u);
}

TEST_F(Scatter, BadInputNamesItsField) {
  auto field = [&](const v1::RecallManyRequest& request) {
    return DetailOf(Ask(0, request).status()).field;
  };
  EXPECT_EQ(field(Question({}, "tea")), "spaces");
  EXPECT_EQ(field(Question({"No Capitals"}, "tea")), "spaces");
  EXPECT_EQ(field(Question({"no spaces *"}, "tea")), "spaces");
  EXPECT_EQ(field(Question({std::string(129, '*')}, "tea")), "spaces");
  EXPECT_EQ(field(Question(std::vector<std::string>(1001, "s"), "tea")), "spaces");
  EXPECT_EQ(field(Question({"s"}, "")), "query");
  v1::RecallManyRequest request = Question({"s"}, "tea");
  request.set_limit(1001);
  EXPECT_EQ(field(request), "limit");
}

TEST_F(Scatter, TheCommandTakesListsAndPatterns) {
  Fill(cluster_, spaces_);
  CommandResult result =
      cluster_.Cli(0, {"recall", "--spaces", spaces_[0] + "," + spaces_[2], "--json", "tea"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  Json answer = Json::parse(result.out);
  EXPECT_EQ(answer["coverage"]["answered"], 2);
  EXPECT_EQ(answer["coverage"]["missing"], Json::array());
  EXPECT_EQ(answer["results"].size(), 10u);

  result = cluster_.Cli(0, {"recall", "--spaces", "notes-*,nowhere", "tea"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("notes-"));
  EXPECT_THAT(result.err, AllOf(HasSubstr("INCOMPLETE: 3 of 4 spaces"),
                                HasSubstr("missing nowhere: no such space")));

  EXPECT_EQ(cluster_.Cli(0, {"recall", "--spaces", "notes-*,nowhere", "--strict", "tea"}).exit_code,
            1);
  EXPECT_EQ(cluster_.Cli(0, {"recall", "--spaces", "a", "--space", "b", "tea"}).exit_code, 2);
  EXPECT_EQ(cluster_.Cli(0, {"recall", "--space", "b", "--strict", "tea"}).exit_code, 2);
  EXPECT_EQ(cluster_.Cli(0, {"recall", "tea"}).exit_code, 2);
}

}  // namespace
}  // namespace engram::testing
