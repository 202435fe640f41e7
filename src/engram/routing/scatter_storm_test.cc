#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engram/routing/scatter_plan.h"
#include "engram/routing/testing/scatter_fixture.h"

namespace engram::routing::scatter_testing {
namespace {

// A cluster that answers, fails, hangs and redirects as chance will have it.

class ScatterStorm : public ScatterPlanTest, public ::testing::WithParamInterface<int> {
 protected:
  void Do(const Step& step) {
    std::set<NodeIndex> asked;
    for (const Send& send : step.sends) {
      EXPECT_TRUE(asked.insert(send.node).second) << "asked twice in one round";
      EXPECT_FALSE(send.spaces.empty());
      EXPECT_TRUE(std::is_sorted(send.spaces.begin(), send.spaces.end()));
      for (auto space : send.spaces) ++asked_for_[{send.node, space}];
      if (random_() % 5 != 0) {  // else it hangs
        ends_.emplace(now_ + milliseconds(random_() % 900), send);
      }
    }
    for (const auto& ask : step.look_ups) {
      looked_up_at_.emplace(now_ + milliseconds(random_() % 500), ask.space);
    }
    wake_ = step.wake;
  }

  Step EndLookUp() {
    const auto space = looked_up_at_.begin()->second;
    now_ = std::max(now_, looked_up_at_.begin()->first);
    looked_up_at_.erase(looked_up_at_.begin());
    LookUp answer{{}, {}, 6, static_cast<uint32_t>(5 + random_() % 2)};
    if (random_() % 2 == 0) answer.claim = At(all_[random_() % all_.size()], random_() % 6);
    return plan_->OnLookUps(std::vector<std::pair<ScatterPlan::Space, LookUp>>{{space, answer}},
                            now_);
  }

  Answer RandomAnswer() {
    switch (random_() % 8) {
      case 0:
        return NotHere();
      case 1:
        return Elsewhere(all_[random_() % all_.size()], random_() % 6);
      case 2:
        return Busy(milliseconds(random_() % 2 * 50));
      default:
        return {};
    }
  }

  Step EndOne() {
    const Send send = ends_.begin()->second;
    now_ = std::max(now_, ends_.begin()->first);
    ends_.erase(ends_.begin());
    if (random_() % 3 == 0) return plan_->OnFailure(send.number, Refused(), now_);
    std::vector<Answer> answers;
    for (auto space : send.spaces) {
      answers.push_back(RandomAnswer());
      if (answers.back().error.ok()) served_.insert({send.node, space});
    }
    return plan_->OnAnswer(send.number, answers, now_);
  }

  TimePoint now_ = kStart;
  std::optional<TimePoint> wake_;
  std::multimap<TimePoint, Send> ends_;
  std::multimap<TimePoint, ScatterPlan::Space> looked_up_at_;
  std::map<std::pair<NodeIndex, ScatterPlan::Space>, int> asked_for_;
  std::set<std::pair<NodeIndex, ScatterPlan::Space>> served_;
};

TEST_P(ScatterStorm, EverySpaceEndsAnsweredOrMissingOnceAndInTime) {
  random_.seed(static_cast<uint64_t>(GetParam()));
  for (int round = 0; round < 200; ++round) {
    now_ += seconds(random_() % 20);
    const TimePoint deadline = now_ + kLimit;
    ends_.clear();
    looked_up_at_.clear();
    asked_for_.clear();
    served_.clear();
    std::vector<std::vector<int>> holders(random_() % 12);
    for (auto& of_space : holders) {
      std::set<int> nodes;
      for (size_t i = 0; i <= random_() % 3; ++i) nodes.insert(static_cast<int>(random_() % 6));
      of_space.assign(nodes.begin(), nodes.end());
    }
    Do(Start(holders, random_() % 3, now_));
    while (!plan_->finished()) {
      ASSERT_TRUE(wake_.has_value());
      ASSERT_LE(*wake_, deadline);
      ASSERT_GT(*wake_, now_) << "the plan spins";
      if (!ends_.empty() && ends_.begin()->first < *wake_) {
        Do(EndOne());
      } else if (!looked_up_at_.empty() && looked_up_at_.begin()->first < *wake_) {
        Do(EndLookUp());
      } else {
        now_ = *wake_;
        Do(plan_->OnTimer(now_));
      }
    }
    EXPECT_LE(now_, deadline);
    ASSERT_EQ(plan_->size(), holders.size());
    for (ScatterPlan::Space space = 0; space < holders.size(); ++space) {
      const auto& result = plan_->result(space);
      EXPECT_NE(result.answered, !result.error.ok());
      EXPECT_EQ(result.answered, served_.contains({result.node, space}) && result.error.ok());
      // Two tries at one node; a denial is none, and is followed by another question only when
      // something newer was learnt, of five versions, or in one of six rounds.
      for (NodeIndex node : all_) EXPECT_LE(asked_for_[std::pair(node, space)], 2 + 5 + 6);
    }
    plan_.reset();
    for (NodeIndex node : all_) EXPECT_EQ(nodes_.Of(node).latency.pending(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ScatterStorm, ::testing::Range(1, 11));

}  // namespace
}  // namespace engram::routing::scatter_testing
