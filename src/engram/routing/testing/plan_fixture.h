// Feeds a CallPlan by hand: routes, outcomes, and what it asked for.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engram/routing/call_plan.h"

namespace engram::routing {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline const TimePoint kStart{seconds(1000)};

inline Outcome Ok() { return {absl::OkStatus(), Delivery::kAnswered, std::nullopt}; }
inline Outcome Fails(ErrorCode code) {
  return {MakeError(code, "it failed"), Delivery::kAnswered, std::nullopt};
}
inline Outcome Refused() {
  return {MakeError(ErrorCode::kConnectionFailed, "refused"), Delivery::kNotSent, std::nullopt};
}
inline Outcome TimedOut() {
  return {MakeError(ErrorCode::kDeadlineExceeded, "no answer"), Delivery::kUndetermined,
          std::nullopt};
}
inline Outcome Redirect(const Route& to) {
  return {MakeError(ErrorCode::kWrongNode, "not mine"), Delivery::kAnswered, to};
}
inline Outcome PushedBack(Duration retry_after) {
  ErrorDetail detail;
  detail.code = ErrorCode::kOverloaded;
  detail.retry_after = retry_after;
  return {MakeError(detail, "busy"), Delivery::kAnswered, std::nullopt};
}

class PlanTest : public testing::Test {
 protected:
  Route HeldBy(NodeIndex primary, const std::vector<NodeIndex>& replicas, uint64_t counter) const {
    Route route;
    route.version = {counter, 1, primary};
    route.primary = primary;
    for (NodeIndex replica : replicas) route.replica[route.replica_count++] = replica;
    return route;
  }

  CallPlan Plan(Operation op, const Route& route, TimePoint deadline = kStart + seconds(10)) {
    Knowledge knowledge{route, std::nullopt, a_};
    return PlanFor(op, knowledge, deadline);
  }
  // Nothing is known of the space; the ring proposes `a_`.
  CallPlan PlanForUnknown(Operation op, TimePoint deadline = kStart + seconds(10)) {
    return PlanFor(op, {std::nullopt, std::nullopt, a_}, deadline);
  }

  static CallPlan::Send AsSend(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Send>(action)) << action.index();
    return std::get<CallPlan::Send>(action);
  }
  static TimePoint AsWait(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Wait>(action)) << action.index();
    return std::get<CallPlan::Wait>(action).until;
  }
  static absl::Status AsFinish(const CallPlan::Action& action) {
    EXPECT_TRUE(std::holds_alternative<CallPlan::Finish>(action)) << action.index();
    return std::get<CallPlan::Finish>(action).status;
  }
  static bool Asks(const CallPlan::Action& action) {
    return std::holds_alternative<CallPlan::AskAll>(action);
  }
  static bool Awaits(const CallPlan::Action& action) {
    return std::holds_alternative<CallPlan::Await>(action);
  }
  static LookUp Nobody(uint32_t answered = 4) { return {std::nullopt, std::nullopt, 4, answered}; }
  static LookUp Found(const Route& route) { return {route, std::nullopt, 4, 4}; }

  // Opens the node's breaker for reads and writes.
  void Shut(NodeIndex node, TimePoint now = kStart) {
    for (CircuitBreaker* breaker : {&nodes_.Of(node).reads, &nodes_.Of(node).writes}) {
      while (auto ticket = breaker->Admit(now)) breaker->OnFailure(*ticket, now, random_);
    }
  }

  NodeTable nodes_;
  NodeIndex a_ = nodes_.Intern(NodeId("a")), b_ = nodes_.Intern(NodeId("b")),
            c_ = nodes_.Intern(NodeId("c")), entry_ = nodes_.Intern(NodeId("entry"));
  CallPlanOptions options_;
  ReadPolicy policy_;
  std::mt19937_64 random_{1};

 private:
  CallPlan PlanFor(Operation op, const Knowledge& knowledge, TimePoint deadline) {
    Decision decision = Decide(op, policy_, knowledge, {nodes_, entry_, {}}, kStart, random_);
    return CallPlan({op, "s", policy_, deadline}, decision, a_, nodes_, options_, random_);
  }
};

}  // namespace engram::routing
