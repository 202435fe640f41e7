#include "engram/routing/scatter_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/routing/testing/scatter_fixture.h"

namespace engram::routing::scatter_testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ScatterPlanTest, OneRequestPerNodeAllAtOnce) {
  Step step = Start({{0}, {1}, {0}, {2}, {1, 0}});
  ASSERT_THAT(step.sends, SizeIs(3));
  EXPECT_EQ(step.sends[0].node, all_[0]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 2}));
  EXPECT_EQ(step.sends[1].spaces, (Spaces{1, 4}));
  EXPECT_EQ(step.sends[2].spaces, (Spaces{3}));
  for (const Send& send : std::vector(step.sends)) step = Served(send, kStart + milliseconds(1));
  EXPECT_TRUE(plan_->finished());
  EXPECT_FALSE(step.wake.has_value());
  EXPECT_EQ(Answered(), 5u);
  EXPECT_EQ(plan_->result(3).node, all_[2]);
}

TEST_F(ScatterPlanTest, NothingAskedIsFinishedAtOnce) {
  Step step = Start({});
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_TRUE(plan_->finished());
}

TEST_F(ScatterPlanTest, SpacesOfADeadNodeAreRegroupedOverTheirOtherHolders) {
  Step step = Start({{0, 1}, {0, 2}, {0, 1}, {3}});
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart + milliseconds(1));
  ASSERT_THAT(step.sends, SizeIs(2));
  EXPECT_EQ(step.sends[0].node, all_[1]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 2}));
  EXPECT_EQ(step.sends[1].spaces, (Spaces{1}));
}

TEST_F(ScatterPlanTest, SpacesOfASlowNodeAreAskedForElsewhereAndTheFirstAnswerCounts) {
  Step step = Start({{0, 1}, {0}});
  const Send slow = step.sends[0];
  EXPECT_EQ(step.wake, kStart + milliseconds(500));
  step = plan_->OnTimer(kStart + milliseconds(500));
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[1]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0}));  // nobody else has the other
  const Send other = step.sends[0];
  step = Served(slow, kStart + milliseconds(600));
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(plan_->result(0).node, all_[0]);
  Served(other, kStart + milliseconds(601));  // late, and dropped
  EXPECT_EQ(plan_->result(0).node, all_[0]);
}

TEST_F(ScatterPlanTest, AllDeadEndsWithEverySpaceMissing) {
  Step step = Start({{0, 1}, {1, 0}, {2}});
  TimePoint now = kStart;
  std::vector<Send> open = step.sends;
  while (!plan_->finished()) {
    if (!step.look_ups.empty()) {
      step = LookedUp(step, std::nullopt, now);
    } else if (open.empty()) {
      now = *step.wake;
      step = plan_->OnTimer(now);
    } else {
      const Send send = open.back();
      open.pop_back();
      step = plan_->OnFailure(send.number, Refused(), now);
    }
    open.insert(open.end(), step.sends.begin(), step.sends.end());
  }
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(MissingBecause(i), ErrorCode::kConnectionFailed);
  EXPECT_LT(now, kStart + seconds(1));
}

TEST_F(ScatterPlanTest, WhatHasNotAnsweredAtTheDeadlineIsMissing) {
  Step step = Start({{0}, {1}});
  Served(step.sends[1], kStart);
  step = plan_->OnTimer(kDeadline);
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(plan_->result(0).node, all_[0]);
  EXPECT_TRUE(plan_->result(1).answered);
}

TEST_F(ScatterPlanTest, ANodeWhoseBreakerIsOpenIsLeftAloneForItsOtherHolders) {
  CircuitBreaker& breaker = nodes_.Of(all_[0]).reads;
  for (int i = 0; i < 5; ++i) breaker.OnFailure(*breaker.Admit(kStart), kStart, random_);
  Step step = Start({{0, 1}, {1, 0}, {0}, {0, 2}});
  ASSERT_THAT(step.sends, SizeIs(2));
  EXPECT_EQ(step.sends[0].node, all_[1]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 1}));
  EXPECT_EQ(step.sends[1].spaces, (Spaces{3}));
  ASSERT_THAT(step.look_ups, SizeIs(1));  // one has no other holder: it may have moved
  EXPECT_EQ(step.look_ups[0].space, 2u);
  for (const Send& send : step.sends) Served(send, kStart);
  // The breaker lets a probe through at most once a second.
  LookedUp(step, std::nullopt, kStart);
  EXPECT_EQ(MissingBecause(2), ErrorCode::kCircuitBreakerOpen);
  EXPECT_GT(DetailOf(plan_->result(2).error).retry_after, seconds(20));
  EXPECT_EQ(plan_->attempts()[0].outcome, "skipped");

  const TimePoint later = kStart + seconds(2);
  step = Start({{0}}, 1, later);
  step = LookedUp(step, std::nullopt, later);
  ASSERT_THAT(step.sends, SizeIs(1));
  const Send probe = step.sends[0];
  auto first = std::move(plan_);
  step = Start({{0}}, 1, later);
  step = LookedUp(step, std::nullopt, later);
  EXPECT_THAT(step.sends, IsEmpty());  // while the probe is in flight
  first->OnAnswer(probe.number, std::vector<Answer>(1), later);
  EXPECT_EQ(first->attempts().back().why, "last holder");
}

TEST_F(ScatterPlanTest, SilenceToTheDeadlineOpensTheBreaker) {
  TimePoint now = kStart;
  for (int i = 0; i < 5; ++i) {
    Start({{0}}, 1, now);
    now += kLimit;
    plan_->OnTimer(now);
    EXPECT_EQ(MissingBecause(0), ErrorCode::kDeadlineExceeded);
  }
  EXPECT_FALSE(nodes_.Of(all_[0]).reads.WouldAdmit(now));
}

TEST_F(ScatterPlanTest, AnswersAboutSpacesDoNotCountAgainstTheNode) {
  for (int i = 0; i < 10; ++i) {
    Step step = Start({{0}}, 0);
    plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{NotHere()}, kStart);
    step = Start({{0}});
    plan_->OnFailure(step.sends[0].number, InvalidArgument("query", "bad"), kStart);
  }
  EXPECT_TRUE(nodes_.Of(all_[0]).reads.WouldAdmit(kStart));
}

TEST_F(ScatterPlanTest, WithoutBudgetThereIsNoRepeatTry) {
  while (nodes_.Of(all_[0]).budget.TryWithdraw(kStart)) {
  }
  Step step = Start({{0}});
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  step = LookedUp(step, std::nullopt, kStart);
  ASSERT_TRUE(step.wake.has_value());
  step = plan_->OnTimer(*step.wake);
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_EQ(plan_->stats().budget_refusals, 1);
  LookedUp(step, std::nullopt, kStart + seconds(1));
  EXPECT_EQ(MissingBecause(0), ErrorCode::kConnectionFailed);
}

TEST_F(ScatterPlanTest, APushBackIsHonouredAndHeldAgainstNobody) {
  for (int i = 0; i < 10; ++i) {
    Step step = Start({{0}});
    step = plan_->OnFailure(step.sends[0].number, Busy(seconds(2)).error, kStart);
    EXPECT_GE(step.wake, kStart + seconds(2));
    EXPECT_LE(step.wake, kStart + seconds(4));
    EXPECT_THAT(step.look_ups, IsEmpty()) << "it is the right node, only busy";
  }
  EXPECT_TRUE(nodes_.Of(all_[0]).PushedBack(kStart + seconds(1)));
  EXPECT_TRUE(nodes_.Of(all_[0]).reads.WouldAdmit(kStart));
}

TEST_F(ScatterPlanTest, SpacesThatABusyNodeShedsGoToTheirOtherHolders) {
  Step step = Start({{0, 1}, {0, 2}, {0}});
  step = plan_->OnAnswer(
      step.sends[0].number,
      std::vector<Answer>{Busy(milliseconds(10)), Busy(milliseconds(10)), Busy(seconds(20))},
      kStart);
  ASSERT_THAT(step.sends, SizeIs(2));
  EXPECT_EQ(step.sends[0].node, all_[1]);
  EXPECT_EQ(step.sends[1].node, all_[2]);
  EXPECT_EQ(plan_->stats().fallbacks, 2);
  for (const Send& send : std::vector(step.sends)) Served(send, kStart);
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(2), ErrorCode::kOverloaded) << "longer than there is time";
  EXPECT_EQ(DetailOf(plan_->result(2).error).retry_after, seconds(20));
}

TEST_F(ScatterPlanTest, EachRequestIsExplained) {
  options_.why = "searched";
  Step step = Start({{0, 1}, {0}, {2}}, 1);
  const std::vector<Send> sends = step.sends;
  step = plan_->OnAnswer(sends[0].number, std::vector<Answer>{{}, Elsewhere(all_[3], 2)},
                         kStart + milliseconds(3));
  Served(step.sends[0], kStart + milliseconds(4));
  step = plan_->OnFailure(sends[1].number, Refused(), kStart + milliseconds(5));
  step = LookedUp(step, At(all_[4], 7), kStart + milliseconds(6));
  Served(step.sends[0], kStart + milliseconds(8));
  std::vector<std::string> lines;
  for (const AttemptRecord& a : plan_->attempts()) {
    lines.push_back(std::string(a.node) + " " + std::string(a.outcome) + " " + std::string(a.why) +
                    " " + std::to_string(a.took / milliseconds(1)));
  }
  EXPECT_THAT(lines, ElementsAre("n0 redirect searched 3", "n3 ok redirected 1",
                                 "n2 failed searched 5", "n4 ok found by asking all 2"));
  EXPECT_EQ(plan_->stats().hops, 3);
}

TEST_F(ScatterPlanTest, NobodyIsLeftPendingWhenItEnds) {
  Step step = Start({{0, 1}, {2}});
  const Send slow = step.sends[0];
  step = plan_->OnTimer(kStart + milliseconds(500));
  Served(slow, kStart + milliseconds(600));
  EXPECT_FALSE(plan_->finished());
  plan_->OnTimer(kDeadline);
  plan_.reset();
  for (NodeIndex node : all_) EXPECT_EQ(nodes_.Of(node).latency.pending(), 0);
}

}  // namespace
}  // namespace engram::routing::scatter_testing
