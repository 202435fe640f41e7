#include "engram/server/consolidate_convert.h"

#include <gtest/gtest.h>

#include "engram/server/convert.h"

namespace engram::server {
namespace {

using Outcome = memory::ConsolidationStep::Outcome;

memory::StoreCommand FullCommand() {
  memory::StoreCommand command;
  command.space = SpaceId("notes");
  command.id = MemoryId("consolidated-1");
  command.content = "tea is at four";
  command.embedding = {0.5F, -0.25F};
  command.tags = {"home", "tea"};
  command.metadata = {{"by", "ann"}, {"engram.consolidated", "mark"}};
  command.links = {{MemoryId("a"), 0.5}, {MemoryId("b"), 1}};
  command.confidence = 0.75;
  command.kind = memory::Kind::kSemantic;
  command.occurred_at = WallMillis{1'234'567};
  command.if_state = 0xFEDC'BA98'7654'3210;
  return command;
}

// What travels as a client's request says what the plan says.
TEST(ConsolidateConvert, AStoreIsTheSameAfterItsWayThroughARequest) {
  const memory::StoreCommand sent = FullCommand();
  auto received = ToCommand(ToRequest(sent), {}, memory::CreateSpace::kNo);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->space, sent.space);
  EXPECT_EQ(received->id, sent.id);
  EXPECT_EQ(received->content, sent.content);
  EXPECT_EQ(received->embedding, sent.embedding);
  EXPECT_EQ(received->tags, sent.tags);
  EXPECT_EQ(received->metadata, sent.metadata);
  EXPECT_EQ(received->links, sent.links);
  EXPECT_EQ(received->confidence, sent.confidence);
  EXPECT_EQ(received->kind, sent.kind);
  EXPECT_EQ(received->occurred_at, sent.occurred_at);
  EXPECT_EQ(received->if_state, sent.if_state);
}

TEST(ConsolidateConvert, AForgetToo) {
  const memory::ForgetCommand sent{
      SpaceId("notes"), MemoryId("m"), {}, memory::Branch::kNo, 1'234'567};
  const memory::ForgetCommand received = ToCommand(ToRequest(sent), {});
  EXPECT_EQ(received.space, sent.space);
  EXPECT_EQ(received.id, sent.id);
  EXPECT_EQ(received.if_state, sent.if_state);
}

TEST(ConsolidateConvert, ALinkOfFullWeightAndNoConfidenceToo) {
  memory::StoreCommand sent;
  sent.space = SpaceId("notes");
  sent.content = "tea";
  auto received = ToCommand(ToRequest(sent), {}, memory::CreateSpace::kNo);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_FALSE(received->id.has_value());
  EXPECT_FALSE(received->confidence.has_value());
  EXPECT_FALSE(received->occurred_at.has_value());
  EXPECT_FALSE(received->if_state.has_value());
}

TEST(ConsolidateConvert, AQueryHasTheDefaultsOfTheEngineUnlessItSaysOtherwise) {
  v1::ConsolidateRequest request;
  request.set_space("notes");
  const memory::SimilarityOptions defaults;
  EXPECT_EQ(ToQuery(request).similarity.embedding_min, defaults.embedding_min);
  EXPECT_EQ(ToQuery(request).similarity.text_min, defaults.text_min);
  request.set_embedding_similarity(0.99);
  request.set_text_similarity(0.9);
  EXPECT_EQ(ToQuery(request).space, SpaceId("notes"));
  EXPECT_EQ(ToQuery(request).similarity.embedding_min, 0.99);
  EXPECT_EQ(ToQuery(request).similarity.text_min, 0.9);
}

TEST(ConsolidateConvert, AGroupTellsItsSourcesAndWhatIsWrittenOfThem) {
  memory::ConsolidationStep step;
  step.id = MemoryId("consolidated-1");
  step.outcome = Outcome::kUpdated;
  step.sources = {{MemoryId("a"), 1}, {MemoryId("b"), 0.96}};
  step.store = FullCommand();
  step.forgets.push_back({SpaceId("notes"), MemoryId("consolidated-2"), {}});
  const v1::ConsolidatedGroup group = ToProto(step);
  EXPECT_EQ(group.id(), "consolidated-1");
  EXPECT_EQ(group.outcome(), v1::CONSOLIDATE_OUTCOME_UPDATED);
  ASSERT_EQ(group.sources_size(), 2);
  EXPECT_EQ(group.sources(1).id(), "b");
  EXPECT_EQ(group.sources(1).similarity(), 0.96);
  EXPECT_EQ(group.content(), "tea is at four");
  EXPECT_EQ(group.confidence(), 0.75);
  ASSERT_EQ(group.superseded_size(), 1);
  EXPECT_EQ(group.superseded(0), "consolidated-2");
}

TEST(ConsolidateConvert, EveryOutcomeIsCountedOnce) {
  v1::ConsolidateTotals totals;
  for (Outcome outcome :
       {Outcome::kCreated, Outcome::kUpdated, Outcome::kUnchanged, Outcome::kTakenOver}) {
    memory::ConsolidationStep step;
    step.outcome = outcome;
    Count(ToProto(step), totals);
  }
  v1::ConsolidatedGroup failed;
  failed.set_outcome(v1::CONSOLIDATE_OUTCOME_FAILED);
  Count(failed, totals);
  EXPECT_EQ(totals.created(), 1u);
  EXPECT_EQ(totals.updated(), 1u);
  EXPECT_EQ(totals.unchanged(), 1u);
  EXPECT_EQ(totals.taken_over(), 1u);
  EXPECT_EQ(totals.failed(), 1u);
}

}  // namespace
}  // namespace engram::server
