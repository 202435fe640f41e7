#include "engram/routing/call_plan.h"

#include "engram/routing/testing/plan_fixture.h"

namespace engram::routing {
namespace {

class CallPlanTest : public PlanTest {};

TEST_F(CallPlanTest, TheFirstSuccessEndsIt) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_EQ(send.node, a_);
  EXPECT_EQ(send.hop, 1);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(send.attempt, Ok(), kStart + milliseconds(2))).ok());
  ASSERT_EQ(plan.attempts().size(), 1u);
  EXPECT_EQ(plan.attempts()[0].node, "a");
  EXPECT_EQ(plan.attempts()[0].outcome, "ok");
  EXPECT_EQ(plan.attempts()[0].took, milliseconds(2));
  EXPECT_EQ(plan.stats().hops, 1);
}

TEST_F(CallPlanTest, AFatalErrorEndsItAtOnce) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  absl::Status status = AsFinish(plan.OnOutcome(send.attempt, Fails(ErrorCode::kNotFound), kStart));
  EXPECT_EQ(CodeOf(status), ErrorCode::kNotFound);
}

TEST_F(CallPlanTest, AReadTriesEachHolderThenAsksAllThenWaits) {
  CallPlan plan = Plan(Operation::kRecall, HeldBy(a_, {b_, c_}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_EQ(send.node, a_);
  send = AsSend(plan.OnOutcome(send.attempt, Refused(), kStart));
  send = AsSend(plan.OnOutcome(send.attempt, Refused(), kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  TimePoint until = AsWait(plan.OnLookUp(Nobody(), kStart));
  EXPECT_GE(until - kStart, milliseconds(50));
  EXPECT_LE(until - kStart, milliseconds(100));
  EXPECT_EQ(AsSend(plan.OnTimer(until)).node, a_);
  EXPECT_EQ(plan.stats().fallbacks, 2);
  EXPECT_EQ(plan.stats().retries, 1);
  EXPECT_EQ(plan.stats().look_ups, 1);
}

TEST_F(CallPlanTest, AReadTryIsCutShortWhileAnotherHolderIsLeft) {
  CallPlan plan = Plan(Operation::kRecall, HeldBy(a_, {b_}, 1));
  CallPlan::Send first = AsSend(plan.Start(kStart));
  EXPECT_EQ(first.deadline, kStart + milliseconds(500));
  CallPlan::Send second = AsSend(plan.OnOutcome(first.attempt, TimedOut(), first.deadline));
  EXPECT_EQ(second.deadline, kStart + seconds(10));
}

TEST_F(CallPlanTest, AWriteTryIsLimitedBecauseItCanBeRepeated) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {b_}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).deadline, kStart + options_.write_try_limit);
}

TEST_F(CallPlanTest, AtMostThreeTriesPerNode) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Action action = plan.Start(kStart);
  TimePoint now = kStart;
  int sent = 0;
  while (!std::holds_alternative<CallPlan::Finish>(action)) {
    if (const auto* send = std::get_if<CallPlan::Send>(&action)) {
      ++sent;
      action = plan.OnOutcome(send->attempt, Refused(), now);
    } else if (Asks(action)) {
      action = plan.OnLookUp(Nobody(), now);
    } else {
      now = AsWait(action);
      action = plan.OnTimer(now);
    }
  }
  EXPECT_EQ(sent, 3);
  absl::Status status = AsFinish(action);
  EXPECT_EQ(CodeOf(status), ErrorCode::kAllReplicasFailed);
  EXPECT_NE(status.message().find("refused"), absl::string_view::npos);
}

// Each of these leaves it open whether the write was carried out.
TEST_F(CallPlanTest, AWriteThatMayHaveHappenedEndsUndetermined) {
  for (ErrorCode code : {ErrorCode::kInternal, ErrorCode::kCancelled, ErrorCode::kOverloaded}) {
    CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1), kStart + milliseconds(20));
    CallPlan::Send send = AsSend(plan.Start(kStart));
    Outcome outcome{MakeError(code, "a broken reply"), Delivery::kUndetermined, std::nullopt};
    EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, outcome, kStart)));
    EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kUndetermined);
  }
}

TEST_F(CallPlanTest, AWriteThatMayHaveHappenedIsNotFailedByALaterFatalError) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kUndetermined), kStart);
  send = AsSend(plan.OnTimer(AsWait(plan.OnLookUp(Nobody(), kStart))));
  absl::Status status =
      AsFinish(plan.OnOutcome(send.attempt, Fails(ErrorCode::kStorageFailed), kStart));
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined);
}

TEST_F(CallPlanTest, AReadThatMayHaveHappenedSimplyFails) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {}, 1), kStart + milliseconds(20));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Fails(ErrorCode::kUndetermined), kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kAllReplicasFailed);
}

TEST_F(CallPlanTest, EndsAtItsDeadline) {
  TimePoint deadline = kStart + milliseconds(300);
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1), deadline);
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_EQ(send.deadline, deadline);
  absl::Status status = AsFinish(plan.OnOutcome(send.attempt, TimedOut(), deadline));
  EXPECT_EQ(CodeOf(status), ErrorCode::kDeadlineExceeded);
}

TEST_F(CallPlanTest, NeverWaitsPastItsDeadline) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1), kStart + milliseconds(20));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  plan.OnOutcome(send.attempt, Refused(), kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kAllReplicasFailed);
}

TEST_F(CallPlanTest, WaitsAsLongAsThePeerAsks) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  TimePoint until = AsWait(plan.OnOutcome(send.attempt, PushedBack(seconds(2)), kStart));
  EXPECT_GE(until - kStart, seconds(2));
  EXPECT_LE(until - kStart, seconds(4));
}

}  // namespace
}  // namespace engram::routing
