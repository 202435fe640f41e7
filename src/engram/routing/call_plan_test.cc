#include "engram/routing/call_plan.h"

#include <gtest/gtest.h>

namespace engram::routing {
namespace {

using placement::Assignment;
using std::chrono::milliseconds;
using std::chrono::seconds;

const NodeId kA("a"), kB("b"), kC("c");
const TimePoint kStart{seconds(1000)};

Assignment HeldBy(const NodeId& primary, std::vector<NodeId> replicas, uint64_t counter) {
  return {SpaceId("s"), primary, std::move(replicas), {{counter, primary}, 1}};
}

Outcome Ok() { return {absl::OkStatus(), Delivery::kAnswered, std::nullopt}; }
Outcome Fails(ErrorCode code) {
  return {MakeError(code, "it failed"), Delivery::kAnswered, std::nullopt};
}
Outcome Refused() {
  return {MakeError(ErrorCode::kConnectionFailed, "refused"), Delivery::kNotSent, std::nullopt};
}
Outcome Redirect(Assignment to) {
  return {MakeError(ErrorCode::kWrongNode, "not mine"), Delivery::kAnswered, std::move(to)};
}

class CallPlanTest : public testing::Test {
 protected:
  CallPlan Plan(Operation op, const Assignment& assignment,
                TimePoint deadline = kStart + seconds(10)) {
    return CallPlan(op, SpaceId("s"), Decide(op, &assignment, kA, NodeId("entry")), deadline,
                    options_, random_);
  }
  static CallPlan::Send AsSend(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Send>(action));
    return std::get<CallPlan::Send>(action);
  }
  static TimePoint AsWait(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Wait>(action));
    return std::get<CallPlan::Wait>(action).until;
  }
  static absl::Status AsFinish(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Finish>(action));
    return std::get<CallPlan::Finish>(action).status;
  }

  CallPlanOptions options_;
  std::mt19937_64 random_{1};
};

TEST_F(CallPlanTest, TheFirstSuccessEndsIt) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).node, kA);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(Ok(), kStart + milliseconds(2))).ok());
  ASSERT_EQ(plan.attempts().size(), 1u);
  EXPECT_EQ(plan.attempts()[0].outcome, "ok");
  EXPECT_EQ(plan.attempts()[0].took, milliseconds(2));
}

TEST_F(CallPlanTest, AFatalErrorEndsItAtOnce) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(kA, {kB}, 1));
  plan.Start(kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnOutcome(Fails(ErrorCode::kNotFound), kStart))),
            ErrorCode::kNotFound);
}

TEST_F(CallPlanTest, AReadTriesEachHolderBeforeWaiting) {
  CallPlan plan = Plan(Operation::kRecall, HeldBy(kA, {kB, kC}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).node, kA);
  EXPECT_EQ(AsSend(plan.OnOutcome(Refused(), kStart)).node, kB);
  EXPECT_EQ(AsSend(plan.OnOutcome(Refused(), kStart)).node, kC);
  TimePoint until = AsWait(plan.OnOutcome(Refused(), kStart));
  EXPECT_GE(until - kStart, milliseconds(50));
  EXPECT_LE(until - kStart, milliseconds(100));
  EXPECT_EQ(AsSend(plan.OnTimer(until)).node, kA);
}

TEST_F(CallPlanTest, AReadTryIsCutShortWhileAnotherHolderIsLeft) {
  CallPlan plan = Plan(Operation::kRecall, HeldBy(kA, {kB}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).deadline, kStart + milliseconds(500));
  TimePoint later = kStart + milliseconds(500);
  EXPECT_EQ(AsSend(plan.OnOutcome(Fails(ErrorCode::kDeadlineExceeded), later)).deadline,
            kStart + seconds(10));
}

TEST_F(CallPlanTest, AWriteTryMayUseTheWholeDeadline) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {kB}, 1));
  EXPECT_EQ(AsSend(plan.Start(kStart)).deadline, kStart + seconds(10));
}

TEST_F(CallPlanTest, AtMostThreeTriesPerNode) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  CallPlan::Action action = plan.Start(kStart);
  TimePoint now = kStart;
  int sent = 0;
  while (!std::holds_alternative<CallPlan::Finish>(action)) {
    if (std::holds_alternative<CallPlan::Send>(action)) {
      ++sent;
      action = plan.OnOutcome(Refused(), now);
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

TEST_F(CallPlanTest, AWriteThatMayHaveHappenedEndsUndetermined) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  CallPlan::Action action = plan.Start(kStart);
  action = plan.OnOutcome(Fails(ErrorCode::kUndetermined), kStart);
  for (int i = 0; i < 2; ++i) {
    action = plan.OnTimer(AsWait(action));
    action = plan.OnOutcome(Refused(), kStart + seconds(1));
  }
  EXPECT_EQ(CodeOf(AsFinish(action)), ErrorCode::kUndetermined);
}

TEST_F(CallPlanTest, AWriteThatMayHaveHappenedIsNotFailedByALaterFatalError) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  plan.Start(kStart);
  plan.OnTimer(AsWait(plan.OnOutcome(Fails(ErrorCode::kUndetermined), kStart)));
  absl::Status status = AsFinish(plan.OnOutcome(Fails(ErrorCode::kStorageFailed), kStart));
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined);
}

TEST_F(CallPlanTest, AWriteThatMayHaveHappenedIsNotFailedByADeadRedirect) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 2));
  plan.Start(kStart);
  plan.OnTimer(AsWait(plan.OnOutcome(Fails(ErrorCode::kUndetermined), kStart)));
  absl::Status status = AsFinish(plan.OnOutcome(Redirect(HeldBy(kB, {}, 1)), kStart));
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined);
}

TEST_F(CallPlanTest, AnUnknownDeliveryIsUndeterminedWhateverTheErrorSays) {
  for (ErrorCode code : {ErrorCode::kInternal, ErrorCode::kCancelled, ErrorCode::kOverloaded}) {
    CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1), kStart + milliseconds(20));
    plan.Start(kStart);
    Outcome outcome{MakeError(code, "a broken reply"), Delivery::kUndetermined, std::nullopt};
    EXPECT_EQ(CodeOf(AsFinish(plan.OnOutcome(outcome, kStart))), ErrorCode::kUndetermined);
  }
}

TEST_F(CallPlanTest, AReadThatMayHaveHappenedSimplyFails) {
  CallPlan plan = Plan(Operation::kGet, HeldBy(kA, {}, 1));
  CallPlan::Action action = plan.Start(kStart);
  for (int i = 0; i < 2; ++i)
    action = plan.OnTimer(AsWait(plan.OnOutcome(Fails(ErrorCode::kUndetermined), kStart)));
  EXPECT_EQ(CodeOf(AsFinish(plan.OnOutcome(Fails(ErrorCode::kUndetermined), kStart))),
            ErrorCode::kAllReplicasFailed);
}

TEST_F(CallPlanTest, FollowsARedirectAtOnce) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  plan.Start(kStart);
  CallPlan::Send next = AsSend(plan.OnOutcome(Redirect(HeldBy(kB, {}, 2)), kStart));
  EXPECT_EQ(next.node, kB);
  EXPECT_EQ(next.hop, 2);
  EXPECT_EQ(next.version.epoch.counter, 2u);
  EXPECT_TRUE(AsFinish(plan.OnOutcome(Ok(), kStart)).ok());
  EXPECT_EQ(plan.attempts()[0].outcome, "redirect");
  EXPECT_EQ(plan.attempts()[1].reason(), "redirected");
}

TEST_F(CallPlanTest, ARedirectMustRaiseTheVersion) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 2));
  plan.Start(kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnOutcome(Redirect(HeldBy(kB, {}, 1)), kStart))),
            ErrorCode::kNoAssignment);
}

TEST_F(CallPlanTest, TwoRedirectsAtMost) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1));
  plan.Start(kStart);
  AsSend(plan.OnOutcome(Redirect(HeldBy(kB, {}, 2)), kStart));
  AsSend(plan.OnOutcome(Redirect(HeldBy(kC, {}, 3)), kStart));
  EXPECT_FALSE(AsFinish(plan.OnOutcome(Redirect(HeldBy(kA, {}, 4)), kStart)).ok());
}

TEST_F(CallPlanTest, EndsAtItsDeadline) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1), kStart + milliseconds(300));
  plan.Start(kStart);
  absl::Status status =
      AsFinish(plan.OnOutcome(Fails(ErrorCode::kDeadlineExceeded), kStart + milliseconds(300)));
  EXPECT_EQ(CodeOf(status), ErrorCode::kDeadlineExceeded);
}

TEST_F(CallPlanTest, NeverWaitsPastItsDeadline) {
  CallPlan plan = Plan(Operation::kStore, HeldBy(kA, {}, 1), kStart + milliseconds(20));
  plan.Start(kStart);
  EXPECT_EQ(CodeOf(AsFinish(plan.OnOutcome(Refused(), kStart))), ErrorCode::kAllReplicasFailed);
}

}  // namespace
}  // namespace engram::routing
