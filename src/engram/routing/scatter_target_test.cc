#include "engram/routing/scatter_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/routing/testing/scatter_fixture.h"

namespace engram::routing::scatter_testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ScatterTargetTest : public ScatterPlanTest {};

TEST_F(ScatterTargetTest, WhileASlowNodeMayAnswerEverybodyIsAskedWhoElseHoldsIt) {
  Step step = Start({{0, 1}});
  step = plan_->OnTimer(kStart + milliseconds(500));
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart + milliseconds(501));
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_THAT(step.look_ups, SizeIs(1));
  step = LookedUp(step, std::nullopt, kStart + milliseconds(502));
  EXPECT_THAT(step.sends, IsEmpty());  // it may still answer
  int asked_again = 0;
  while (*step.wake < kDeadline) {
    const TimePoint now = *step.wake;
    step = plan_->OnTimer(now);
    ASSERT_THAT(step.look_ups, SizeIs(1)) << "it may have been on its way";
    ++asked_again;
    step = LookedUp(step, std::nullopt, now);
  }
  EXPECT_EQ(asked_again, 3);  // after 1, 2 and 4 s
  plan_->OnTimer(kDeadline);
  EXPECT_EQ(MissingBecause(0), ErrorCode::kDeadlineExceeded);
}

TEST_F(ScatterTargetTest, ANodeIsTriedAgainAfterABackOff) {
  Step step = Start({{0}, {0}});
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  EXPECT_THAT(step.look_ups, SizeIs(2)) << "the spaces may have moved";
  step = LookedUp(step, std::nullopt, kStart);
  EXPECT_THAT(step.sends, IsEmpty());
  ASSERT_TRUE(step.wake.has_value());
  EXPECT_GE(*step.wake, kStart + milliseconds(50));
  EXPECT_LE(*step.wake, kStart + milliseconds(100));
  step = plan_->OnTimer(*step.wake);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 1}));
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart + seconds(1));
  LookedUp(step, std::nullopt, kStart + seconds(1));
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kConnectionFailed);
  EXPECT_EQ(plan_->result(1).node, all_[0]);
  EXPECT_EQ(plan_->stats().retries, 1);
  EXPECT_THAT(plan_->stats().retried_for, ElementsAre(ErrorCode::kConnectionFailed));
}

TEST_F(ScatterTargetTest, AFatalErrorIsNotTriedAgain) {
  Step step = Start({{0}, {1, 2}});
  plan_->OnFailure(step.sends[0].number, MakeError(ErrorCode::kInternal, "bug"), kStart);
  EXPECT_EQ(MissingBecause(0), ErrorCode::kInternal);
  step = plan_->OnFailure(step.sends[1].number, MakeError(ErrorCode::kInternal, "bug"), kStart);
  ASSERT_THAT(step.sends, SizeIs(1));  // the other holder may do better
  EXPECT_EQ(step.sends[0].node, all_[2]);
}

TEST_F(ScatterTargetTest, AStaleRouteIsFollowedAtOnce) {
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

TEST_F(ScatterTargetTest, ARedirectMustRaiseTheVersionElseEverybodyIsAsked) {
  Step step = Start({{0}}, 5);
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[3], 5)}, kStart);
  EXPECT_THAT(step.sends, IsEmpty());
  ASSERT_THAT(step.look_ups, SizeIs(1));
  EXPECT_EQ(step.look_ups[0].known, VersionOf(5));
  step = LookedUp(step, At(all_[5], 6), kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[5]);
  EXPECT_EQ(plan_->version(0), VersionOf(6));
  Served(step.sends[0], kStart);
  EXPECT_EQ(Answered(), 1u);
}

TEST_F(ScatterTargetTest, AClaimThatIsOlderThanWhatIsKnownIsNotFollowed) {
  Step step = Start({{0}}, 5);
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{NotHere()}, kStart);
  step = LookedUp(step, At(all_[5], 4), kStart);
  EXPECT_THAT(step.sends, IsEmpty());
}

TEST_F(ScatterTargetTest, RedirectsAreBounded) {
  Step step = Start({{0}}, 1);
  for (uint64_t i = 2; i <= 3; ++i) {
    step =
        plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[i], i)}, kStart);
    ASSERT_THAT(step.sends, SizeIs(1));
  }
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{Elsewhere(all_[4], 9)}, kStart);
  EXPECT_THAT(step.sends, IsEmpty());
  ASSERT_THAT(step.look_ups, SizeIs(1));
  EXPECT_EQ(step.look_ups[0].known, VersionOf(9)) << "what was heard is not forgotten";
  EXPECT_EQ(plan_->stats().hops, 3);
  EXPECT_EQ(plan_->stats().redirects, 3);
}

TEST_F(ScatterTargetTest, ASpaceDoesNotExistOnlyWhenEverybodyWasAsked) {
  Step step = Start({{0}, {0}, {}}, 0);
  EXPECT_THAT(step.look_ups, SizeIs(1)) << "of the one that nobody is known for";
  LookedUp(step, std::nullopt, kStart);
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{NotHere(), NotHere()}, kStart);
  EXPECT_FALSE(plan_->finished());
  ASSERT_THAT(step.look_ups, SizeIs(2));
  const Step found = plan_->OnLookUps(
      std::vector<std::pair<ScatterPlan::Space, LookUp>>{{0, {{}, {}, 6, 6}}, {1, {{}, {}, 6, 5}}},
      kStart);
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kNoAssignment);
  EXPECT_EQ(MissingBecause(1), ErrorCode::kAllReplicasFailed) << "who did not answer may hold it";
  EXPECT_EQ(MissingBecause(2), ErrorCode::kNoAssignment);
  EXPECT_EQ(plan_->stats().look_ups, 2);
}

TEST_F(ScatterTargetTest, SpacesThatEverybodyWasAskedForAreAskedForTogether) {
  Step step = Start({{}, {}, {}}, 0);
  ASSERT_THAT(step.look_ups, SizeIs(3));
  step = LookedUp(step, At(all_[2], 3), kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[2]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 1, 2}));
}

TEST_F(ScatterTargetTest, WhoIsCutOffAsksNobodyElse) {
  Wanted here;
  here.decision.strategy = Strategy::kLocalOnly;
  here.decision.candidates.push_back(all_[5]);
  Wanted elsewhere;
  elsewhere.decision.strategy = Strategy::kLocalOnly;
  options_.self = all_[5];
  Step step = StartWith({here, elsewhere, here});
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[5]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0, 2}));
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{{}, Elsewhere(all_[1], 99)},
                         kStart);
  EXPECT_THAT(step.sends, IsEmpty());
  EXPECT_THAT(step.look_ups, IsEmpty());
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(Answered(), 1u);
  EXPECT_EQ(MissingBecause(1), ErrorCode::kNoLocalData);
  EXPECT_EQ(DetailOf(plan_->result(1).error).retry_after, kPartitionPause);
  EXPECT_EQ(plan_->stats().hops, 0);
}

TEST_F(ScatterTargetTest, ARedirectIsFollowedByTheReadPolicyOfItsSpace) {
  Wanted wanted;
  wanted.decision.strategy = Strategy::kPrimaryWithFallback;
  wanted.decision.candidates.push_back(all_[0]);
  wanted.decision.version = VersionOf(1);
  Wanted strict = wanted;
  strict.policy = {ReadPreference::kPrimary, false};
  Step step = StartWith({wanted, strict});
  Answer moved = Elsewhere(all_[1], 2);
  moved.elsewhere->replica[moved.elsewhere->replica_count++] = all_[2];
  step = plan_->OnAnswer(step.sends[0].number, std::vector<Answer>{moved, moved}, kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  ASSERT_THAT(step.sends, SizeIs(1)) << "the copy is asked for one of them only";
  EXPECT_EQ(step.sends[0].node, all_[2]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0}));
  EXPECT_EQ(plan_->stats().fallbacks, 1);
}

TEST_F(ScatterTargetTest, AReplicaThatIsFoundByAskingAllHelpsOnlyWhomMayTurnToIt) {
  Wanted fallback;
  fallback.decision.strategy = Strategy::kPrimaryWithFallback;
  fallback.decision.candidates.push_back(all_[0]);
  fallback.decision.version = VersionOf(1);
  Wanted none = fallback;
  none.policy.replica_fallback = false;
  Step step = StartWith({fallback, none});
  step = plan_->OnFailure(step.sends[0].number, Refused(), kStart);
  Route replica_only = At(kNoNode, 1);
  replica_only.replica[replica_only.replica_count++] = all_[2];
  step = LookedUp(step, replica_only, kStart);
  ASSERT_THAT(step.sends, SizeIs(1));
  EXPECT_EQ(step.sends[0].node, all_[2]);
  EXPECT_EQ(step.sends[0].spaces, (Spaces{0}));
}

// A table that names only this node for what it does not hold leaves nobody to ask. It is still an
// assignment: the space was there once.
TEST_F(ScatterTargetTest, ASpaceThatIsAssignedButFoundNowhereIsNotCalledInexistent) {
  Step step = Start({{}}, 3);
  ASSERT_THAT(step.look_ups, SizeIs(1));
  step = LookedUp(step, std::nullopt, kStart);
  EXPECT_TRUE(plan_->finished());
  EXPECT_EQ(MissingBecause(0), ErrorCode::kAllReplicasFailed);
}

class OneOfManyTest : public ScatterPlanTest {
 protected:
  // Node 0 is this one; the space is on 1 with copies here and on 2.
  std::vector<NodeIndex> Candidates(const ReadPolicy& policy, const Reachability& reach = {}) {
    Route route = At(all_[1], 1);
    route.replica_count = 2;
    route.replica[0] = all_[0];
    route.replica[1] = all_[2];
    const Decision decision =
        DecideOneOfMany(policy, {route, route, kNoNode}, {nodes_, all_[0], reach}, kStart, random_);
    return {decision.candidates.begin(), decision.candidates.end()};
  }
};

TEST_F(OneOfManyTest, OtherHoldersStandBehindThisNode) {
  EXPECT_THAT(Candidates({}), ElementsAre(all_[0], all_[1], all_[2]));
  EXPECT_THAT(Candidates({ReadPreference::kReplicaPreferred, true}),
              ElementsAre(all_[0], all_[2], all_[1]));
}

TEST_F(OneOfManyTest, UnlessThePolicyOrAPartitionForbids) {
  EXPECT_THAT(Candidates({ReadPreference::kPrimaryPreferred, false}), ElementsAre(all_[0]));
  EXPECT_THAT(Candidates({ReadPreference::kPrimary, true}), ElementsAre(all_[1]));
  EXPECT_THAT(Candidates({}, {true, 1, 5}), ElementsAre(all_[0]));
}

}  // namespace
}  // namespace engram::routing::scatter_testing
