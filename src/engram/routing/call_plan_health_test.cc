// SPEC R7, R9, R13: what a request takes from, and tells, the health of the nodes.
#include "engram/routing/call_plan.h"
#include "engram/routing/testing/plan_fixture.h"

namespace engram::routing {
namespace {

class HealthTest : public PlanTest {
 protected:
  CircuitBreaker::State WritesOf(NodeIndex node) { return nodes_.Of(node).writes.state(kStart); }
  // One store that ends with the first outcome; the plan is given up then.
  void OneTry(const Outcome& outcome, TimePoint ends = kStart) {
    CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
    CallPlan::Action action = plan.Start(kStart);
    if (!std::holds_alternative<CallPlan::Send>(action)) return;
    plan.OnOutcome(AsSend(action).attempt, outcome, ends);
  }
};

TEST_F(HealthTest, FailuresOpenTheBreakerOfThatKindOnly) {
  for (int i = 0; i < 5; ++i) OneTry(Refused());
  EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kOpen);
  EXPECT_EQ(nodes_.Of(a_).reads.state(kStart), CircuitBreaker::State::kClosed);
}

// A client that sends only bad requests shuts nobody out.
TEST_F(HealthTest, WhatTheNodeAnswersOpensNoBreaker) {
  for (ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kInternal,
                         ErrorCode::kStorageFailed, ErrorCode::kShuttingDown}) {
    for (int i = 0; i < 20; ++i) OneTry(Fails(code));
    EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kClosed) << InfoOf(code).name;
  }
}

TEST_F(HealthTest, AClientWithHardlyAnyTimeOpensNoBreaker) {
  for (int i = 0; i < 20; ++i) OneTry(TimedOut(), kStart + milliseconds(1));
  EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kClosed);
  for (int i = 0; i < 5; ++i) OneTry(TimedOut(), kStart + milliseconds(500));
  EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kOpen);
}

TEST_F(HealthTest, ANodeThatShedsLoadIsAskedLessNotShutOut) {
  for (int i = 0; i < 20; ++i) OneTry(PushedBack(seconds(1)));
  EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kClosed);
  CallPlan read = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  EXPECT_EQ(AsSend(read.Start(kStart)).node, b_);
  Knowledge later{std::nullopt, std::nullopt, a_};
  Route route = HeldBy(a_, {b_}, 1);
  later.known = route;
  Decision decision =
      Decide(Operation::kGet, {}, later, {nodes_, entry_, {}}, kStart + seconds(2), random_);
  EXPECT_EQ(decision.candidates[0], a_);
}

TEST_F(HealthTest, ANodeWhoseBreakerIsOpenIsPassedOver) {
  Shut(a_);
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).node, b_);
  EXPECT_EQ(plan.attempts()[0].outcome, "skipped");
  EXPECT_EQ(plan.stats().breaker_refusals, 1);
}

TEST_F(HealthTest, WhenAllAreOpenOneProbeGoesOutAndTheOthersAreToldWhen) {
  Shut(a_, kStart - seconds(1));
  CallPlan probing = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  EXPECT_TRUE(Asks(probing.Start(kStart)));
  CallPlan::Send probe = AsSend(probing.OnLookUp(Nobody(), kStart));
  EXPECT_EQ(probe.node, a_);
  CallPlan refused = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  EXPECT_TRUE(Asks(refused.Start(kStart)));
  absl::Status status = AsFinish(refused.OnLookUp(Nobody(), kStart));
  EXPECT_EQ(CodeOf(status), ErrorCode::kCircuitBreakerOpen);
  EXPECT_GT(DetailOf(status).retry_after, Duration::zero());
  EXPECT_TRUE(AsFinish(probing.OnOutcome(probe.attempt, Ok(), kStart)).ok());
  EXPECT_EQ(WritesOf(a_), CircuitBreaker::State::kClosed);
}

TEST_F(HealthTest, ANodeHeldDeadGetsNoProbeAsTheLastHolder) {
  Shut(a_, kStart - seconds(1));
  nodes_.Of(a_).liveness = Liveness::kDead;
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  EXPECT_TRUE(Asks(plan.Start(kStart)));
  EXPECT_EQ(CodeOf(AsFinish(plan.OnLookUp(Nobody(), kStart))), ErrorCode::kCircuitBreakerOpen);
}

// A caller that goes away must not keep the only probe.
TEST_F(HealthTest, APlanThatIsGivenUpGivesItsProbeBack) {
  Shut(a_);
  const TimePoint due = nodes_.Of(a_).writes.retry_at();
  {
    CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1), due + seconds(10));
    EXPECT_EQ(AsSend(plan.Start(due)).node, a_);
    EXPECT_FALSE(nodes_.Of(a_).writes.Admit(due).has_value());
  }
  EXPECT_TRUE(nodes_.Of(a_).writes.Admit(due).has_value());
}

TEST_F(HealthTest, WithoutBudgetNothingIsRepeated) {
  while (nodes_.Of(a_).budget.TryWithdraw(kStart)) {
  }
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {}, 1));
  CallPlan::Send send = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnOutcome(send.attempt, Refused(), kStart)));
  TimePoint until = AsWait(plan.OnLookUp(Nobody(), kStart));
  CallPlan::Action action = plan.OnTimer(until);
  while (!std::holds_alternative<CallPlan::Finish>(action)) {
    while (nodes_.Of(a_).budget.TryWithdraw(until)) {
    }
    if (Asks(action)) {
      action = plan.OnLookUp(Nobody(), until);
    } else {
      until = AsWait(action);
      action = plan.OnTimer(until);
    }
  }
  EXPECT_EQ(CodeOf(AsFinish(action)), ErrorCode::kAllReplicasFailed);
  EXPECT_EQ(plan.stats().retries, 0);
  EXPECT_GE(plan.stats().budget_refusals, 1);
}

// Nobody waits for the probe; but it is not forgotten either.
TEST_F(HealthTest, AProbeThatIsOutrunStillGetsItsVerdict) {
  Shut(a_);
  CircuitBreaker& breaker = nodes_.Of(a_).reads;
  const TimePoint due = breaker.retry_at();
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1), due + seconds(10));
  CallPlan::Send probe = AsSend(plan.Start(due));
  EXPECT_EQ(probe.check_at, due + options_.probe_patience);
  CallPlan::Send other = AsSend(plan.OnTimer(probe.check_at));
  EXPECT_EQ(other.node, b_);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(other.attempt, Ok(), probe.check_at)).ok());
  plan.LetGo(probe.check_at);
  EXPECT_TRUE(plan.IsProbe(probe.attempt));
  EXPECT_FALSE(breaker.Admit(probe.check_at).has_value()) << "still the only probe";
  plan.OnLateOutcome(probe.attempt, TimedOut(), probe.deadline);
  EXPECT_EQ(breaker.state(probe.deadline), CircuitBreaker::State::kOpen);
  EXPECT_EQ(breaker.openings(), 2u);
}

// The client's own deadline often ends a request before its try is over.
TEST_F(HealthTest, ATryThatHangsUntilItsClientGivesUpCountsAgainstTheNode) {
  for (int i = 0; i < 5; ++i) {
    CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {}, 1), kStart + seconds(1));
    AsSend(plan.Start(kStart));
    plan.LetGo(kStart + seconds(1));
  }
  EXPECT_EQ(nodes_.Of(a_).reads.state(kStart + seconds(1)), CircuitBreaker::State::kOpen);
  for (int i = 0; i < 5; ++i) {
    CallPlan plan = Plan(Operation::kGet, HeldBy(b_, {}, 1), kStart + seconds(1));
    AsSend(plan.Start(kStart));
    plan.LetGo(kStart + milliseconds(1));
  }
  EXPECT_EQ(nodes_.Of(b_).reads.state(kStart), CircuitBreaker::State::kClosed);
}

// Another request's probe may close the breaker while this one is being refused.
TEST_F(HealthTest, ABreakerThatClosesMeanwhileLeadsToNoAbsurdPause) {
  Shut(a_);
  nodes_.Of(a_).liveness = Liveness::kDead;
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {}, 1));
  EXPECT_TRUE(Asks(plan.Start(kStart)));
  CircuitBreaker& breaker = nodes_.Of(a_).writes;
  const TimePoint later = kStart + seconds(2);
  breaker.OnSuccess(breaker.AdmitLast(later).value(), later);
  absl::Status status = AsFinish(plan.OnLookUp(Nobody(), later));
  EXPECT_EQ(DetailOf(status).retry_after, options_.backoff.base);
}

TEST_F(HealthTest, APeerCannotAskForAnAbsurdPause) {
  OneTry(PushedBack(std::chrono::hours(24 * 365)));
  EXPECT_TRUE(nodes_.Of(a_).PushedBack(kStart + seconds(59)));
  EXPECT_FALSE(nodes_.Of(a_).PushedBack(kStart + seconds(61)));
}

class HedgeTest : public PlanTest {
 protected:
  HedgeTest() {
    options_.hedged_reads = true;
    for (int i = 0; i < 200; ++i) nodes_.Of(a_).quantile.Observe(milliseconds(10), kStart);
    for (int i = 0; i < 200; ++i) nodes_.Of(b_).budget.OnRequest(kStart);
  }
};

TEST_F(HedgeTest, ASlowReadIsAlsoSentToTheNextHolderAndTheFirstAnswerWins) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Send first = AsSend(plan.Start(kStart));
  EXPECT_GE(first.check_at, kStart + milliseconds(9));
  EXPECT_LE(first.check_at, kStart + milliseconds(20));
  CallPlan::Send second = AsSend(plan.OnTimer(first.check_at));
  EXPECT_EQ(second.node, b_);
  EXPECT_EQ(plan.stats().hedges, 1);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(second.attempt, Ok(), first.check_at)).ok());
}

TEST_F(HedgeTest, WhenOneOfTheTwoFailsTheOtherIsAwaited) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Send first = AsSend(plan.Start(kStart));
  CallPlan::Send second = AsSend(plan.OnTimer(first.check_at));
  EXPECT_TRUE(Awaits(plan.OnOutcome(first.attempt, Refused(), first.check_at)));
  EXPECT_TRUE(AsFinish(plan.OnOutcome(second.attempt, Ok(), first.check_at)).ok());
}

TEST_F(HedgeTest, IsWithinTheBudgetOfTheSecondHolder) {
  while (nodes_.Of(b_).budget.TryWithdraw(kStart + milliseconds(10))) {
  }
  CallPlan plan = Plan(Operation::kGet, HeldBy(a_, {b_}, 1));
  CallPlan::Send first = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Awaits(plan.OnTimer(first.check_at)));
  EXPECT_EQ(plan.stats().hedges, 0);
}

TEST_F(HedgeTest, AWriteIsNeverHedged) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(a_, {b_}, 1));
  CallPlan::Send first = AsSend(plan.Start(kStart));
  EXPECT_TRUE(Asks(plan.OnTimer(first.check_at)));
}

}  // namespace
}  // namespace engram::routing
