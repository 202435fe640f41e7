// SPEC C7: what needs the primary waits for a new one inside its deadline.
#include "engram/routing/call_plan.h"
#include "engram/routing/testing/plan_fixture.h"

namespace engram::routing {
namespace {

class FailoverTest : public PlanTest {
 protected:
  // The holders answer, none of them is primary.
  LookUp Replicas() const { return Found(HeldBy(kNoNode, {b_, c_}, 1)); }
  Route Before() const { return HeldBy(a_, {b_, c_}, 1); }
  Route After() const { return HeldBy(b_, {a_, c_}, 2); }

  // Until `end`, while there is no primary. Returns the last action.
  CallPlan::Action WaitWithout(CallPlan& plan, CallPlan::Action action, TimePoint& now,
                               TimePoint end) {
    while (now < end && !std::holds_alternative<CallPlan::Finish>(action)) {
      if (const auto* send = std::get_if<CallPlan::Send>(&action)) {
        ++sent_;
        action = plan.OnOutcome(send->attempt, Refused(), now);
      } else if (Asks(action)) {
        ++asked_;
        action = plan.OnLookUp(Replicas(), now);
      } else {
        now = AsWait(action);
        action = plan.OnTimer(now);
      }
    }
    return action;
  }

  int sent_ = 0, asked_ = 0;
};

TEST_F(FailoverTest, AWriteGoesToTheNewPrimaryAsSoonAsThereIsOne) {
  CallPlan plan = Plan(Operation::kStore, Before());
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  const TimePoint again = AsWait(plan.OnLookUp(Replicas(), kStart));
  EXPECT_LE(again - kStart, milliseconds(120));
  EXPECT_TRUE(Asks(plan.OnTimer(again)));
  send = AsSend(plan.OnLookUp(Found(After()), again));
  EXPECT_EQ(send.node, b_);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(send.attempt, Ok(), again)).ok());
}

TEST_F(FailoverTest, AWriteWaitsUntilItsDeadline) {
  CallPlan plan = Plan(Operation::kStore, Before());
  TimePoint now = kStart;
  const absl::Status status =
      AsFinish(WaitWithout(plan, plan.Start(now), now, kStart + seconds(20)));
  EXPECT_EQ(CodeOf(status), ErrorCode::kAllReplicasFailed);
  EXPECT_NE(status.message().find("no primary"), absl::string_view::npos) << status;
  EXPECT_GE(now, kStart + milliseconds(9'800));
  EXPECT_EQ(sent_, 1) << "who is gone is not asked again";
  EXPECT_GE(asked_, 10'000 / 120);
  EXPECT_LE(asked_, 10'000 / 60 + 1);
}

TEST_F(FailoverTest, AReadOfThePrimaryWaitsToo) {
  policy_.preference = ReadPreference::kPrimary;
  CallPlan plan = Plan(Operation::kGet, Before());
  TimePoint now = kStart;
  CallPlan::Action action = WaitWithout(plan, plan.Start(now), now, kStart + seconds(5));
  if (!Asks(action)) action = plan.OnTimer(AsWait(action));
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(After()), now)).node, b_);
}

TEST_F(FailoverTest, AReadThatMayGoToAReplicaDoesNotWait) {
  CallPlan plan = Plan(Operation::kGet, Before());
  const CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_NE(AsSend(plan.OnOutcome(send.attempt, Refused(), kStart)).node, a_);
}

TEST_F(FailoverTest, ASpaceWithOneHolderIsGivenUpAfterThreeRounds) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  CallPlan::Action action = plan.Start(kStart);
  TimePoint now = kStart;
  while (!std::holds_alternative<CallPlan::Finish>(action)) {
    if (const auto* send = std::get_if<CallPlan::Send>(&action)) {
      action = plan.OnOutcome(send->attempt, Refused(), now);
    } else if (Asks(action)) {
      action = plan.OnLookUp(Nobody(), now);
    } else {
      now = AsWait(action);
      action = plan.OnTimer(now);
    }
  }
  EXPECT_LE(now, kStart + seconds(1));
}

// It takes the write and does nothing: the others are asked beside it, again and again.
TEST_F(FailoverTest, WhileThePrimaryHangsTheNewOneIsFound) {
  CallPlan plan = Plan(Operation::kStore, Before());
  const CallPlan::Send hanging = AsSend(plan.Start(kStart));
  EXPECT_EQ(hanging.check_at, kStart + options_.primary_patience);
  EXPECT_TRUE(Asks(plan.OnTimer(hanging.check_at)));
  TimePoint now = hanging.check_at;
  for (int i = 0; i < 10; ++i) {
    CallPlan::Action action = plan.OnLookUp(Replicas(), now);
    ASSERT_TRUE(Awaits(action));
    const TimePoint until = std::get<CallPlan::Await>(action).until;
    EXPECT_GT(until, now);
    EXPECT_LE(until, now + options_.primary_pace);
    now = until;
    ASSERT_TRUE(Asks(plan.OnTimer(now)));
  }
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(After()), now)).node, b_);
}

TEST_F(FailoverTest, AnOpenBreakerIsNoReasonToFail) {
  Shut(a_);
  CallPlan plan = Plan(Operation::kStore, Before());
  EXPECT_TRUE(Asks(plan.Start(kStart)));
  CallPlan::Action action = plan.OnLookUp(Replicas(), kStart);
  // It is held alive, so once a second one request may look.
  if (const auto* probe = std::get_if<CallPlan::Send>(&action)) {
    action = plan.OnOutcome(probe->attempt, Refused(), kStart);
  }
  const TimePoint again = AsWait(action);
  EXPECT_TRUE(Asks(plan.OnTimer(again)));
  EXPECT_EQ(AsSend(plan.OnLookUp(Found(After()), again)).node, b_);
  EXPECT_LE(plan.attempts().size(), 2u);
}

// It was restarted before the others could do without it.
TEST_F(FailoverTest, ThePrimaryThatSaysThatItIsBackGetsTheWrite) {
  while (nodes_.Of(a_).budget.TryWithdraw(kStart)) {
  }
  CallPlan plan = Plan(Operation::kStore, Before());
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  const TimePoint again = AsWait(plan.OnLookUp(Replicas(), kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(again)));
  const TimePoint back = AsWait(plan.OnLookUp(Found(Before()), again));
  send = AsSend(plan.OnTimer(back));
  EXPECT_EQ(send.node, a_) << "nothing has reached it yet, so it costs no budget";
}

// What it was sent may reach it when the cut has healed.
TEST_F(FailoverTest, AnErrorOfTheNewPrimaryDoesNotSettleWhatIsWithTheOldOne) {
  CallPlan plan = Plan(Operation::kForget, Before());
  const CallPlan::Send hanging = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(hanging.check_at)));
  const CallPlan::Send send = AsSend(plan.OnLookUp(Found(After()), hanging.check_at));
  const absl::Status status =
      AsFinish(plan.OnOutcome(send.attempt, Fails(ErrorCode::kNotFound), hanging.check_at));
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined);
}

TEST_F(FailoverTest, WhatMayHaveHappenedAtTheOldPrimaryStaysUndetermined) {
  CallPlan plan = Plan(Operation::kStore, Before());
  const CallPlan::Send send = AsSend(plan.Start(kStart));
  CallPlan::Action action = plan.OnOutcome(send.attempt, Fails(ErrorCode::kUndetermined), kStart);
  TimePoint now = kStart;
  const absl::Status status = AsFinish(WaitWithout(plan, action, now, kStart + seconds(20)));
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined);
}

// A holder that is told to write says that it is not primary: that is no fault of its.
TEST_F(FailoverTest, AHolderThatIsNotPrimaryIsNotHeldToHaveFailed) {
  CallPlan plan = Plan(Operation::kStore, Before());
  const CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Redirect(Before()), kStart)));
  AsWait(plan.OnLookUp(Replicas(), kStart));
  EXPECT_FALSE(nodes_.Of(a_).writes.InDoubt());
}

}  // namespace
}  // namespace engram::routing
