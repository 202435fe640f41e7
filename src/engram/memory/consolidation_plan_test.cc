// Consolidating a space of a real engine: plan, carry out, plan again.
#include "engram/memory/consolidation_plan.h"

#include <fmt/format.h>

#include "engram/memory/state_tag.h"
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Outcome = ConsolidationStep::Outcome;

class Consolidation : public EngineTest {
 protected:
  ConsolidationQuery Query() const {
    ConsolidationQuery query;
    query.space = space_;
    query.time = {WallMillis{now_.load()}, std::chrono::minutes(15)};
    return query;
  }

  ConsolidationPlan Plan(const ConsolidationQuery& query) {
    auto plan = engine_->PlanConsolidation(query);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : ConsolidationPlan();
  }
  ConsolidationPlan Plan() { return Plan(Query()); }

  void CarryOut(const ConsolidationPlan& plan) {
    for (const ConsolidationStep& step : plan.steps) {
      if (step.store.has_value()) {
        const auto stored = Store(*step.store);
        EXPECT_TRUE(stored.ok()) << stored.status();
      }
      for (const ForgetCommand& forget : step.forgets) {
        const auto done = Await([&](auto told) { engine_->Forget(forget, std::move(told)); });
        EXPECT_TRUE(done.ok()) << done.status();
      }
    }
  }

  static std::vector<Outcome> OutcomesOf(const ConsolidationPlan& plan) {
    std::vector<Outcome> outcomes;
    for (const ConsolidationStep& step : plan.steps) outcomes.push_back(step.outcome);
    return outcomes;
  }

  // Of the only step.
  static std::string OnlyId(const ConsolidationPlan& plan) {
    EXPECT_THAT(plan.steps, SizeIs(1));
    return plan.steps.empty() ? "" : plan.steps.front().id.value();
  }

  std::vector<std::string> TargetsOf(const std::string& id) {
    std::vector<std::string> targets;
    const auto memory = Get(id);
    EXPECT_TRUE(memory.ok()) << memory.status();
    if (!memory.ok()) return targets;
    for (const engram::memory::Link& link : memory->links) targets.push_back(link.to.value());
    return targets;
  }
};

TEST_F(Consolidation, NearDuplicatesBecomeOneSemanticMemory) {
  ASSERT_TRUE(Store("a", "The user prefers dark mode.").ok());
  ASSERT_TRUE(Store("b", "user prefers dark mode").ok());
  ASSERT_TRUE(Store("c", "the weather was fine").ok());
  const ConsolidationPlan plan = Plan();
  EXPECT_EQ(plan.episodes, 3u);
  EXPECT_THAT(OutcomesOf(plan), ElementsAre(Outcome::kCreated));
  CarryOut(plan);
  const auto made = Get(OnlyId(plan));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->kind, Kind::kSemantic);
  EXPECT_EQ(made->content, "The user prefers dark mode.");
  EXPECT_THAT(TargetsOf(OnlyId(plan)), ElementsAre("a", "b"));
  // The sources are what they were.
  EXPECT_EQ(Get("a")->kind, Kind::kEpisodic);
  EXPECT_EQ(Get("b")->content, "user prefers dark mode");
}

TEST_F(Consolidation, ASecondTimeChangesNothing) {
  for (int i = 0; i < 20; ++i) {
    StoreCommand command = MakeStore(fmt::format("e{}", i), fmt::format("text of group {}", i % 5));
    command.embedding = {static_cast<float>(i % 5 == 0), static_cast<float>(i % 5 == 1),
                         static_cast<float>(i % 5 == 2), static_cast<float>(i % 5 == 3),
                         static_cast<float>(i % 5 == 4) + 0.0003F * static_cast<float>(i)};
    command.confidence = 0.1 + 0.01 * i;
    command.tags = {"z", "a"};
    command.metadata = {{"source", "chat"}};
    ASSERT_TRUE(Store(command).ok());
  }
  const ConsolidationPlan first = Plan();
  ASSERT_THAT(first.steps, SizeIs(5));
  CarryOut(first);
  const auto digest = engine_->Digest(space_);
  const ConsolidationPlan second = Plan();
  EXPECT_THAT(OutcomesOf(second),
              ElementsAre(Outcome::kUnchanged, Outcome::kUnchanged, Outcome::kUnchanged,
                          Outcome::kUnchanged, Outcome::kUnchanged));
  CarryOut(second);
  EXPECT_EQ(*engine_->Digest(space_), *digest);
}

TEST_F(Consolidation, CarriedOutTwiceHasOneEffect) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan plan = Plan();
  CarryOut(plan);
  const auto repeated = Store(*plan.steps.front().store);
  ASSERT_TRUE(repeated.ok());
  EXPECT_TRUE(repeated->repeated);
}

// Between plan and write there may be minutes, and the plan may be a replica's that lags.
TEST_F(Consolidation, WhatSomebodyChangesAfterThePlanIsNotOverwritten) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  const std::string id = OnlyId(first);
  CarryOut(first);
  ASSERT_TRUE(Store("c", "same words").ok());
  const ConsolidationPlan late = Plan();
  ASSERT_THAT(OutcomesOf(late), ElementsAre(Outcome::kUpdated));
  StoreCommand edit = MakeStore(id, "what somebody knows better");
  edit.kind = Kind::kSemantic;
  ASSERT_TRUE(Store(edit).ok());
  const auto refused = Store(*late.steps.front().store);
  EXPECT_TRUE(IsChangedMeanwhile(refused.status())) << refused.status();
  EXPECT_EQ(Get(id)->content, "what somebody knows better");
}

TEST_F(Consolidation, ALinkThatSomebodyAddsAfterThePlanIsNotLost) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  const std::string id = OnlyId(first);
  CarryOut(first);
  ASSERT_TRUE(Store("c", "same words").ok());
  ASSERT_TRUE(Store("other", "of something else").ok());
  const ConsolidationPlan late = Plan();
  ASSERT_THAT(OutcomesOf(late), ElementsAre(Outcome::kUpdated));
  ASSERT_TRUE(Link(id, "other").ok());
  const auto refused = Store(*late.steps.front().store);
  EXPECT_TRUE(IsChangedMeanwhile(refused.status())) << refused.status();
  EXPECT_THAT(TargetsOf(id), ElementsAre("a", "b", "other"));
}

TEST_F(Consolidation, WhatSomebodyMakesAfterThePlanIsNotOverwritten) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan plan = Plan();
  ASSERT_TRUE(Store(OnlyId(plan), "made by somebody").ok());
  const auto refused = Store(*plan.steps.front().store);
  EXPECT_TRUE(IsChangedMeanwhile(refused.status())) << refused.status();
  EXPECT_EQ(Get(OnlyId(plan))->content, "made by somebody");
}

TEST_F(Consolidation, TheOrderOfStoringTellsNothing) {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(fmt::format("e{:02}", i));
  std::string first;
  for (int round = 0; round < 5; ++round) {
    space_ = SpaceId("space" + std::to_string(round));
    std::shuffle(ids.begin(), ids.end(), random_);
    for (const std::string& id : ids) {
      ASSERT_TRUE(Store(id, "alpha beta gamma " + std::string(id.back() < '5' ? "x" : "y y")).ok());
    }
    std::string all;
    for (const ConsolidationStep& step : Plan().steps) {
      all += step.id.value() + ":" + step.store->content + ",";
      for (const GroupMember& source : step.sources) all += source.id.value() + " ";
    }
    if (first.empty()) first = all;
    EXPECT_EQ(all, first);
  }
}

TEST_F(Consolidation, AGroupThatGrowsKeepsItsMemory) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  ASSERT_TRUE(Store("c", "same words").ok());
  const ConsolidationPlan second = Plan();
  EXPECT_THAT(OutcomesOf(second), ElementsAre(Outcome::kUpdated));
  EXPECT_EQ(OnlyId(second), OnlyId(first));
  CarryOut(second);
  EXPECT_THAT(TargetsOf(OnlyId(first)), ElementsAre("a", "b", "c"));
}

TEST_F(Consolidation, WhatWasForgottenIsASourceNoMore) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(Store(id, "same words").ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  ASSERT_TRUE(Forget("a").ok());
  CarryOut(Plan());
  EXPECT_THAT(TargetsOf(OnlyId(first)), ElementsAre("b", "c"));
  // One episode is no group: what was distilled from it stays.
  ASSERT_TRUE(Forget("b").ok());
  EXPECT_THAT(Plan().steps, IsEmpty());
  EXPECT_TRUE(Get(OnlyId(first)).ok());
}

TEST_F(Consolidation, WhatWasForgottenIsMadeAgain) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  ASSERT_TRUE(Forget(OnlyId(first)).ok());
  CarryOut(Plan());
  EXPECT_TRUE(Get(OnlyId(first)).ok());
}

TEST_F(Consolidation, WhoChangesItTakesItOver) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  StoreCommand edit = MakeStore(OnlyId(first), "what I make of it");
  edit.kind = Kind::kSemantic;
  ASSERT_TRUE(Store(edit).ok());
  EXPECT_THAT(OutcomesOf(Plan()), ElementsAre(Outcome::kTakenOver));
}

TEST_F(Consolidation, KeepsWhatOthersHaveLinkedItTo) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  StoreCommand fact = MakeStore("fact", "something known");
  fact.kind = Kind::kSemantic;
  ASSERT_TRUE(Store(fact).ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  ASSERT_TRUE(Link(OnlyId(first), "fact", 0.5).ok());
  EXPECT_THAT(OutcomesOf(Plan()), ElementsAre(Outcome::kUnchanged));
  ASSERT_TRUE(Store("c", "same words").ok());
  CarryOut(Plan());
  EXPECT_THAT(TargetsOf(OnlyId(first)), ElementsAre("a", "b", "c", "fact"));
}

TEST_F(Consolidation, TwoMemoriesOfOneGroupBecomeOne) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  const ConsolidationPlan first = Plan();
  CarryOut(first);
  // As the other side of a split has made it.
  ASSERT_TRUE(Store("c", "other text").ok());
  ASSERT_TRUE(Store("d", "other text").ok());
  const ConsolidationPlan second = Plan();
  const std::string other = second.steps.back().id.value();
  CarryOut(second);
  ASSERT_TRUE(Store("c", "same words").ok());
  ASSERT_TRUE(Store("d", "same words").ok());
  CarryOut(Plan());
  EXPECT_NE(Get(OnlyId(first)).ok(), Get(other).ok());
  const std::string kept = Get(other).ok() ? other : OnlyId(first);
  EXPECT_THAT(TargetsOf(kept), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(OutcomesOf(Plan()), ElementsAre(Outcome::kUnchanged));
}

TEST_F(Consolidation, OneThatIsChangedAfterThePlanIsNotForgotten) {
  ASSERT_TRUE(Store("a", "same words").ok());
  ASSERT_TRUE(Store("b", "same words").ok());
  CarryOut(Plan());
  ASSERT_TRUE(Store("c", "other text").ok());
  ASSERT_TRUE(Store("d", "other text").ok());
  CarryOut(Plan());
  ASSERT_TRUE(Store("c", "same words").ok());
  ASSERT_TRUE(Store("d", "same words").ok());
  const ConsolidationPlan plan = Plan();
  ASSERT_THAT(plan.steps, SizeIs(1));
  ASSERT_THAT(plan.steps.front().forgets, SizeIs(1));
  const ForgetCommand& forget = plan.steps.front().forgets.front();
  ASSERT_TRUE(Store(forget.id.value(), "what somebody knows better").ok());
  const auto refused = Await([&](auto told) { engine_->Forget(forget, std::move(told)); });
  EXPECT_TRUE(IsChangedMeanwhile(refused.status())) << refused.status();
  EXPECT_TRUE(Get(forget.id.value()).ok());
}

TEST_F(Consolidation, SemanticMemoriesAreNoEpisodes) {
  for (const char* id : {"a", "b"}) {
    StoreCommand command = MakeStore(id, "same words");
    command.kind = Kind::kSemantic;
    ASSERT_TRUE(Store(command).ok());
  }
  EXPECT_EQ(Plan().episodes, 0u);
  EXPECT_THAT(Plan().steps, IsEmpty());
}

// A plan has a bound; what it leaves out comes with the next one.
TEST_F(Consolidation, GoesOnWhereItWasLeft) {
  for (int i = 0; i < 10; ++i) {
    const std::string text = fmt::format("words number {}", i);
    ASSERT_TRUE(Store(fmt::format("a{}", i), text).ok());
    ASSERT_TRUE(Store(fmt::format("b{}", i), text).ok());
  }
  ConsolidationQuery query = Query();
  query.write_bytes_max = 1;  // which the first one exceeds
  for (uint64_t left = 10; left-- > 0;) {
    const ConsolidationPlan plan = Plan(query);
    EXPECT_EQ(plan.remaining, left);
    CarryOut(plan);
  }
  EXPECT_EQ(Plan().steps.size(), 10u);
  EXPECT_EQ(Plan(query).remaining, 0u);
}

TEST_F(Consolidation, CountsWhatItHasNoMemoryFor) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Store(fmt::format("e{}", i), "same words").ok());
  ConsolidationQuery query = Query();
  query.memory_bytes_max = 1;
  const ConsolidationPlan plan = Plan(query);
  EXPECT_EQ(plan.episodes, 1u);
  EXPECT_EQ(plan.skipped, 9u);
}

TEST_F(Consolidation, EndsWhenItsTimeIsOver) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Store(fmt::format("e{}", i), "same words").ok());
  ConsolidationQuery query = Query();
  query.stop = [] { return true; };
  EXPECT_EQ(CodeOf(engine_->PlanConsolidation(query).status()), ErrorCode::kDeadlineExceeded);
  // Over once the episodes are compared: what is left is counted.
  query.stop = [calls = std::make_shared<int>(0)] { return ++*calls > 1; };
  const ConsolidationPlan plan = Plan(query);
  EXPECT_THAT(plan.steps, IsEmpty());
  EXPECT_EQ(plan.remaining, 1u);
}

TEST_F(Consolidation, RefusesWhatItCannotDo) {
  ASSERT_TRUE(Store("a", "text").ok());
  ConsolidationQuery query = Query();
  query.similarity.embedding_min = 0.5;
  EXPECT_EQ(InvalidField(engine_->PlanConsolidation(query)), "embedding_similarity");
  query = Query();
  query.similarity.text_min = 1.01;
  EXPECT_EQ(InvalidField(engine_->PlanConsolidation(query)), "text_similarity");
  query = Query();
  query.space = SpaceId("none");
  EXPECT_EQ(CodeOf(engine_->PlanConsolidation(query).status()), ErrorCode::kNoAssignment);
}

}  // namespace
}  // namespace engram::memory
