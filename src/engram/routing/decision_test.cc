#include "engram/routing/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace engram::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

const TimePoint kNow{seconds(1000)};

class DecisionTest : public testing::Test {
 protected:
  Route HeldBy(NodeIndex primary, const std::vector<NodeIndex>& replicas,
               uint64_t counter = 1) const {
    Route route;
    route.version = {counter, 1, primary};
    route.primary = primary;
    for (NodeIndex replica : replicas) route.replica[route.replica_count++] = replica;
    return route;
  }
  Decision Made(Operation op, const Knowledge& knowledge, NodeIndex self,
                ReadPreference preference = ReadPreference::kPrimaryPreferred) {
    return Decide(op, {preference, true}, knowledge, {nodes_, self, reach_}, kNow, random_);
  }
  Decision Made(Operation op, const Route& known, NodeIndex self,
                ReadPreference preference = ReadPreference::kPrimaryPreferred) {
    return Made(op, Knowledge{known, std::nullopt, a_}, self, preference);
  }
  Ownership Owned(Operation op, const Knowledge& knowledge, NodeIndex self, bool create = false) {
    return CheckOwnership(op, {}, knowledge, {nodes_, self, reach_}, create);
  }
  void Slow(NodeIndex node, Duration latency) {
    nodes_.Of(node).latency.Begin();
    nodes_.Of(node).latency.End(latency, kNow);
  }

  NodeTable nodes_;
  NodeIndex a_ = nodes_.Intern(NodeId("a")), b_ = nodes_.Intern(NodeId("b")),
            c_ = nodes_.Intern(NodeId("c")), d_ = nodes_.Intern(NodeId("d"));
  Reachability reach_;
  std::mt19937_64 random_{1};
};

// ---- R2

TEST_F(DecisionTest, RouteStoreToPrimary) {
  Decision decision = Made(Operation::kStore, HeldBy(a_, {b_, c_}), d_);
  EXPECT_EQ(decision.strategy, Strategy::kPrimary);
  EXPECT_THAT(decision.candidates, ElementsAre(a_));
  EXPECT_EQ(decision.version, HeldBy(a_, {}).version);
}

TEST_F(DecisionTest, RouteRecallWithFallback) {
  Decision decision = Made(Operation::kRecall, HeldBy(a_, {b_}), d_);
  EXPECT_EQ(decision.strategy, Strategy::kPrimaryWithFallback);
  EXPECT_THAT(decision.candidates, ElementsAre(a_, b_));
}

TEST_F(DecisionTest, ConsolidationIsForHoldersOnly) {
  Route route = HeldBy(a_, {b_});
  Decision other = Made(Operation::kConsolidate, route, d_);
  EXPECT_EQ(other.strategy, Strategy::kLocalOnly);
  EXPECT_THAT(other.candidates, IsEmpty());
  Decision replica = Made(Operation::kConsolidate, Knowledge{route, route, a_}, b_);
  EXPECT_THAT(replica.candidates, ElementsAre(b_));
}

TEST_F(DecisionTest, AnUnknownSpaceGoesToTheRingsFirstHolder) {
  Decision remote = Made(Operation::kStore, Knowledge{std::nullopt, std::nullopt, a_}, b_);
  EXPECT_EQ(remote.source, RouteSource::kRing);
  EXPECT_THAT(remote.candidates, ElementsAre(a_));
}

// This node holds nothing, so everybody has to be asked before it creates the space.
TEST_F(DecisionTest, TheRingsFirstHolderItselfAsksAll) {
  EXPECT_THAT(Made(Operation::kStore, Knowledge{std::nullopt, std::nullopt, a_}, a_).candidates,
              IsEmpty());
}

TEST_F(DecisionTest, TheAssignmentWinsOverTheRing) {
  EXPECT_THAT(Made(Operation::kStore, HeldBy(b_, {}), d_).candidates, ElementsAre(b_));
}

// ---- R3

TEST_F(DecisionTest, LocalFirst) {
  Route route = HeldBy(a_, {b_});
  Knowledge knowledge{route, route, a_};
  EXPECT_EQ(Made(Operation::kStore, knowledge, a_).strategy, Strategy::kLocal);
  EXPECT_EQ(Made(Operation::kGet, knowledge, b_).strategy, Strategy::kLocal);
  EXPECT_THAT(Made(Operation::kForget, knowledge, b_).candidates, ElementsAre(a_));
}

TEST_F(DecisionTest, ThePrimaryPreferenceSwitchesLocalReplicasOff) {
  Route route = HeldBy(a_, {b_});
  Decision decision =
      Made(Operation::kGet, Knowledge{route, route, a_}, b_, ReadPreference::kPrimary);
  EXPECT_THAT(decision.candidates, ElementsAre(a_));
}

TEST_F(DecisionTest, ATableThatNamesThisNodeForWhatItDoesNotHoldIsNotBelieved) {
  Decision write = Made(Operation::kStore, HeldBy(d_, {a_}), d_);
  EXPECT_NE(write.strategy, Strategy::kLocal);
  EXPECT_THAT(write.candidates, IsEmpty());
  EXPECT_THAT(Made(Operation::kGet, HeldBy(d_, {a_}), d_).candidates, ElementsAre(a_));
}

TEST_F(DecisionTest, WhatThisNodeHoldsCountsMoreThanAnOlderTable) {
  Route held = HeldBy(d_, {}, 2), known = HeldBy(a_, {}, 1);
  EXPECT_EQ(Made(Operation::kStore, Knowledge{known, held, a_}, d_).strategy, Strategy::kLocal);
}

TEST_F(DecisionTest, ANewerAssignmentCountsMoreThanWhatThisNodeStillHolds) {
  Route held = HeldBy(d_, {}, 1), known = HeldBy(a_, {}, 2);
  EXPECT_THAT(Made(Operation::kStore, Knowledge{known, held, a_}, d_).candidates, ElementsAre(a_));
}

TEST_F(DecisionTest, ReplicaPreferredSparesThePrimary) {
  Decision decision =
      Made(Operation::kGet, HeldBy(a_, {b_}), d_, ReadPreference::kReplicaPreferred);
  EXPECT_THAT(decision.candidates, ElementsAre(b_, a_));
}

TEST_F(DecisionTest, NearestIsSameRackThenSameZoneThenElsewhere) {
  nodes_.Of(b_).distance = Distance::kSameZone;
  nodes_.Of(c_).distance = Distance::kSameRack;
  Decision decision = Made(Operation::kGet, HeldBy(a_, {b_, c_}), d_, ReadPreference::kNearest);
  EXPECT_THAT(decision.candidates, ElementsAre(c_, b_, a_));
}

// Of two that are as near the quicker one; with three, the slowest is never first.
TEST_F(DecisionTest, AmongEquallyNearTheQuickerOfTwoRandomOnes) {
  Slow(a_, milliseconds(50));
  Slow(b_, milliseconds(1));
  Slow(c_, milliseconds(2));
  std::map<NodeIndex, int> first;
  for (int i = 0; i < 3'000; ++i) {
    ++first[Made(Operation::kGet, HeldBy(a_, {b_, c_}), d_, ReadPreference::kNearest)
                .candidates[0]];
  }
  EXPECT_EQ(first[a_], 0);
  EXPECT_NEAR(first[b_], 2'000, 150);
  EXPECT_NEAR(first[c_], 1'000, 150);
}

TEST_F(DecisionTest, AHolderThatIsGoneIsAskedLast) {
  nodes_.Of(a_).liveness = Liveness::kDead;
  EXPECT_THAT(Made(Operation::kGet, HeldBy(a_, {b_}), d_).candidates, ElementsAre(b_, a_));
}

// ---- R8

TEST_F(DecisionTest, WithoutReplicaFallbackOnlyThePreferredHolderIsAsked) {
  Route route = HeldBy(a_, {b_, c_});
  Decision decision = Decide(Operation::kGet, {ReadPreference::kPrimaryPreferred, false},
                             {route, std::nullopt, a_}, {nodes_, d_, {}}, kNow, random_);
  EXPECT_THAT(decision.candidates, ElementsAre(a_));
}

// ---- R12

TEST_F(DecisionTest, LocalOnlyDuringPartition) {
  reach_ = {true, 1, 3};
  Route route = HeldBy(a_, {b_});
  Decision holder = Made(Operation::kStore, Knowledge{route, route, a_}, b_);
  EXPECT_EQ(holder.strategy, Strategy::kLocalOnly);
  EXPECT_THAT(holder.candidates, ElementsAre(b_));
  EXPECT_TRUE(holder.degraded);
  Decision other = Made(Operation::kGet, Knowledge{route, std::nullopt, a_}, d_);
  EXPECT_EQ(other.strategy, Strategy::kLocalOnly);
  EXPECT_THAT(other.candidates, IsEmpty());
}

TEST(Reachability, TakesConfidenceAwayByWhatIsMissing) {
  EXPECT_DOUBLE_EQ((Reachability{false, 1, 3}.ConfidenceFactor()), 1);
  EXPECT_DOUBLE_EQ((Reachability{true, 1, 2}.ConfidenceFactor()), 0.75);
  EXPECT_DOUBLE_EQ((Reachability{true, 2, 5}.ConfidenceFactor()), 0.7);
}

// ---- the owner's side

TEST_F(DecisionTest, OnlyAStoreAtTheProposedNodeCreatesAndOnlyIfAskedTo) {
  Knowledge nothing{std::nullopt, std::nullopt, a_};
  EXPECT_EQ(Owned(Operation::kStore, nothing, a_, true), Ownership::kCreate);
  EXPECT_EQ(Owned(Operation::kStore, nothing, a_, false), Ownership::kNotHere);
  EXPECT_EQ(Owned(Operation::kStore, nothing, b_, true), Ownership::kNotHere);
  EXPECT_EQ(Owned(Operation::kGet, nothing, a_, true), Ownership::kNotHere);
}

TEST_F(DecisionTest, ASpaceThatIsKnownIsNotCreatedAgain) {
  Route known = HeldBy(b_, {});
  EXPECT_EQ(Owned(Operation::kStore, {known, std::nullopt, a_}, a_, true), Ownership::kWrongNode);
}

TEST_F(DecisionTest, AHolderServesAndOthersSayWhoDoes) {
  Route route = HeldBy(a_, {b_});
  Knowledge holder{route, route, a_}, other{route, std::nullopt, a_};
  EXPECT_EQ(Owned(Operation::kStore, holder, a_), Ownership::kServe);
  EXPECT_EQ(Owned(Operation::kGet, holder, b_), Ownership::kServe);
  EXPECT_EQ(Owned(Operation::kStore, holder, b_), Ownership::kWrongNode);
  EXPECT_EQ(Owned(Operation::kGet, other, c_), Ownership::kWrongNode);
  EXPECT_EQ(Owned(Operation::kStore, other, a_), Ownership::kNotHere) << "named, but holds nothing";
}

TEST_F(DecisionTest, AReplicaDoesNotAnswerForThePrimaryThatIsAskedFor) {
  Route route = HeldBy(a_, {b_});
  Knowledge replica{route, route, a_};
  EXPECT_EQ(CheckOwnership(Operation::kGet, {ReadPreference::kPrimary, false}, replica,
                           {nodes_, b_, reach_}, false),
            Ownership::kWrongNode);
}

TEST_F(DecisionTest, ReadPreferencesHaveNames) {
  for (auto preference : {ReadPreference::kPrimaryPreferred, ReadPreference::kNearest,
                          ReadPreference::kReplicaPreferred, ReadPreference::kPrimary}) {
    EXPECT_EQ(ParseReadPreference(NameOf(preference)), preference);
  }
  EXPECT_EQ(ParseReadPreference("best"), std::nullopt);
}

}  // namespace
}  // namespace engram::routing
