// Feeds a ScatterPlan by hand: six nodes, spaces with their holders, and what the nodes say.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/routing/scatter_plan.h"

namespace engram::routing::scatter_testing {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = ScatterPlan::Answer;
using Send = ScatterPlan::Send;
using Spaces = std::vector<ScatterPlan::Space>;
using Step = ScatterPlan::Step;
using Wanted = ScatterPlan::Wanted;

inline constexpr TimePoint kStart{seconds(1000)};
inline constexpr Duration kLimit = seconds(10);
inline constexpr TimePoint kDeadline = kStart + kLimit;

inline RouteVersion VersionOf(uint64_t sequence) { return {1, sequence, NodeIndex{0}}; }

inline Route At(NodeIndex primary, uint64_t sequence) {
  Route route;
  route.primary = primary;
  route.version = VersionOf(sequence);
  return route;
}

inline Answer Elsewhere(NodeIndex primary, uint64_t sequence) {
  return {MakeError(ErrorCode::kWrongNode, "elsewhere"), At(primary, sequence)};
}

inline Answer NotHere() { return {MakeError(ErrorCode::kNoAssignment, "not here"), std::nullopt}; }

inline Answer Busy(Duration retry_after) {
  ErrorDetail detail;
  detail.code = ErrorCode::kOverloaded;
  detail.retry_after = retry_after;
  return {MakeError(detail, "busy"), std::nullopt};
}

inline absl::Status Refused() { return MakeError(ErrorCode::kConnectionFailed, "refused"); }

class ScatterPlanTest : public ::testing::Test {
 protected:
  ScatterPlanTest() {
    for (int i = 0; i < 6; ++i) all_.push_back(nodes_.Intern(NodeId("n" + std::to_string(i))));
  }

  Step Start(const std::vector<std::vector<int>>& holders, uint64_t version = 1,
             TimePoint now = kStart) {
    std::vector<Wanted> spaces;
    for (const auto& of_space : holders) {
      Decision& decision = spaces.emplace_back().decision;
      decision.strategy = Strategy::kPrimaryWithFallback;
      decision.source = version > 0 ? RouteSource::kAssignment : RouteSource::kRing;
      for (int node : of_space) decision.candidates.push_back(all_[static_cast<size_t>(node)]);
      if (version > 0) decision.version = VersionOf(version);
    }
    return StartWith(spaces, now);
  }
  Step StartWith(const std::vector<Wanted>& spaces, TimePoint now = kStart) {
    plan_ = std::make_unique<ScatterPlan>(spaces, now + kLimit, options_, nodes_, random_);
    return plan_->Start(now);
  }

  // What came of asking everybody, who all answered, for each that was to be asked.
  Step LookedUp(const Step& step, const std::optional<Route>& claim, TimePoint now) {
    std::vector<std::pair<ScatterPlan::Space, LookUp>> answers;
    for (const auto& ask : step.look_ups) answers.emplace_back(ask.space, LookUp{claim, {}, 6, 6});
    return plan_->OnLookUps(answers, now);
  }

  // The node answers for all spaces of the request.
  Step Served(const Send& send, TimePoint now) {
    return plan_->OnAnswer(send.number, std::vector<Answer>(send.spaces.size()), now);
  }

  size_t Answered() const {
    size_t count = 0;
    for (uint32_t i = 0; i < plan_->size(); ++i) count += plan_->result(i).answered ? 1 : 0;
    return count;
  }
  ErrorCode MissingBecause(ScatterPlan::Space space) const {
    EXPECT_FALSE(plan_->result(space).answered);
    return CodeOf(plan_->result(space).error);
  }

  NodeTable nodes_;
  std::vector<NodeIndex> all_;
  ScatterOptions options_;
  std::mt19937_64 random_{7};
  std::unique_ptr<ScatterPlan> plan_;
};

}  // namespace engram::routing::scatter_testing
