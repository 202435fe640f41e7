#include "engram/routing/scatter_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "engram/base/error.h"

namespace engram::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Answer = ScatterPlan::Answer;
using Holders = ScatterPlan::Holders;
using Send = ScatterPlan::Send;
using Spaces = std::vector<ScatterPlan::Space>;
using Step = ScatterPlan::Step;

constexpr TimePoint kStart{seconds(1000)};
constexpr Duration kLimit = seconds(10);
constexpr TimePoint kDeadline = kStart + kLimit;

RouteVersion VersionOf(uint64_t sequence) { return {1, sequence, NodeIndex{0}}; }

Answer Elsewhere(NodeIndex primary, uint64_t sequence) {
  Answer answer{Answer::Kind::kElsewhere, {}, MakeError(ErrorCode::kWrongNode, "elsewhere")};
  answer.route.primary = primary;
  answer.route.version = VersionOf(sequence);
  return answer;
}

Answer NotHere() {
  return {Answer::Kind::kNotHere, {}, MakeError(ErrorCode::kNoAssignment, "no such space")};
}

absl::Status Refused() { return MakeError(ErrorCode::kConnectionFailed, "refused"); }

class ScatterPlanTest : public ::testing::Test {
 protected:
  ScatterPlanTest() {
    for (int i = 0; i < 6; ++i) all_.push_back(nodes_.Intern(NodeId("n" + std::to_string(i))));
  }

  Step Start(const std::vector<std::vector<int>>& holders, uint64_t version = 1,
             TimePoint now = kStart) {
    std::vector<Holders> spaces;
    for (const auto& of_space : holders) {
      Holders& space = spaces.emplace_back();
      for (int node : of_space) space.nodes.push_back(all_[static_cast<size_t>(node)]);
      if (version > 0) space.version = VersionOf(version);
    }
    plan_.emplace(spaces, all_, now + kLimit, options_, nodes_, random_);
    return plan_->Start(now);
  }

  // The node answers for all spaces of the request.
  Step Served(const Send& send, TimePoint now) {
    return plan_->OnAnswer(send.number, std::vector<Answer>(send.spaces.size()), now);
  }

  size_t Answered() const {
    size_t count = 0;
    for (const auto& result : plan_->results()) count += result.answered ? 1 : 0;
    return count;
  }
  ErrorCode MissingBecause(size_t space) const {
    EXPECT_FALSE(plan_->results()[space].answered);
    return CodeOf(plan_->results()[space].error);
  }

  NodeTable nodes_;
  std::vector<NodeIndex> all_;
  ScatterOptions options_;
  std::mt19937_64 random_{7};
  std::optional<ScatterPlan> plan_;
};

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
  EXPECT_EQ(plan_->results()[3].node, all_[2]);
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
  EXPECT_EQ(plan_->results()[0].node, all_[0]);
  Served(other, kStart + milliseconds(601));  // late, and dropped
  EXPECT_EQ(plan_->results()[0].node, all_[0]);
}

TEST_F(ScatterPlanTest, WhileASlowNodeMayAnswerTheOthersAreNotAskedTwice) {
  Step step = Start({{0, 1}});
  step = plan_->OnTimer(kStart + milliseconds(500));
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart + milliseconds(501));
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_EQ(step.wake, kDeadline);
  plan_->OnTimer(kDeadline);
  EXPECT_EQ(MissingBecause(0), ErrorCode::kDeadlineExceeded);
}

TEST_F(ScatterPlanTest, ANodeIsTriedAgainAfterABackOff) {
  Step step = Start({{0}, {0}});
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  EXPECT_THAT(step.sends, IsEmpty());
  ASSERT_TRUE(step.wake.has_value());
  EXPECT_GE(*step.wake, kStart + milliseconds(50));
  EXPECT_LE(*step.wake, kStart + milliseconds(100));
  step = plan_->OnTimer(*step.wake);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 1}));
  plan_->OnFailure(step.sends[0].number, Refused(), kStart + seconds(1));
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kConnectionFailed);
  EXPECT_EQ(plan_->results()[1].node, all_[0]);
}

TEST_F(ScatterPlanTest, AFatalErrorIsNotTriedAgain) {
  Step step = Start({{0}, {1, 2}});
  plan_->OnFailure(step.sends[0].number, MakeError(ErrorCode::kInternal, "bug"), kStart);
  EXPECT_EQ(MissingBecause(0), ErrorCode::kInternal);
  step = plan_->OnFailure(step.sends[1].number, MakeError(ErrorCode::kInternal, "bug"), kStart);
  ASSERT_THAT(step.sends, SizeIs(1));  // the other holder may do better
  EXPECT_EQ(step.sends[0].node, all_[2]);
}

TEST_F(ScatterPlanTest, AStaleRouteIsFollowedAtOnce) {
  Step step = Start({{0}, {0}, {0}}, 5);
  step = plan_->OnAnswer(step.sends[0].number,
                         std::vector<Answer>{{}, Elsewhere(all_[3], 6), Elsewhere(all_[3], 9)},
                         kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[3]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{1, 2}));
  Served(step.sends[0], kStart);
  EXPECT_EQ(Answered(), 3u);
}

TEST_F(ScatterPlanTest, ARedirectMustRaiseTheVersionElseEverybodyIsAsked) {
  Step step = Start({{0}}, 5);
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[3], 5)}, kStart);
  ASSERT_THAT(step.sends, SizeIs(5));
  const std::vector<Send> sends = step.sends;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(plan_->finished());
    plan_->OnAnswer(sends[i].number, std::vector<Answer>{NotHere()}, kStart);
  }
  Served(sends[4], kStart);
  EXPECT_EQ(Answered(), 1u);
  EXPECT_EQ(plan_->results()[0].node, all_[5]);
}

TEST_F(ScatterPlanTest, RedirectsAreBounded) {
  Step step = Start({{0}}, 1);
  for (uint64_t i = 2; i <= 3; ++i) {
    step =
        plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[i], i)}, kStart);
    ASSERT_THAT(step.sends, SizeIs(1));
  }
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[4], 9)}, kStart);
  EXPECT_THAT(step.sends, SizeIs(5));
}

TEST_F(ScatterPlanTest, ASpaceThatOnlyTheRingProposesAndNobodyHasDoesNotExist) {
  Step step = Start({{0}}, 0);
  plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{NotHere()}, kStart);
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kNoAssignment);
}

TEST_F(ScatterPlanTest, ANodeThatMembershipHoldsDeadIsAskedLast) {
  nodes_.Of(all_[0]).liveness = Liveness::kDead;
  Step step = Start({{0, 1}});
  EXPECT_EQ(step.sends[0].node, all_[1]);
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[0]);
}

TEST_F(ScatterPlanTest, AllDeadEndsWithEverySpaceMissing) {
  Step step = Start({{0, 1}, {1, 0}, {2}});
  TimePoint now = kStart;
  std::vector<Send> open = step.sends;
  while (!plan_->finished()) {
    if (open.empty()) {
      now = *step.wake;
      step = plan_->OnTimer(now);
    } else {
      step = plan_->OnFailure(open.back().number, Refused(), now);
      open.pop_back();
    }
    open.insert(open.end(), step.sends.begin(), step.sends.end());
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(MissingBecause(i), ErrorCode::kConnectionFailed);
  EXPECT_LT(now, kStart + seconds(1));
}

TEST_F(ScatterPlanTest, WhatHasNotAnsweredAtTheDeadlineIsMissing) {
  Step step = Start({{0}, {1}});
  Served(step.sends[1], kStart);
  step = plan_->OnTimer(kDeadline);
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(plan_->results()[0].node, all_[0]);
  EXPECT_TRUE(plan_->results()[1].answered);
}

TEST_F(ScatterPlanTest, ANodeWhoseBreakerIsOpenIsLeftAloneForItsOtherHolders) {
  CircuitBreaker& breaker = nodes_.Of(all_[0]).reads;
  for (int i = 0; i < 5; ++i) breaker.OnFailure(*breaker.Admit(kStart), kStart, random_);
  Step step = Start({{0, 1}, {1, 0}, {0}, {0, 2}});
  // One has no other holder: the breaker lets a probe through at most once a second.
  ASSERT_THAT(step.sends, SizeIs(2));
  EXPECT_EQ(step.sends[0].node, all_[1]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 1}));
  EXPECT_EQ(step.sends[1].spaces, (Spaces{3}));
  for (const Send& send : step.sends) Served(send, kStart);
  EXPECT_EQ(MissingBecause(2), ErrorCode::kCircuitBreakerOpen);
  EXPECT_GT(DetailOf(plan_->results()[2].error).retry_after, seconds(20));
  step = Start({{0}}, 1, kStart + seconds(2));
  ASSERT_THAT(step.sends, SizeIs(1));
  step = Start({{0}}, 1, kStart + seconds(2));
  EXPECT_THAT(step.sends, IsEmpty());  // while the probe is in flight
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
  ASSERT_TRUE(step.wake.has_value());
  step = plan_->OnTimer(*step.wake);
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kConnectionFailed);
}

TEST_F(ScatterPlanTest, APushBackIsHonoured) {
  Step step = Start({{0}});
  ErrorDetail detail;
  detail.code = ErrorCode::kOverloaded;
  detail.retry_after = seconds(2);
  step = plan_->OnFailure(step.sends[0].number, MakeError(detail, "busy"), kStart);
  EXPECT_EQ(step.wake, kStart + seconds(2));
}

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
    wake_ = step.wake;
  }

  Answer RandomAnswer() {
    switch (random_() % 8) {
      case 0:
        return NotHere();
      case 1:
        return Elsewhere(all_[random_() % all_.size()], random_() % 6);
      case 2:
        return {Answer::Kind::kFailed, {}, MakeError(ErrorCode::kOverloaded, "busy")};
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
      if (answers.back().kind == Answer::Kind::kAnswered) served_.insert({send.node, space});
    }
    return plan_->OnAnswer(send.number, answers, now_);
  }

  TimePoint now_ = kStart;
  std::optional<TimePoint> wake_;
  std::multimap<TimePoint, Send> ends_;
  std::map<std::pair<NodeIndex, ScatterPlan::Space>, int> asked_for_;
  std::set<std::pair<NodeIndex, ScatterPlan::Space>> served_;
};

TEST_P(ScatterStorm, EverySpaceEndsAnsweredOrMissingOnceAndInTime) {
  random_.seed(static_cast<uint64_t>(GetParam()));
  for (int round = 0; round < 200; ++round) {
    now_ += seconds(random_() % 20);
    const TimePoint deadline = now_ + kLimit;
    ends_.clear();
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
      } else {
        now_ = *wake_;
        Do(plan_->OnTimer(now_));
      }
    }
    EXPECT_LE(now_, deadline);
    ASSERT_THAT(plan_->results(), SizeIs(holders.size()));
    for (size_t i = 0; i < holders.size(); ++i) {
      const auto& result = plan_->results()[i];
      const auto space = static_cast<ScatterPlan::Space>(i);
      EXPECT_NE(result.answered, !result.error.ok());
      EXPECT_EQ(result.answered, served_.contains({result.node, space}) && result.error.ok());
      // Tries at one node: those of its first assignment, of two redirects, of asking everybody.
      for (NodeIndex node : all_) EXPECT_LE(asked_for_[std::pair(node, space)], 2 * 3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ScatterStorm, ::testing::Range(1, 11));

}  // namespace
}  // namespace engram::routing
