// SPEC R4 and R5: a request finds the owner whatever the tables say.
#include <map>

#include "engram/routing/call_plan.h"
#include "engram/routing/testing/plan_fixture.h"

namespace engram::routing {
namespace {

class RedirectTest : public PlanTest {};

TEST_F(RedirectTest, IsFollowedAtOnce) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Redirect(HeldBy(b_, {}, 2)), kStart));
  EXPECT_EQ(send.node, b_);
  EXPECT_EQ(send.hop, 2);
  EXPECT_EQ(send.version.epoch_counter, 2u);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(send.attempt, Ok(), kStart)).ok());
  EXPECT_EQ(plan.attempts()[0].outcome, "redirect");
  EXPECT_EQ(plan.attempts()[1].reason(), "redirected");
  EXPECT_EQ(plan.stats().redirects, 1);
}

// A node that knows less than we do sends us nowhere.
TEST_F(RedirectTest, MustRaiseTheVersion) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 2));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Redirect(HeldBy(b_, {}, 1)), kStart)));
}

TEST_F(RedirectTest, AfterTwoAllAreAskedAndTheOwnerIsFound) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Redirect(HeldBy(b_, {}, 2)), kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Redirect(HeldBy(c_, {}, 3)), kStart));
  EXPECT_EQ(send.hop, 3);
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Redirect(HeldBy(a_, {}, 4)), kStart)));
  send = AsSend(plan.OnLookUp(Found(HeldBy(b_, {}, 5)), kStart));
  EXPECT_EQ(send.node, b_);
  EXPECT_EQ(send.hop, 3);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(send.attempt, Ok(), kStart)).ok());
}

// The space came back to a node that has just denied it: it is asked again without a pause.
TEST_F(RedirectTest, BackToANodeThatDeniedIsAskedAtOnce) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Redirect(HeldBy(b_, {}, 2)), kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Redirect(HeldBy(a_, {}, 3)), kStart));
  EXPECT_EQ(send.node, a_);
  EXPECT_EQ(plan.stats().retries, 0);
}

TEST_F(RedirectTest, ADeadOwnerInTheTableIsFoundElsewhere) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(HeldBy(b_, {}, 2)), kStart)).node, b_);
}

// Its replicas answer when all are asked, but the request may not turn to them.
TEST_F(RedirectTest, WithoutReplicaFallbackOnlyThePrimaryIsFoundElsewhere) {
  policy_.replica_fallback = false;
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Send hanging = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(hanging.check_at)));
  EXPECT_TRUE(Awaits(plan.OnLookUp(Found(HeldBy(kNoNode, {b_}, 1)), hanging.check_at)));
  const TimePoint again = AsWait(plan.OnOutcome(hanging.attempt, Refused(), hanging.check_at));
  CallPlan::Send send = AsSend(plan.OnTimer(again));
  EXPECT_EQ(send.node, a_);
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), again)));
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(HeldBy(c_, {b_}, 2)), again)).node, c_);
}

TEST_F(RedirectTest, WhileTheOnlyCandidateHangsTheOwnerIsFoundElsewhere) {
  for (Operation op : {Operation::kGet, Operation::kStore}) {
    CallPlan plan = Plan(op, HeldBy(a_, {}, 1));
    CallPlan::Send hanging = AsSend(plan.Start(kStart));
    EXPECT_EQ(hanging.check_at, kStart + milliseconds(500));
    EXPECT_TRUE(Asks(plan.OnTimer(hanging.check_at)));
    CallPlan::Send send = AsSend(plan.OnLookUp(Found(HeldBy(b_, {}, 2)), hanging.check_at));
    EXPECT_EQ(send.node, b_);
    EXPECT_TRUE(AsFinish(plan.OnOutcome(send.attempt, Ok(), hanging.check_at)).ok());
  }
}

TEST_F(RedirectTest, WhileTheOnlyCandidateIsSlowNothingIsLost) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {}, 1));
  CallPlan::Send slow = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(slow.check_at)));
  EXPECT_TRUE(Awaits(plan.OnLookUp(Found(HeldBy(a_, {}, 1)), slow.check_at)));
  EXPECT_TRUE(AsFinish(plan.OnOutcome(slow.attempt, Ok(), kStart + seconds(3))).ok());
}

// It failed while the others are still being asked: their answer decides.
TEST_F(RedirectTest, AFailureWhileAllAreAskedWaitsForTheAnswer) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {}, 1));
  CallPlan::Send slow = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(slow.check_at)));
  EXPECT_TRUE(Awaits(plan.OnOutcome(slow.attempt, Refused(), slow.check_at)));
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(HeldBy(b_, {}, 2)), slow.check_at)).node, b_);
}

// Rounds for the sake of a node that denies are no further tries at another one (SPEC R6).
TEST_F(RedirectTest, WhileOneHolderDeniesTheOtherIsTriedThreeTimesAtMost) {
  for (int i = 0; i < 1'000; ++i) nodes_.Of(b_).budget.OnRequest(kStart);
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Action action = plan.Start(kStart);
  TimePoint now = kStart;
  std::map<NodeIndex, int> tries;
  while (!std::holds_alternative<CallPlan::Finish>(action)) {
    if (const auto* send = std::get_if<CallPlan::Send>(&action)) {
      ++tries[send->node];
      const Outcome outcome = send->node == a_ ? Fails(ErrorCode::kNoAssignment) : Refused();
      action = plan.OnOutcome(send->attempt, outcome, now);
    } else if (Asks(action)) {
      action = plan.OnLookUp(Nobody(), now);
    } else {
      now = AsWait(action);
      action = plan.OnTimer(now);
    }
  }
  EXPECT_EQ(tries[b_], 3);
  EXPECT_LE(tries[a_], 3);
}

// It was the owner once and has not heard of the next one, which is the one that we know.
TEST_F(RedirectTest, AnOlderClaimIsNotBelieved) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 5));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  AsWait(plan.OnLookUp(Found(HeldBy(b_, {}, 4)), kStart));
}

TEST_F(RedirectTest, AStoreCreatesASpaceOnlyAfterAllWereAsked) {
  CallPlan plan = PlanForUnknown(Operation::kStore);
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_EQ(send.node, a_);
  EXPECT_FALSE(send.create);
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Fails(ErrorCode::kNoAssignment), kStart)));
  send = AsSend(plan.OnLookUp(Nobody(), kStart));
  EXPECT_EQ(send.node, a_);
  EXPECT_TRUE(send.create);
}

TEST_F(RedirectTest, ASpaceThatSomebodyHoldsIsNotCreated) {
  CallPlan plan = PlanForUnknown(Operation::kStore);
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kNoAssignment), kStart);
  send = AsSend(plan.OnLookUp(Found(HeldBy(c_, {}, 1)), kStart));
  EXPECT_EQ(send.node, c_);
  EXPECT_FALSE(send.create);
}

TEST_F(RedirectTest, AReadOfASpaceThatNobodyHoldsSaysSo) {
  CallPlan plan = PlanForUnknown(Operation::kGet);
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kNoAssignment), kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kNoAssignment);
}

// A node that does not answer may be the one that holds it.
TEST_F(RedirectTest, ThatASpaceDoesNotExistIsSaidOnlyIfAllAnswered) {
  CallPlan plan = PlanForUnknown(Operation::kGet);
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kNoAssignment), kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(3), kStart))), ErrorCode::kAllReplicasFailed);
}

// Its replicas answer, its primary does not: that is no space that does not exist.
TEST_F(RedirectTest, AWriteToASpaceWithoutAPrimaryDoesNotSayThatThereIsNoSpace) {
  CallPlan plan = PlanForUnknown(Operation::kForget, kStart + milliseconds(20));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kNoAssignment), kStart);
  Route copy = HeldBy(kNoNode, {b_}, 1);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp({copy, std::nullopt, 4, 3}, kStart))),
            ErrorCode::kAllReplicasFailed);
}

TEST_F(RedirectTest, AWriteThatMayHaveHappenedIsNotFailedByADeadEnd) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 2), kStart + milliseconds(20));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kUndetermined), kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kUndetermined);
}

}  // namespace
}  // namespace engram::routing
